//! What a runner does, as its command line says it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pilotlight_core::command::Wear;

/// What a runner does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What it calls itself.
    pub name: String,
    /// What it can do.
    pub kinds: Vec<Kind>,
    /// Jobs that it does at the same time.
    pub slots: usize,
    /// A command that takes longer is ended; without bound when missing.
    pub time_out: Option<Duration>,
    /// How long a command that is to end may take to do so by itself.
    pub kill_after: Duration,
    /// Bytes of stdout that are read; a command that writes more is ended.
    pub output_bytes: usize,
    /// All that is in the environment of commands.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether processes stay for the next job.
    pub keeping: Keeping,
}

/// A type of jobs, and the command that does them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The type.
    pub name: String,
    /// Where its program lies.
    pub program: PathBuf,
    /// What follows it.
    pub arguments: Vec<String>,
}

/// Whether processes stay for the next job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// Each job has a process of its own.
    Fresh,
    /// A process takes one job after the other until it is worn.
    Kept(Wear),
}
