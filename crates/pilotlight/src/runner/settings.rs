//! What a runner does, as its command line says it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pilotlight_core::command::RecycleLimits;

/// What a runner does.
#[derive(Debug, Clone)]
pub struct Settings {
    /// What it calls itself.
    pub name: String,
    /// What it can do.
    pub commands: Vec<JobCommand>,
    /// Jobs that it does at the same time.
    pub workers: usize,
    /// A command that takes longer is ended; without bound when missing.
    pub timeout: Option<Duration>,
    /// How long a command that is to end may take to do so by itself.
    pub kill_after: Duration,
    /// Bytes of stdout that are read; a command that writes more is ended.
    pub output_bytes: usize,
    /// All that is in the environment of commands.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether processes stay for the next job.
    pub process_mode: ProcessMode,
}

/// A type of jobs, and the command that does them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCommand {
    /// The type.
    pub name: String,
    /// Where its program lies.
    pub program: PathBuf,
    /// What follows it.
    pub arguments: Vec<String>,
}

/// Whether processes stay for the next job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessMode {
    /// Each job has a process of its own.
    OneShot,
    /// A process takes one job after the other until it is worn.
    Warm(RecycleLimits),
}
