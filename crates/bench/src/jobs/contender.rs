//! Who is measured.

use serde::Serialize;

use crate::binaries::Binaries;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contender {
    /// The null HTTP server.
    Null,
    /// The bare group-commit loop, which nobody can ask by HTTP.
    Commits,
    /// The older binary, over a store that was empty when it started.
    Before,
    /// The server, over a store that was empty when it started.
    Empty,
    /// The server, over a store that holds many jobs.
    Stored,
    /// The null server against itself: what the ratio says when there is no difference.
    NullAgain,
}

impl Contender {
    /// Those with a server, the one that the others are compared with first. Without a server the floor is measured
    /// against itself.
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
