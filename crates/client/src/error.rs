//! The error of a failed call: its text names the call, the service's address, the reason, and what the user can do. It
//! must never contain payloads or keys.

use std::fmt;

use pilotlight_core::limits::MAX_CLIENT_RESPONSE_BYTES;
use reqwest::StatusCode;

/// A failed call. Its text fits after "failed to".
#[derive(Debug)]
pub struct ClientError {
    /// The action of the call, such as `submit a job`.
    pub(super) action: String,
    /// The address of the service, without a password.
    pub(super) address: String,
    /// Why the call failed.
    pub reason: Reason,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The connection failed; nothing was sent.
    Unreachable(String),
    /// The response did not arrive or is incomplete; the service may or may not have executed the call.
    NoResponse(String),
    /// The service refused the call: the HTTP status and the service's message.
    Refused(u16, String),
    /// The response is larger than [`MAX_CLIENT_RESPONSE_BYTES`].
    TooLarge,
    /// The response is not a valid response of this API.
    InvalidResponse(String),
}

impl ClientError {
    /// The HTTP status, if the service refused the call.
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

    /// The service's message, if it refused the call.
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

    /// Whether the same call may succeed later.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self.reason {
            Reason::Unreachable(_) | Reason::NoResponse(_) => true,
            Reason::Refused(status, _) => matches!(status, 408 | 429 | 502..=504),
            Reason::TooLarge | Reason::InvalidResponse(_) => false,
        }
    }

    /// Whether it is certain that the service did nothing, and the same call may succeed later.
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
                write!(
                    out,
                    "{why}; is the service running there? --url or PILOTLIGHT_URL sets another address"
                )
            }
            Reason::NoResponse(why) => write!(out, "no response arrived ({why}); try again"),
            Reason::Refused(status, message) => write!(out, "{message} ({status}){}", advice(*status)),
            Reason::TooLarge => write!(out, "the response is larger than {MAX_CLIENT_RESPONSE_BYTES} bytes"),
            Reason::InvalidResponse(why) => {
                write!(out, "the response is not from a Pilotlight service ({why}); is --url its address?")
            }
        }
    }
}

impl std::error::Error for ClientError {}

const fn advice(status: u16) -> &'static str {
    match StatusCode::from_u16(status) {
        Ok(StatusCode::UNAUTHORIZED) => {
            "; set the API key with --key-file, PILOTLIGHT_KEY or PILOTLIGHT_KEY_FILE"
        }
        Ok(StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) => "; try again later",
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
                 PILOTLIGHT_URL sets another address",
            ),
            (
                Reason::Refused(401, "no key".into()),
                "submit a job at http://localhost:8080: no key (401); set the API key with --key-file, \
                 PILOTLIGHT_KEY or PILOTLIGHT_KEY_FILE",
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
        for (reason, transient, not_executed) in [
            (Reason::Unreachable(String::new()), true, true),
            (Reason::NoResponse(String::new()), true, false),
            (Reason::Refused(503, String::new()), true, false),
            (Reason::Refused(429, String::new()), true, true),
            (Reason::Refused(400, String::new()), false, false),
            (Reason::TooLarge, false, false),
            (Reason::InvalidResponse(String::new()), false, false),
        ] {
            let failure = failure(reason);
            assert_eq!(
                (failure.is_transient(), failure.is_not_executed()),
                (transient, not_executed),
                "{failure}"
            );
        }
    }
}
