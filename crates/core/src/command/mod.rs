//! Decisions about a command that executes a job: what its exit means, what its stderr lines mean, which console text
//! is sent, and when a warm process is replaced. The code that starts the processes carries these decisions out.
//!
//! In reading order:

mod exit;
pub use exit::{
    CommandExit, KillReason, ProcessExit, StdoutContent, cannot_start, command_result, reported_error,
    result_rejected, unsolicited_output, warm_process_ended,
};

mod stderr;
pub use stderr::{ParsedOutput, StderrParser};

mod console;
pub use console::{Console, LogChunk};

mod recycle;
pub use recycle::{RecycleLimits, RecycleReason, WorkerUsage};
