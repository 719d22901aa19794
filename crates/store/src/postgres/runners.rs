//! Reads and writes registered runners.

use pilotlight_core::ids::RunnerId;
use pilotlight_core::time::Timestamp;
use tokio_postgres::Row as PgRow;

use super::column_values::{column, text};
use super::connection::StoreConnection;
use super::failure::Failure;
use super::operation::{Committed, StoreOperation};
use super::queries::count;
use super::statements;
use super::write_statement::{WriteStatement, owned_params};
use crate::columns::{corrupt_column, millis_of_time, time_from_millis};
use crate::error::Error;
use crate::records::Runner;

/// See [`crate::RunnerStore::register_runner`].
pub(super) struct Register<'a> {
    pub(super) runner: &'a Runner,
}

impl StoreOperation for Register<'_> {
    type Output = ();

    async fn run(&self, connection: StoreConnection) -> Result<Committed<()>, Failure> {
        let Runner { id, name, capabilities, registered_at, seen_at } = self.runner;
        let capabilities = serde_json::to_vec(capabilities);
        let capabilities =
            capabilities.map_err(|error| Failure::permanent(Error::Database(Box::new(error))))?;
        let params = owned_params![
            id.as_str().as_bytes().to_vec(),
            name.as_bytes().to_vec(),
            capabilities,
            millis_of_time(*registered_at),
            millis_of_time(*seen_at),
        ];
        connection.write(&WriteStatement { statement: statements::REGISTER, params }).await?;
        Ok(Committed::without_notifications(()))
    }
}

/// See [`crate::RunnerStore::touch_runner`].
pub(super) struct TouchRunner<'a> {
    pub(super) runner: &'a RunnerId,
    pub(super) now: Timestamp,
}

impl StoreOperation for TouchRunner<'_> {
    type Output = bool;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<bool>, Failure> {
        let params = owned_params![self.runner.as_str().as_bytes().to_vec(), millis_of_time(self.now)];
        let known = connection.write(&WriteStatement { statement: statements::TOUCH_RUNNER, params }).await?;
        Ok(Committed::without_notifications(known > 0))
    }
}

/// See [`crate::ReadStore::runner`].
pub(super) struct FindRunner<'a> {
    pub(super) runner: &'a RunnerId,
}

impl StoreOperation for FindRunner<'_> {
    type Output = Option<Runner>;
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Option<Runner>>, Failure> {
        let rows = connection.query(statements::RUNNER, &[&self.runner.as_str().as_bytes()]).await?;
        connection.release();
        let runner = rows.first().map(read).transpose();
        runner.map(Committed::without_notifications).map_err(Failure::permanent)
    }
}

/// See [`crate::ReadStore::runners`].
pub(super) struct ListRunners {
    pub(super) at_most: i64,
}

impl StoreOperation for ListRunners {
    type Output = (Vec<Runner>, u64);
    const WRITES: bool = false;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Self::Output>, Failure> {
        let rows = connection.query(statements::RUNNERS, &[&self.at_most]).await?;
        let total = count(&connection.query(statements::COUNT_RUNNERS, &[&0_i64]).await?, 0)?;
        connection.release();
        let last_seen = rows.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(Failure::permanent)?;
        Ok(Committed::without_notifications((last_seen, total)))
    }
}

/// See [`crate::RunnerStore::prune_runners`].
pub(super) struct PruneRunners {
    pub(super) before: Timestamp,
    pub(super) at_most: i64,
}

impl StoreOperation for PruneRunners {
    type Output = u64;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<u64>, Failure> {
        let params = owned_params![millis_of_time(self.before), self.at_most];
        let deleted =
            connection.write(&WriteStatement { statement: statements::DELETE_RUNNERS, params }).await?;
        Ok(Committed::without_notifications(deleted))
    }
}

fn read(row: &PgRow) -> Result<Runner, Error> {
    Ok(Runner {
        id: RunnerId::parse(&text(row, 0)?).map_err(|_| corrupt_column("id"))?,
        name: text(row, 1)?,
        capabilities: serde_json::from_str(&text(row, 2)?).map_err(|_| corrupt_column("capabilities"))?,
        registered_at: time_from_millis(column(row, 3)?, "registered_at")?,
        seen_at: time_from_millis(column(row, 4)?, "seen_at")?,
    })
}
