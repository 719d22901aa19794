//! Checks the whole store for contradictions. It changes nothing, and its texts never contain the contents of jobs. All
//! queries see one snapshot, whatever other instances change meanwhile.

use tokio_postgres::Row as PgRow;

use super::column_values::column;
use super::connection::StoreConnection;
use super::failure::Failure;
use super::jobs::job_row;
use super::operation::{Committed, StoreOperation};
use super::statements;

/// The maximum number of reported violations of one rule, because one rule can be violated a million times.
const MAX_REPORTED: usize = 20;

/// Jobs that one query reads.
const JOBS_PER_PAGE: i64 = 5_000;

/// The text for a violation, and the statement that finds violations. Each statement returns one column, which follows
/// the text.
const RULES: &[(&str, &str)] = &[
    ("more than one current job for the cache key of job", statements::DUPLICATE_CURRENT),
    (
        "an ended job without an end time, or an end time of a job that has not ended: job",
        statements::WRONG_END,
    ),
    ("no parameters for job", statements::NO_INPUT),
    ("no result for completed job", statements::NO_OUTPUT),
    ("wrong stored sizes of job", statements::WRONG_SIZE),
    ("the total of all stored sizes is wrong by", statements::WRONG_BYTES),
    ("wrong number or size of jobs in phase", statements::WRONG_COUNT),
];

/// See [`crate::Store::verify_integrity`].
pub(super) struct VerifyIntegrity;

impl StoreOperation for VerifyIntegrity {
    type Output = Vec<String>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Vec<String>>, Failure> {
        connection.batch_execute(statements::BEGIN_INTEGRITY_CHECK).await?;
        let mut violations = Vec::new();
        for (text, statement) in RULES {
            for row in connection.query(statement, &[]).await?.iter().take(MAX_REPORTED) {
                let it: String = column(row, 0).map_err(Failure::permanent)?;
                violations.push(format!("{text} {it}"));
            }
        }
        violations.extend(unreadable_jobs(&connection).await?);
        connection.rollback().await?;
        Ok(Committed::without_notifications(violations))
    }
}

/// Reports jobs whose rows have invalid values.
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
