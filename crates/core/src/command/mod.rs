//! Decides what is made of a command that executes a job: what its end means, what its lines say, what of its console is
//! told, and when a process that is kept has done enough. Whoever starts processes does as told.
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
