//! The table of exit codes: number, name, meaning and advice. `pilotlight explain`, `docs/cli.md` and the exit of every
//! command use this table. A code must never change its meaning, because scripts rely on it.

use pilotlight_client::{ClientError, Reason};

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    /// The command succeeded.
    Done,
    /// A negative outcome (a failed job, an unhealthy service, an unsound store), or a failure without another code.
    Failed,
    /// The command line, the configuration or the request is invalid.
    Usage,
    /// No service answered.
    Unreachable,
    /// The service does not permit this request.
    Refused,
    /// The job does not exist.
    NotFound,
    /// The time of `--timeout` is over.
    TimedOut,
    /// The service cannot do it now; a later attempt may succeed.
    NotNow,
    /// Ctrl-C or SIGTERM ended the command.
    Interrupted,
    /// The reader of stdout closed it.
    Closed,
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct CodeInfo {
    pub(super) number: u8,
    /// A short name, which `pilotlight explain` accepts as well.
    pub(super) name: &'static str,
    pub(super) meaning: &'static str,
    pub(super) advice: &'static str,
}

impl Code {
    /// All codes, in the order of their numbers.
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
                "The command succeeded: the job has its result, the service is healthy, the store is sound.",
                "Nothing.",
            ),
            Self::Failed => (
                1,
                "failed",
                "The job failed or can no longer be cancelled, the service is not healthy, or the store is not sound. Also every \
                 failure that has no other code.",
                "Read the last line on stderr. For a job, `pilotlight jobs show ID` prints all details, and `pilotlight jobs \
                 retry ID` runs it again.",
            ),
            Self::Usage => (
                2,
                "usage",
                "The command line or the configuration is wrong, or the service refused the request as invalid: parameters \
                 that are not JSON or too large, a name that is too long. Nothing was done.",
                "Correct it; repeating the command does not help. `--help` after any command prints what is allowed.",
            ),
            Self::Unreachable => (
                3,
                "unreachable",
                "No Pilotlight service answered: the connection failed, it was closed before the answer, or another program \
                 listens there. If it was closed, the service may or may not have carried out the request.",
                "Check that the service runs (`pilotlight health --url ..`) and that --url or PILOTLIGHT_URL is its address. \
                 A submission may be repeated: it joins the equal job that is already there.",
            ),
            Self::Refused => (
                4,
                "refused",
                "The service does not permit this: the request has no API key, the key has no permission for it, or the \
                 service has no keys configured and the request comes from another machine.",
                "Set the API key with PILOTLIGHT_KEY, PILOTLIGHT_KEY_FILE or --key-file. Submitting, tailing and cancelling \
                 need a submit key; listing, showing and counting need an admin or a runner key; retrying and deleting \
                 need an admin key.",
            ),
            Self::NotFound => (
                5,
                "not-found",
                "There is no such job: it was never submitted, it was deleted, or its retention time is over.",
                "Look for it with `pilotlight jobs list`. The service deletes a job `jobs.keep_for` after its end.",
            ),
            Self::TimedOut => (
                6,
                "timed-out",
                "The time given with --timeout is over and the job has not ended. The job continues.",
                "`pilotlight jobs tail ID` waits again; `pilotlight jobs cancel ID` cancels the job. `pilotlight status` shows \
                 whether runners are active.",
            ),
            Self::NotNow => (
                7,
                "not-now",
                "The service cannot do it now: there are too many requests, its queue is full, or its store does not answer.",
                "Repeat the command later; a repeated submission joins the equal job that is already there.",
            ),
            Self::Interrupted => (
                130,
                "interrupted",
                "Ctrl-C or SIGTERM ended the command. The job continues, unless --cancel-on-interrupt was given.",
                "`pilotlight jobs tail ID` waits again; `pilotlight jobs cancel ID` cancels the job.",
            ),
            Self::Closed => (
                141,
                "closed",
                "The program that reads the output closed it, as `head` does. The rest of the output was not written.",
                "Nothing.",
            ),
        };
        CodeInfo { number, name, meaning, advice }
    }

    /// Finds a code by its number or its name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| {
            let info = code.info();
            info.name == text || text.parse() == Ok(info.number)
        })
    }

    /// The exit code for a failed call of the service.
    pub(super) fn for_client_failure(failure: &ClientError) -> Self {
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
