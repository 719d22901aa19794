//! Connections, lent for one verb each. A link that is not given back by [`Link::commit`] or [`Link::leave`] is
//! closed, and the server undoes what it had begun: so a verb may be dropped at any moment. Statements that need not
//! wait for each other's answers are sent together.

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
use super::tls::Sealing;
use super::tx::Write;
use crate::error::Error;

/// A verb waits for a connection as long as this.
const WAIT_WITHIN: Duration = Duration::from_secs(5);
/// Making one takes this at most, all of the server's addresses together.
const CREATE_WITHIN: Duration = Duration::from_secs(10);

/// What a statement is given.
pub(super) type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Connections to one database, made as they are needed.
pub(super) struct Pool {
    connections: deadpool_postgres::Pool,
    place: Arc<str>,
}

impl Pool {
    pub(super) fn new(address: &Address, at_most: NonZeroUsize) -> Result<Self, Error> {
        let recycling = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let sealing = Sealing::new(&address.trust);
        let manager = Manager::from_config(address.config.clone(), sealing, recycling);
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(at_most.get())
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(WAIT_WITHIN))
            .create_timeout(Some(CREATE_WITHIN))
            .recycle_timeout(Some(CREATE_WITHIN))
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async {
                    client.batch_execute(statements::SESSION).await.map_err(HookError::Backend)
                })
            }))
            .build()
            .map_err(|error| Error::Database(Box::new(error)))?;
        Ok(Self { connections, place: address.shown.as_str().into() })
    }

    pub(super) async fn lend(&self) -> Result<Link, Failure> {
        match self.connections.get().await {
            Ok(client) => Ok(Link { client: Lent(Some(client)), place: Arc::clone(&self.place) }),
            Err(error) => Err(Failure::to_connect(&error, &self.place)),
        }
    }

    /// Where it leads to, for people.
    pub(super) fn place(&self) -> &str {
        &self.place
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_tuple("Pool").field(&self.place).finish()
    }
}

/// A connection on which nobody else speaks.
pub(super) struct Link {
    client: Lent,
    place: Arc<str>,
}

/// Closes the connection on drop: nobody knows what it is in the middle of.
struct Lent(Option<Object>);

impl Lent {
    fn client(&self) -> &Object {
        self.0.as_ref().expect("it is there until it is given back")
    }

    fn give_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        drop(self.0.take().map(Object::take));
    }
}

impl Link {
    /// Begins a transaction with this statement.
    pub(super) async fn begin(
        &self,
        statement: &'static str,
        given: Params<'_>,
    ) -> Result<Vec<Row>, Failure> {
        let prepared = self.prepare(statement).await?;
        let client = self.client.client();
        let (begun, rows) =
            tokio::join!(biased; client.batch_execute(statements::BEGIN), client.query(&prepared, given));
        begun.and(rows).map_err(|error| self.failed(&error))
    }

    /// Runs a statement; by itself it is a transaction.
    pub(super) async fn ask(&self, statement: &'static str, given: Params<'_>) -> Result<Vec<Row>, Failure> {
        let prepared = self.prepare(statement).await?;
        self.client.client().query(&prepared, given).await.map_err(|error| self.failed(&error))
    }

    /// Runs these statements, makes all of the transaction true, and gives the connection back. Returns how many rows
    /// each of them was about.
    pub(super) async fn commit(self, writes: &[Write]) -> Result<Vec<u64>, Failure> {
        let mut prepared = Vec::with_capacity(writes.len());
        for write in writes {
            prepared.push(self.prepare(write.statement).await?);
        }
        let client = self.client.client();
        let asked = prepared.iter().zip(writes).map(|(prepared, write)| execute(client, prepared, write));
        let commit = client.batch_execute(statements::COMMIT);
        let (counts, committed) = tokio::join!(biased; together(asked), commit);
        let counts = counts.into_iter().collect::<Result<Vec<_>, _>>();
        let counts = counts.map_err(|error| self.failed_beside_commit(&error))?;
        committed.map_err(|_| Failure::at_commit(&self.place))?;
        self.client.give_back();
        Ok(counts)
    }

    /// Runs a statement that is a transaction by itself, and gives the connection back.
    pub(super) async fn write(self, write: &Write) -> Result<u64, Failure> {
        let prepared = self.prepare(write.statement).await?;
        let written = execute(self.client.client(), &prepared, write).await;
        let count = written.map_err(|error| self.failed_beside_commit(&error))?;
        self.client.give_back();
        Ok(count)
    }

    /// Gives the connection back after statements that were transactions by themselves.
    pub(super) fn done(self) {
        self.client.give_back();
    }

    /// Leaves the transaction without a change, and gives the connection back.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        let left = self.client.client().batch_execute(statements::ROLLBACK).await;
        left.map_err(|error| self.failed(&error))?;
        self.client.give_back();
        Ok(())
    }

    /// Runs SQL of several statements, without parameters.
    pub(super) async fn run(&self, sql: &str) -> Result<(), Failure> {
        self.client.client().batch_execute(sql).await.map_err(|error| self.failed(&error))
    }

    async fn prepare(&self, statement: &str) -> Result<Statement, Failure> {
        self.client.client().prepare_cached(statement).await.map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &tokio_postgres::Error) -> Failure {
        Failure::before_commit(error, &self.place)
    }

    /// A statement that the server refused takes the commit with it. One that was not answered says nothing.
    fn failed_beside_commit(&self, error: &tokio_postgres::Error) -> Failure {
        if error.as_db_error().is_some() { self.failed(error) } else { Failure::at_commit(&self.place) }
    }
}

async fn execute(client: &Client, prepared: &Statement, write: &Write) -> Result<u64, tokio_postgres::Error> {
    let given: Vec<&(dyn ToSql + Sync)> = write.given.iter().map(|value| &**value as _).collect();
    client.execute(prepared, &given).await
}

/// Polls all of them in this order, which is the order in which they are sent, until each has its answer.
async fn together<F: Future>(asked: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: Vec<Pin<Box<F>>> = asked.map(Box::pin).collect();
    let mut answers: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    poll_fn(|context| {
        for (answer, asked) in answers.iter_mut().zip(&mut waiting).filter(|(answer, _)| answer.is_none()) {
            if let Poll::Ready(said) = asked.as_mut().poll(context) {
                *answer = Some(said);
            }
        }
        if answers.iter().all(Option::is_some) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    answers.into_iter().flatten().collect()
}
