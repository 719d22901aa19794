//! Looks through the whole store for what cannot be. It changes nothing, and says nothing of what jobs hold. All of it
//! is seen as it was at one moment, whatever other instances do meanwhile.

use tokio_postgres::Row as Columns;

use super::failure::Failure;
use super::jobs::{column, stored};
use super::link::Link;
use super::statements;
use super::verb::{Done, Verb};

/// Sentences of one kind that are told; one broken rule can be broken a million times.
const TOLD: usize = 20;

/// Jobs that are read at a time.
const AT_ONCE: i64 = 5_000;

/// What is said of what each statement must never find.
const NEVER: &[(&str, &str)] = &[
    ("more than one current job of the key of job", statements::TWO_CURRENT),
    ("a job has ended without a time, or has one without having ended:", statements::WRONG_END),
    ("no parameters for job", statements::NO_INPUT),
    ("no result for completed job", statements::NO_OUTPUT),
    ("a wrong size of the things of job", statements::WRONG_SIZE),
    ("the sum of all sizes is wrong by", statements::WRONG_BYTES),
    ("a wrong count or size of jobs in phase", statements::WRONG_COUNT),
];

/// See [`crate::Store::verify_integrity`].
pub(super) struct Check;

impl Verb for Check {
    type Output = Vec<String>;
    const WRITES: bool = false;

    async fn run(&self, link: Link) -> Result<Done<Vec<String>>, Failure> {
        link.run(statements::BEGIN_TO_CHECK).await?;
        let mut wrong = Vec::new();
        for (sentence, statement) in NEVER {
            for row in link.ask(statement, &[]).await?.iter().take(TOLD) {
                let it: String = column(row, 0).map_err(Failure::for_good)?;
                wrong.push(format!("{sentence} {it}"));
            }
        }
        wrong.extend(unreadable(&link).await?);
        link.leave().await?;
        Ok(Done::nothing_new(wrong))
    }
}

/// Every job must make sense.
async fn unreadable(link: &Link) -> Result<Vec<String>, Failure> {
    let (mut wrong, mut after) = (Vec::new(), 0_i64);
    loop {
        let rows = link.ask(statements::PAGE, &[&after, &AT_ONCE]).await?;
        wrong
            .extend(rows.iter().filter_map(|row| stored(row).err()).map(|failure| failure.error.to_string()));
        match rows.last().map(place).transpose()? {
            Some(last) if wrong.len() < TOLD => after = last,
            Some(_) | None => break,
        }
    }
    wrong.truncate(TOLD);
    Ok(wrong)
}

fn place(row: &Columns) -> Result<i64, Failure> {
    column(row, 25).map_err(Failure::for_good)
}
