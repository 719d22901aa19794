//! Every exit code, what it means and what to do about it: one table, which `pilotlight explain` prints, `docs/cli.md`
//! holds, and every command ends by. A code never changes its meaning.

use std::process::ExitCode;

use super::command::Failure;
use super::output;
use crate::client::{self, Reason};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// It did what it was asked to.
    Done,
    /// What it was asked about is not so, or it failed in a way that has no code of its own.
    Failed,
    /// The command line, the configuration or what was sent is wrong.
    Usage,
    /// There is no service, or no answer.
    Unreachable,
    /// The service does not let this caller do it.
    Refused,
    /// What was named does not exist.
    NotFound,
    /// The time that was given is over.
    TimedOut,
    /// The service cannot do it at present.
    NotNow,
    /// Somebody pressed Ctrl-C.
    Interrupted,
    /// Nobody reads what it prints any more.
    Closed,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct CodeInfo {
    pub(super) number: u8,
    /// One word, which `explain` takes as well.
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) advice: &'static str,
}

impl Code {
    /// All of them, in the order of their numbers.
    pub(super) const ALL: [Self; 10] = [
        Self::Done,
        Self::Failed,
        Self::Usage,
        Self::Unreachable,
        Self::Refused,
        Self::NotFound,
        Self::TimedOut,
        Self::NotNow,
        Self::Interrupted,
        Self::Closed,
    ];

    pub(super) const fn info(self) -> CodeInfo {
        let (number, name, meaning, advice) = match self {
            Self::Done => (
                0,
                "done",
                "It is done, and what was asked about is so: the job has its result, the service is well, the store is sound.",
                "Nothing.",
            ),
            Self::Failed => (
                1,
                "failed",
                "What was asked about is not so: the job failed or cannot be cancelled any more, the service is not well, the \
                 store is not sound. Also every failure without a code of its own.",
                "The last line on stderr says which. Of a job, `pilotlight jobs show ID` tells all, and `pilotlight jobs retry \
                 ID` runs it again.",
            ),
            Self::Usage => (
                2,
                "usage",
                "The command line or the configuration is wrong, or the service calls the request wrong: parameters that are \
                 no JSON or too large, a name that is too long. Nothing was done.",
                "Correct it; repeating does not help. `--help` behind any command says what is allowed.",
            ),
            Self::Unreachable => (
                3,
                "unreachable",
                "No Pilotlight answered: there is no connection, it broke off before the answer, or something else listens \
                 there. When it broke off, whether the request was carried out is not known.",
                "See whether the service runs (`pilotlight health --url ..`) and whether --url or PILOTLIGHT_URL names it. A \
                 submission may be repeated: it finds itself.",
            ),
            Self::Refused => (
                4,
                "refused",
                "The service does not let this caller do it: there is no key, it is not one for this, or without keys the call \
                 comes from another machine.",
                "Give the key by PILOTLIGHT_KEY, PILOTLIGHT_KEY_FILE or --key-file. Submitting, tailing and cancelling take a \
                 submit key; listing, showing and counting an admin or a runner key; retrying and deleting an admin key.",
            ),
            Self::NotFound => (
                5,
                "not-found",
                "There is no such job: it was never submitted, was deleted, or is not kept any more.",
                "Look for it with `pilotlight jobs list`. How long ended jobs are kept is `jobs.keep_for` of the service.",
            ),
            Self::TimedOut => (
                6,
                "timed-out",
                "The time given with --timeout is over and the job has not ended. It goes on.",
                "`pilotlight jobs tail ID` waits on; `pilotlight jobs cancel ID` ends it. See whether a runner does this type of \
                 job: `pilotlight status`.",
            ),
            Self::NotNow => (
                7,
                "not-now",
                "The service cannot do it at present: too many requests, no room, or its store does not answer.",
                "Ask again later; a submission may be repeated, because it finds itself.",
            ),
            Self::Interrupted => (
                130,
                "interrupted",
                "Ctrl-C or SIGTERM ended the command. The job goes on, unless --cancel-on-interrupt was given.",
                "`pilotlight jobs tail ID` waits on; `pilotlight jobs cancel ID` ends it.",
            ),
            Self::Closed => (
                141,
                "closed",
                "Whoever read the output closed it, as `head` does when it has enough. The rest was not written.",
                "Nothing.",
            ),
        };
        CodeInfo { number, name, meaning, advice }
    }

    /// By its number or its name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| {
            let info = code.info();
            info.name == text || text.parse() == Ok(info.number)
        })
    }

    /// What a call of the service that came to nothing ends with.
    fn for_client_failure(failure: &client::ClientError) -> Self {
        match failure.reason {
            Reason::Unreachable(_) | Reason::NoResponse(_) | Reason::InvalidResponse(_) => Self::Unreachable,
            Reason::TooLarge => Self::Failed,
            Reason::Refused(400 | 413, _) => Self::Usage,
            Reason::Refused(401 | 403, _) => Self::Refused,
            Reason::Refused(404, _) => Self::NotFound,
            Reason::Refused(408 | 429 | 500.., _) => Self::NotNow,
            Reason::Refused(_, _) => Self::Failed,
        }
    }
}

/// Tells people what is left to tell, and turns the end of a command into what the process ends with.
pub(super) fn finish(ended: Result<(), Failure>) -> ExitCode {
    let code = match ended {
        Ok(()) => Code::Done,
        Err(Failure::Reported(code)) => code,
        Err(Failure::Other(error)) => match error.downcast_ref::<client::ClientError>() {
            Some(failure) => {
                output::note(format_args!("pilotlight: failed to {failure}"));
                Code::for_client_failure(failure)
            }
            None => {
                output::note(format_args!("pilotlight: {error:#}"));
                Code::Failed
            }
        },
    };
    ExitCode::from(code.info().number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_parsed_from_its_number_and_its_name() {
        for code in Code::ALL {
            let info = code.info();
            assert_eq!(Code::parse(info.name), Some(code));
            assert_eq!(Code::parse(&info.number.to_string()), Some(code));
        }
        for wrong in ["", "8", "-1", "Done", "256"] {
            assert_eq!(Code::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn code_numbers_are_unique_and_increasing() {
        assert!(Code::ALL.is_sorted_by(|one, next| one.info().number < next.info().number));
    }
}
