//! The contenders of the jobs bench: the floors and the servers.

use serde::Serialize;

use crate::binaries::Binaries;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contender {
    /// The null HTTP server.
    Null,
    /// The bare group-commit loop, which has no HTTP.
    Commits,
    /// The older binary, over a store that was empty when it started.
    Before,
    /// The server, over a store that was empty when it started.
    Empty,
    /// The server, over a store that already has many jobs.
    Stored,
    /// A second null server: its ratio to the first shows the accuracy of the bench.
    NullAgain,
}

impl Contender {
    /// The contenders that have a server; the first is the one that the others are compared with. Without `--server`,
    /// the floor is measured against itself.
    pub(crate) fn servers(binaries: &Binaries) -> &'static [Self] {
        match (&binaries.server, &binaries.against) {
            (Some(_), Some(_)) => &[Self::Before, Self::Empty],
            (Some(_), None) => &[Self::Null, Self::Empty, Self::Stored],
            (None, _) => &[Self::Null, Self::NullAgain],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null server",
            Self::Commits => "bare commits",
            Self::Before => "before",
            Self::Empty => "empty store",
            Self::Stored => "full store",
            Self::NullAgain => "null server again",
        }
    }
}
