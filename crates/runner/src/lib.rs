//! `pilotlight runner`: executes jobs as commands.
//!
//! A worker polls for a job, starts a command for it or passes it to a warm process, sends heartbeats, and repeats the
//! final report until the service has accepted it. `core::command` decides what a command's exit means. The service
//! owns the state of a job: when it rejects the lease, the command is stopped.
//!
//! In reading order:

mod settings;
pub use settings::{JobCommand, ProcessMode, Settings};

mod lifecycle;
pub use lifecycle::Runner;

mod stop_signal;
pub use stop_signal::RunnerPhase;

mod job_reporter;
mod worker;

mod exchange;
mod result;

mod child;
mod reapers;

mod processes;
pub mod reaper;
mod sys;

mod runner_process;
pub use runner_process::RunnerProcess;
