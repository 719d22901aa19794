//! How a command fails, and the end of the process: the message on stderr and the exit code.

use std::fmt::Display;
use std::process::ExitCode;

use pilotlight_client::ClientError;

use super::exit_code::Code;
use super::messages;

/// How a command can fail.
pub(super) enum Failure {
    /// With this exit code; the error is already printed, or there is no reader for it.
    Reported(Code),
    /// With an error that is still to be printed; [`finish`] chooses the code.
    Other(anyhow::Error),
}

impl Failure {
    /// Prints `why` to stderr and returns the failure with this exit code.
    pub(super) fn report(code: Code, why: impl Display) -> Self {
        messages::note(format_args!("pilotlight: {why}"));
        Self::Reported(code)
    }
}

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Other(error.into())
    }
}

/// Prints an error that is not printed yet, and returns the exit code of the process.
pub(super) fn finish(ended: Result<(), Failure>) -> ExitCode {
    let code = match ended {
        Ok(()) => Code::Done,
        Err(Failure::Reported(code)) => code,
        Err(Failure::Other(error)) => match error.downcast_ref::<ClientError>() {
            Some(failure) => {
                messages::note(format_args!("pilotlight: failed to {failure}"));
                Code::for_client_failure(failure)
            }
            None => {
                messages::note(format_args!("pilotlight: {error:#}"));
                Code::Failed
            }
        },
    };
    ExitCode::from(code.info().number)
}
