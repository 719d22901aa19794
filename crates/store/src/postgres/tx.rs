//! The transaction of a store operation that writes. It collects the statements that write, and sends them together
//! with the commit. It also collects the notifications that the other instances get after the commit.

use tokio_postgres::Row as PgRow;

use super::connection::{Params, StoreConnection};
use super::counters::PgCounterChanges;
use super::failure::Failure;
use super::notifications::Notifications;
use super::statements;
use super::write_statement::{OwnedParams, WriteStatement};

/// A transaction.
pub(super) struct PgTx {
    connection: StoreConnection,
    state: TxState,
    writes: Vec<WriteStatement>,
    /// The operation's changes of the counters.
    pub(super) counter_changes: PgCounterChanges,
    /// The notifications to be sent after the commit.
    pub(super) notifications: Notifications,
}

/// How the transaction runs on the database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TxState {
    /// `BEGIN` was sent.
    Open,
    /// It consists of one statement, which needs no `BEGIN`.
    SingleStatement,
}

impl PgTx {
    /// A transaction of one statement, which writes.
    pub(super) fn single_statement(connection: StoreConnection) -> Self {
        Self::new(connection, TxState::SingleStatement)
    }

    fn new(connection: StoreConnection, state: TxState) -> Self {
        Self {
            connection,
            state,
            writes: Vec::new(),
            counter_changes: PgCounterChanges::default(),
            notifications: Notifications::default(),
        }
    }

    /// Begins a transaction with a statement that reads; returns its rows.
    pub(super) async fn begin(
        connection: StoreConnection,
        statement: &'static str,
        params: Params<'_>,
    ) -> Result<(Self, Vec<PgRow>), Failure> {
        let rows = connection.begin(statement, params).await?;
        Ok((Self::new(connection, TxState::Open), rows))
    }

    /// Runs a statement that reads.
    pub(super) async fn query(
        &self,
        statement: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<PgRow>, Failure> {
        self.connection.query(statement, params).await
    }

    /// Adds a statement to be sent with the commit.
    pub(super) fn write(&mut self, statement: &'static str, params: OwnedParams) {
        self.writes.push(WriteStatement { statement, params });
    }

    /// Ends the transaction without a change.
    pub(super) async fn rollback(self) -> Result<(), Failure> {
        match self.state {
            TxState::Open => self.connection.rollback().await,
            TxState::SingleStatement => {
                self.connection.release();
                Ok(())
            }
        }
    }

    /// Sends the collected writes and commits; without writes, ends the transaction. Returns the notifications for
    /// other instances. Fails with a conflict when [`statements::INSERT`] inserted no job: another job is already the
    /// current one of its cache key.
    pub(super) async fn commit(mut self) -> Result<Notifications, Failure> {
        self.writes.extend(std::mem::take(&mut self.counter_changes).write());
        let counts = match (self.state, self.writes.as_slice()) {
            (TxState::Open, []) => {
                self.connection.rollback().await?;
                return Ok(Notifications::default());
            }
            (TxState::SingleStatement, [only]) => vec![self.connection.write(only).await?],
            (TxState::Open | TxState::SingleStatement, writes) => self.connection.commit(writes).await?,
        };
        let is_written =
            |(write, count): (&WriteStatement, &u64)| write.statement != statements::INSERT || *count == 1;
        if self.writes.iter().zip(&counts).all(is_written) {
            Ok(self.notifications)
        } else {
            Err(Failure::conflict())
        }
    }
}
