//! What a verb that writes has in its hands: a transaction, what it is going to write, and what others are told when
//! that has happened. Whatever it writes is sent at once with the commit.

use tokio_postgres::Row as Columns;
use tokio_postgres::types::ToSql;

use super::failure::Failure;
use super::link::{Link, Params};
use super::statements;
use super::tally::Delta;
use super::tidings::Tidings;

/// What a statement is given, kept until it is sent.
pub(super) type Given = Vec<Box<dyn ToSql + Sync + Send>>;

/// A statement to be sent.
pub(super) struct Write {
    pub(super) statement: &'static str,
    pub(super) given: Given,
}

/// A [`Given`] of these values.
macro_rules! given {
    ($($value:expr),* $(,)?) => {
        vec![$(Box::new($value) as Box<dyn tokio_postgres::types::ToSql + Sync + Send>),*]
    };
}
pub(super) use given;

/// A transaction.
pub(super) struct Tx {
    link: Link,
    begun: Begun,
    writes: Vec<Write>,
    /// What the verb changes in the sums.
    pub(super) delta: Delta,
    /// What others are told of it.
    pub(super) tidings: Tidings,
}

/// Whether the server knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    Yes,
    /// It is one statement, which needs no more.
    No,
}

impl Tx {
    /// One statement without anything to find before.
    pub(super) fn alone(link: Link) -> Self {
        Self::new(link, Begun::No)
    }

    fn new(link: Link, begun: Begun) -> Self {
        Self { link, begun, writes: Vec::new(), delta: Delta::default(), tidings: Tidings::default() }
    }

    /// Begins with what this statement finds.
    pub(super) async fn begin(
        link: Link,
        statement: &'static str,
        given: Params<'_>,
    ) -> Result<(Self, Vec<Columns>), Failure> {
        let rows = link.begin(statement, given).await?;
        Ok((Self::new(link, Begun::Yes), rows))
    }

    /// Asks something more.
    pub(super) async fn ask(
        &self,
        statement: &'static str,
        given: Params<'_>,
    ) -> Result<Vec<Columns>, Failure> {
        self.link.ask(statement, given).await
    }

    /// Writes this at its end.
    pub(super) fn write(&mut self, statement: &'static str, given: Given) {
        self.writes.push(Write { statement, given });
    }

    /// Leaves everything as it was.
    pub(super) async fn leave(self) -> Result<(), Failure> {
        match self.begun {
            Begun::Yes => self.link.leave().await,
            Begun::No => {
                self.link.done();
                Ok(())
            }
        }
    }

    /// Writes what there is to write, if anything. Returns what others are to be told.
    pub(super) async fn end(mut self) -> Result<Tidings, Failure> {
        self.writes.extend(std::mem::take(&mut self.delta).write());
        let counts = match (self.begun, self.writes.as_slice()) {
            (Begun::Yes, []) => {
                self.link.leave().await?;
                return Ok(Tidings::default());
            }
            (Begun::No, [only]) => vec![self.link.write(only).await?],
            (Begun::Yes | Begun::No, writes) => self.link.commit(writes).await?,
        };
        let is_made = |(write, count): (&Write, &u64)| write.statement != statements::INSERT || *count == 1;
        if self.writes.iter().zip(&counts).all(is_made) {
            Ok(self.tidings)
        } else {
            Err(Failure::overtaken())
        }
    }
}
