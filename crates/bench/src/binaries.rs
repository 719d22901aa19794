//! The `pilotlight` binaries that a bench measures: the one of this tree and, with `--against`, an older one.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

#[derive(Debug, Args)]
pub(crate) struct BinaryArgs {
    /// The `pilotlight` binary to measure. Without it, the floor is measured against itself.
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// An older `pilotlight` binary. Both are measured in turn, round by round, and compared with each other instead of
    /// with the floor: rates may be 5 % lower at most, p50 5 % and p99 25 % higher.
    #[arg(long, value_name = "PATH", requires = "server")]
    against: Option<PathBuf>,
}

/// The paths are absolute, because each server is started in its own folder.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Binaries {
    pub(crate) server: Option<PathBuf>,
    pub(crate) against: Option<PathBuf>,
}

impl BinaryArgs {
    /// # Errors
    /// A path does not name a file.
    pub(crate) fn resolve(&self) -> Result<Binaries> {
        let absolute = |path: &PathBuf| path.canonicalize().with_context(|| path.display().to_string());
        let server = self.server.as_ref().map(absolute).transpose()?;
        let against = self.against.as_ref().map(absolute).transpose()?;
        Ok(Binaries { server, against })
    }
}

impl Binaries {
    /// # Errors
    /// `--server` was not given.
    pub(crate) fn server(&self) -> Result<&Path> {
        self.server.as_deref().context("--server is required")
    }

    /// # Errors
    /// `--against` was not given.
    pub(crate) fn against(&self) -> Result<&Path> {
        self.against.as_deref().context("--against is required")
    }
}

/// The comparison, for the report's headline.
impl Display for Binaries {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (&self.server, &self.against) {
            (Some(server), Some(against)) => write!(f, "{} against {}", server.display(), against.display()),
            (Some(server), None) => write!(f, "{} against the floor", server.display()),
            (None, _) => f.write_str("the floor against itself"),
        }
    }
}
