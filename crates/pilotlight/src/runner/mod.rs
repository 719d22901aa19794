//! Executes jobs as commands: waits for jobs, starts a command or hands the job to one that is kept, tells how it goes,
//! and reports its end until the service has taken it. What an end means is `core::command`'s to say; what is true about
//! a job is the service's: a lease that it does not honour ends the command.
//!
//! In reading order:

mod settings;
pub use settings::{JobCommand, ProcessMode, Settings};

mod lifecycle;
pub use lifecycle::{Runner, RunnerPhase};

mod job_reporter;
mod worker;

mod exchange;
mod one_shot;
mod result;
mod warm_processes;

mod child;
mod reapers;

mod processes;
pub mod reaper;
mod sys;

mod runner_process;
pub use runner_process::RunnerProcess;
