//! Looks through the whole store for what cannot be. It changes nothing, and says nothing of what jobs hold. All of it
//! is seen as it was at one moment, whatever other instances do meanwhile.

use tokio_postgres::Row as PgRow;

use super::connection::StoreConnection;
use super::failure::Failure;
use super::jobs::{column, job_row};
use super::operation::{Committed, StoreOperation};
use super::statements;

/// Sentences of one kind that are told; one broken rule can be broken a million times.
const MAX_REPORTED: usize = 20;

/// Jobs that are read at a time.
const JOBS_PER_PAGE: i64 = 5_000;

/// What is said of what each statement must never find.
const RULES: &[(&str, &str)] = &[
    ("more than one current job of the key of job", statements::DUPLICATE_CURRENT),
    ("a job has ended without a time, or has one without having ended:", statements::WRONG_END),
    ("no parameters for job", statements::NO_INPUT),
    ("no result for completed job", statements::NO_OUTPUT),
    ("a wrong size of the things of job", statements::WRONG_SIZE),
    ("the sum of all sizes is wrong by", statements::WRONG_BYTES),
    ("a wrong count or size of jobs in phase", statements::WRONG_COUNT),
];

/// See [`crate::Store::verify_integrity`].
pub(super) struct VerifyIntegrity;

impl StoreOperation for VerifyIntegrity {
    type Output = Vec<String>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Vec<String>>, Failure> {
        connection.batch_execute(statements::BEGIN_INTEGRITY_CHECK).await?;
        let mut violations = Vec::new();
        for (sentence, statement) in RULES {
            for row in connection.query(statement, &[]).await?.iter().take(MAX_REPORTED) {
                let it: String = column(row, 0).map_err(Failure::permanent)?;
                violations.push(format!("{sentence} {it}"));
            }
        }
        violations.extend(unreadable_jobs(&connection).await?);
        connection.rollback().await?;
        Ok(Committed::without_notifications(violations))
    }
}

/// Every job must make sense.
async fn unreadable_jobs(connection: &StoreConnection) -> Result<Vec<String>, Failure> {
    let (mut violations, mut after) = (Vec::new(), 0_i64);
    loop {
        let rows = connection.query(statements::PAGE, &[&after, &JOBS_PER_PAGE]).await?;
        violations.extend(
            rows.iter().filter_map(|row| job_row(row).err()).map(|failure| failure.error.to_string()),
        );
        match rows.last().map(seq_of).transpose()? {
            Some(last) if violations.len() < MAX_REPORTED => after = last,
            Some(_) | None => break,
        }
    }
    violations.truncate(MAX_REPORTED);
    Ok(violations)
}

fn seq_of(row: &PgRow) -> Result<i64, Failure> {
    column(row, 25).map_err(Failure::permanent)
}
