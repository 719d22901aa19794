//! Why the jobs scene failed.

use std::io;
use std::process::ExitStatus;

use pilotlight_client::ClientError;
use pilotlight_wire::jobs::Status;

/// Why the scene failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SceneError {
    /// A file or a process failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A call of the service failed.
    #[error("failed to {0}")]
    Call(#[from] ClientError),
    /// A job failed or has an unexpected result.
    #[error("a job failed: {0}")]
    Job(String),
    /// A job did not end in time.
    #[error("a job is still {status:?} after {seconds} s")]
    NoEnd {
        /// The job's status at that time.
        status: Status,
        /// How long the scene waited.
        seconds: u64,
    },
    /// No interpreter for the job's program is installed.
    #[error(
        "there is neither python3 nor sh with awk to execute jobs; install one, or run `pilotlight demo warm-start`"
    )]
    NoInterpreter,
    /// The runner exited unexpectedly.
    #[error("the runner exited unexpectedly: {0}")]
    RunnerEnded(ExitStatus),
}
