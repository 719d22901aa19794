//! Why a call came to nothing, as a sentence that says what was asked of whom, and what to do. It never repeats
//! payloads or keys.

use std::fmt;

use pilotlight_core::limits::MAX_CLIENT_RESPONSE_BYTES;
use reqwest::StatusCode;

/// A call that came to nothing. Its text fits after "failed to".
#[derive(Debug)]
pub struct ClientError {
    /// What was asked, such as `submit a job`.
    pub(super) action: String,
    /// Of whom: the address of the service, without a password.
    pub(super) address: String,
    /// What went wrong.
    pub reason: Reason,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There is no connection; nothing was sent.
    Unreachable(String),
    /// The answer did not come, or broke off: whether it was done is not known.
    NoResponse(String),
    /// The service said no: its status, and its own sentence.
    Refused(u16, String),
    /// The answer is larger than any should be.
    TooLarge,
    /// The answer is not what this service says.
    InvalidResponse(String),
}

impl ClientError {
    /// The status of a refusal.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        match self.reason {
            Reason::Refused(status, _) => Some(status),
            Reason::Unreachable(_)
            | Reason::NoResponse(_)
            | Reason::TooLarge
            | Reason::InvalidResponse(_) => None,
        }
    }

    /// The service's own sentence, when it refused.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        match &self.reason {
            Reason::Refused(_, message) => Some(message),
            Reason::Unreachable(_)
            | Reason::NoResponse(_)
            | Reason::TooLarge
            | Reason::InvalidResponse(_) => None,
        }
    }

    /// Whether the same may go well later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self.reason {
            Reason::Unreachable(_) | Reason::NoResponse(_) => true,
            Reason::Refused(status, _) => matches!(status, 408 | 429 | 502..=504),
            Reason::TooLarge | Reason::InvalidResponse(_) => false,
        }
    }

    /// Whether it is certain that nothing was done, and the same may go well later.
    #[must_use]
    pub(super) const fn is_not_executed(&self) -> bool {
        match self.reason {
            Reason::Unreachable(_) => true,
            Reason::Refused(status, _) => matches!(status, 408 | 429),
            Reason::NoResponse(_) | Reason::TooLarge | Reason::InvalidResponse(_) => false,
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, address, reason } = self;
        write!(out, "{action} at {address}: ")?;
        match reason {
            Reason::Unreachable(why) => {
                write!(out, "{why}; is the service running there? --url or PILOTLIGHT_URL names another")
            }
            Reason::NoResponse(why) => write!(out, "the answer did not come ({why}); ask again"),
            Reason::Refused(status, message) => write!(out, "{message} ({status}){}", advice(*status)),
            Reason::TooLarge => write!(out, "the answer is larger than {MAX_CLIENT_RESPONSE_BYTES} bytes"),
            Reason::InvalidResponse(why) => {
                write!(out, "the answer is not one of Pilotlight ({why}); does --url name its address?")
            }
        }
    }
}

impl std::error::Error for ClientError {}

const fn advice(status: u16) -> &'static str {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::UNAUTHORIZED) => "; --key-file, PILOTLIGHT_KEY or PILOTLIGHT_KEY_FILE gives the key",
        Ok(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => "; ask again later",
        Ok(_) | Err(_) => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(reason: Reason) -> ClientError {
        ClientError { action: "submit a job".into(), address: "http://localhost:8080".into(), reason }
    }

    #[test]
    fn a_failure_names_the_action_the_address_and_the_advice() {
        for (reason, text) in [
            (
                Reason::Unreachable("connection refused".into()),
                "submit a job at http://localhost:8080: connection refused; is the service running there? --url or \
                 PILOTLIGHT_URL names another",
            ),
            (
                Reason::Refused(401, "no key".into()),
                "submit a job at http://localhost:8080: no key (401); --key-file, PILOTLIGHT_KEY or PILOTLIGHT_KEY_FILE \
                 gives the key",
            ),
            (
                Reason::Refused(404, "no such job".into()),
                "submit a job at http://localhost:8080: no such job (404)",
            ),
        ] {
            assert_eq!(failure(reason).to_string(), text);
        }
    }

    #[test]
    fn transient_failures_are_classified() {
        for (reason, passing, undone) in [
            (Reason::Unreachable(String::new()), true, true),
            (Reason::NoResponse(String::new()), true, false),
            (Reason::Refused(503, String::new()), true, false),
            (Reason::Refused(429, String::new()), true, true),
            (Reason::Refused(400, String::new()), false, false),
            (Reason::TooLarge, false, false),
            (Reason::InvalidResponse(String::new()), false, false),
        ] {
            let failure = failure(reason);
            assert_eq!((failure.is_transient(), failure.is_not_executed()), (passing, undone), "{failure}");
        }
    }
}
