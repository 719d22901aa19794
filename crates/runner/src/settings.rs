//! The settings of a runner, as given on its command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use pilotlight_core::command::RecycleLimits;

/// The settings of a runner.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The runner's name, shown to operators.
    pub name: String,
    /// The job types that the runner executes, each with its command.
    pub commands: Vec<JobCommand>,
    /// How many jobs the runner executes at the same time.
    pub workers: usize,
    /// A command that takes longer is stopped and its job fails; `None` means no limit.
    pub timeout: Option<Duration>,
    /// How long a command may take to end after SIGTERM before it is killed.
    pub kill_after: Duration,
    /// Most bytes of a command's stdout; a command that writes more is stopped and its job fails.
    pub output_bytes: usize,
    /// The complete environment of commands, without the variables that describe a job.
    pub environment: Vec<(OsString, OsString)>,
    /// Whether each job gets a new process.
    pub process_mode: ProcessMode,
}

/// A job type and the command that executes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobCommand {
    /// The job type.
    pub name: String,
    /// The path of the command's program.
    pub program: PathBuf,
    /// The command's arguments.
    pub arguments: Vec<String>,
}

/// Whether each job gets a new process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProcessMode {
    /// Each job is executed by a new process.
    OneShot,
    /// A process executes one job after the other until it reaches one of these limits.
    Warm(RecycleLimits),
}
