//! The connection pool. Each operation borrows one connection and returns it by [`StoreConnection::commit`],
//! [`StoreConnection::rollback`], [`StoreConnection::write`] or [`StoreConnection::release`]. A connection that is
//! dropped instead is closed, and the server rolls back its transaction: so an operation may be cancelled at any
//! moment. Statements that do not need each other's answers are sent together.

use std::fmt;
use std::future::{Future, poll_fn};
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use deadpool_postgres::{Hook, HookError, Manager, ManagerConfig, Object, RecyclingMethod, Runtime};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::address::Address;
use super::failure::Failure;
use super::statements;
use super::tls::PgTlsConnector;
use super::write_statement::WriteStatement;
use crate::error::Error;

/// How long an operation waits for a free connection.
const WAIT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time limit for opening a connection, all of the server's addresses together.
const CREATE_TIMEOUT: Duration = Duration::from_secs(10);

/// The parameters of a statement.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// The connections to one database, opened as they are needed.
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    server: Arc<str>,
}

impl Pool {
    pub(super) fn new(address: &Address, at_most: NonZeroUsize) -> Result<Self, Error> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let tls_connector = PgTlsConnector::new(&address.trust);
        let manager = Manager::from_config(address.config.clone(), tls_connector, recycling);
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(at_most.get())
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_TIMEOUT))
            .create_timeout(Some(CREATE_TIMEOUT))
            .recycle_timeout(Some(CREATE_TIMEOUT))
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async {
                    client.batch_execute(statements::SESSION).await.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| Error::Database(Box::new(error)))?;
        Ok(Self { connections, server: address.shown.as_str().into() })
    }

    /// Borrows a connection.
    pub(super) async fn acquire(&self) -> Result<StoreConnection, Failure> {
        match self.connections.get().await {
            Ok(client) => Ok(StoreConnection {
                client: PooledConnection(Some(client)),
                server: Arc::clone(&self.server),
            }),
            Err(error) => Err(Failure::no_connection(&error, &self.server)),
        }
    }

    /// The display name of the server, for error texts.
    pub(super) fn server(&self) -> &str {
        &self.server
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Pool").field(&self.server).finish()
    }
}

/// A connection that one operation uses exclusively.
pub(super) struct StoreConnection {
    client: PooledConnection,
    server: Arc<str>,
}

/// Closes the connection on drop, because its protocol state is unknown then.
struct PooledConnection(Option<Object>);

impl PooledConnection {
    fn client(&self) -> &Object {
        self.0.as_ref().expect("the connection is present until it is released")
    }

    fn release(mut self) {
        drop(self.0.take());
    }
}

impl Drop for PooledConnection {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

impl StoreConnection {
    /// Begins a transaction and runs its first statement; both are sent together.
    pub(super) async fn begin(
        &self,
        statement: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let prepared = self.prepare(statement).await?;
        let client = self.client.client();
        let (begun, rows) =
            tokio::join!(biased; client.batch_execute(statements::BEGIN), client.query(&prepared, params));
        begun.and(rows).map_err(|error| self.failure(&error))
    }

    /// Runs a statement: in the open transaction, or as a transaction of its own.
    pub(super) async fn query(
        &self,
        statement: &'static str,
        params: Params<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let prepared = self.prepare(statement).await?;
        self.client.client().query(&prepared, params).await.map_err(|error| self.failure(&error))
    }

    /// Runs these statements, commits, and returns the connection to the pool. Returns the number of rows that each
    /// statement affected.
    pub(super) async fn commit(self, writes: &[WriteStatement]) -> Result<Vec<u64>, Failure> {
        let mut prepared = Vec::with_capacity(writes.len());
        for write in writes {
            prepared.push(self.prepare(write.statement).await?);
        }
        let client = self.client.client();
        let writes = prepared.iter().zip(writes).map(|(prepared, write)| execute(client, prepared, write));
        let commit = client.batch_execute(statements::COMMIT);
        let (counts, committed) = tokio::join!(biased; join_in_order(writes), commit);
        let counts = counts.into_iter().collect::<Result<Vec<_>, _>>();
        let counts = counts.map_err(|error| self.failure_at_commit(&error))?;
        committed.map_err(|_| Failure::commit_unknown(&self.server))?;
        self.client.release();
        Ok(counts)
    }

    /// Runs a statement as a transaction of its own, and returns the connection to the pool. Returns the number of
    /// affected rows.
    pub(super) async fn write(self, write: &WriteStatement) -> Result<u64, Failure> {
        let prepared = self.prepare(write.statement).await?;
        let written = execute(self.client.client(), &prepared, write).await;
        let count = written.map_err(|error| self.failure_at_commit(&error))?;
        self.client.release();
        Ok(count)
    }

    /// Returns the connection to the pool; no transaction may be open on it.
    pub(super) fn release(self) {
        self.client.release();
    }

    /// Rolls the transaction back, and returns the connection to the pool.
    pub(super) async fn rollback(self) -> Result<(), Failure> {
        let rolled_back = self.client.client().batch_execute(statements::ROLLBACK).await;
        rolled_back.map_err(|error| self.failure(&error))?;
        self.client.release();
        Ok(())
    }

    /// Runs SQL that may contain several statements, without parameters.
    pub(super) async fn batch_execute(&self, sql: &str) -> Result<(), Failure> {
        self.client.client().batch_execute(sql).await.map_err(|error| self.failure(&error))
    }

    async fn prepare(&self, statement: &str) -> Result<Statement, Failure> {
        self.client.client().prepare_cached(statement).await.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &tokio_postgres::Error) -> Failure {
        Failure::before_commit(error, &self.server)
    }

    /// The failure of a statement that was sent together with the commit. If the server rejected the statement, nothing
    /// is committed; if the answer is missing, it is unknown whether it is.
    fn failure_at_commit(&self, error: &tokio_postgres::Error) -> Failure {
        if error.as_db_error().is_some() {
            self.failure(error)
        } else {
            Failure::commit_unknown(&self.server)
        }
    }
}

async fn execute(
    client: &Client,
    prepared: &Statement,
    write: &WriteStatement,
) -> Result<u64, tokio_postgres::Error> {
    let params: Vec<&(dyn ToSql + Sync)> = write.params.iter().map(|value| &**value as _).collect();
    client.execute(prepared, &params).await
}

/// Polls all futures in this order, so that their statements are sent in this order, until each has its answer.
async fn join_in_order<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = futures.map(Box::pin).collect();
    let mut answers: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (answer, future) in answers.iter_mut().zip(&mut waiting).filter(|(answer, _)| answer.is_none()) {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                *answer = Some(output);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}
