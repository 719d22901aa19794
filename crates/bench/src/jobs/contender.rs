//! Who is measured.

use std::path::Path;

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contender {
    /// The null HTTP server.
    Null,
    /// The bare group-commit loop, which nobody can ask by HTTP.
    Commits,
    /// The server, over a store that was empty when it started.
    Empty,
    /// The server, over a store that holds many jobs.
    Stored,
    /// The null server against itself: what the ratio says when there is no difference.
    NullAgain,
}

impl Contender {
    /// Those with a server, the floor first. Without a product the floor is measured against itself.
    pub(crate) fn servers(product: Option<&Path>) -> &'static [Self] {
        match product {
            Some(_) => &[Self::Null, Self::Empty, Self::Stored],
            None => &[Self::Null, Self::NullAgain],
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Null => "null server",
            Self::Commits => "bare commits",
            Self::Empty => "empty store",
            Self::Stored => "full store",
            Self::NullAgain => "null server again",
        }
    }
}
