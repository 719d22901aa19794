//! What a verb that writes has in its hands: a transaction, what it is going to write, and what others are told when
//! that has happened. Whatever it writes is sent at once with the commit.

use tokio_postgres::Row as PgRow;
use tokio_postgres::types::ToSql;

use super::connection::{Params, StoreConnection};
use super::counters::Delta;
use super::failure::Failure;
use super::notifications::Notifications;
use super::statements;

/// What a statement is given, kept until it is sent.
pub(super) type OwnedParams = Vec<Box<dyn ToSql + Sync + Send>>;

/// A statement to be sent.
pub(super) struct WriteStatement {
    pub(super) statement: &'static str,
    pub(super) params: OwnedParams,
}

/// A [`OwnedParams`] of these values.
macro_rules! owned_params {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as Box<dyn tokio_postgres::types::ToSql + Sync + Send>),*]
    };
}
pub(super) use owned_params;

/// A transaction.
pub(super) struct Tx {
    connection: StoreConnection,
    state: TxState,
    writes: Vec<WriteStatement>,
    /// What the verb changes in the sums.
    pub(super) delta: Delta,
    /// What others are told of it.
    pub(super) notifications: Notifications,
}

/// Whether the server knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TxState {
    Open,
    /// It is one statement, which needs no more.
    SingleStatement,
}

impl Tx {
    /// One statement without anything to find before.
    pub(super) fn single_statement(connection: StoreConnection) -> Self {
        Self::new(connection, TxState::SingleStatement)
    }

    fn new(connection: StoreConnection, state: TxState) -> Self {
        Self {
            connection,
            state,
            writes: Vec::new(),
            delta: Delta::default(),
            notifications: Notifications::default(),
        }
    }

    /// Begins with what this statement finds.
    pub(super) async fn begin(
        connection: StoreConnection,
        statement: &'static str,
        params: Params<'_>,
    ) -> Result<(Self, Vec<PgRow>), Failure> {
        let rows = connection.begin(statement, params).await?;
        Ok((Self::new(connection, TxState::Open), rows))
    }

    /// Asks something more.
    pub(super) async fn query(
        &self,
        statement: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<PgRow>, Failure> {
        self.connection.query(statement, params).await
    }

    /// Writes this at its end.
    pub(super) fn write(&mut self, statement: &'static str, params: OwnedParams) {
        self.writes.push(WriteStatement { statement, params });
    }

    /// Leaves everything as it was.
    pub(super) async fn rollback(self) -> Result<(), Failure> {
        match self.state {
            TxState::Open => self.connection.rollback().await,
            TxState::SingleStatement => {
                self.connection.release();
                Ok(())
            }
        }
    }

    /// Writes what there is to write, if anything. Returns what others are to be told.
    pub(super) async fn commit(mut self) -> Result<Notifications, Failure> {
        self.writes.extend(std::mem::take(&mut self.delta).write());
        let counts = match (self.state, self.writes.as_slice()) {
            (TxState::Open, []) => {
                self.connection.rollback().await?;
                return Ok(Notifications::default());
            }
            (TxState::SingleStatement, [only]) => vec![self.connection.write(only).await?],
            (TxState::Open | TxState::SingleStatement, writes) => self.connection.commit(writes).await?,
        };
        let is_made =
            |(write, count): (&WriteStatement, &u64)| write.statement != statements::INSERT || *count == 1;
        if self.writes.iter().zip(&counts).all(is_made) {
            Ok(self.notifications)
        } else {
            Err(Failure::conflict())
        }
    }
}
