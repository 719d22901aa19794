//! The open sessions of operators who signed in on the dashboard page, and recent failed sign-ins. They are in memory
//! only: after a restart operators sign in again.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

use hyper::header::{COOKIE, HeaderMap};
use pilotlight_core::access;
use pilotlight_core::limits::{MAX_FAILED_SIGN_INS_PER_SECOND, MAX_SESSIONS, SESSION_LIFETIME};
use pilotlight_core::time::Moment;
use subtle::ConstantTimeEq;

use crate::http::key_hash::{KeyHash, hash};

/// The header in which the page sends its CSRF token.
const TOKEN_HEADER: &str = "x-csrf-token";

/// The name of the session cookie.
pub(super) const COOKIE_NAME: &str = "pilotlight_session";

/// The open sessions, the oldest first, and recent failed sign-ins.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    open: Mutex<VecDeque<OpenSession>>,
    failures: Mutex<Failures>,
}

/// The number of wrong keys in the current second.
#[derive(Debug, Default)]
struct Failures {
    second: u64,
    count: u32,
}

#[derive(Debug)]
struct OpenSession {
    cookie: KeyHash,
    token: String,
    until: Moment,
}

/// The secrets of a session that was just opened.
pub(super) struct NewSession {
    pub(super) cookie: String,
    pub(super) token: String,
}

impl Sessions {
    /// The session that these headers belong to, and whether they have its CSRF token.
    #[must_use]
    pub(crate) fn presented(&self, headers: &HeaderMap, now: Moment) -> access::SessionState {
        match (self.token(headers, now), headers.get(TOKEN_HEADER)) {
            (None, _) => access::SessionState::None,
            (Some(token), Some(sent)) if bool::from(token.as_bytes().ct_eq(sent.as_bytes())) => {
                access::SessionState::WithCsrfToken
            }
            (Some(_), _) => access::SessionState::Open,
        }
    }

    /// The CSRF token of the session that these headers belong to.
    pub(super) fn token(&self, headers: &HeaderMap, now: Moment) -> Option<String> {
        let cookie = hash(cookie(headers)?);
        let mut open = self.lock();
        open.retain(|session| now < session.until);
        open.iter().find(|session| bool::from(session.cookie.ct_eq(&cookie))).map(|open| open.token.clone())
    }

    /// Opens a session; the oldest one is closed when there are too many.
    pub(super) fn open(&self, now: Moment) -> NewSession {
        let (cookie, token) = (random(), random());
        let mut open = self.lock();
        if open.len() == MAX_SESSIONS {
            open.pop_front();
        }
        open.push_back(OpenSession {
            cookie: hash(&cookie),
            token: token.clone(),
            until: now.after(SESSION_LIFETIME),
        });
        NewSession { cookie, token }
    }

    /// Counts a wrong key. Returns whether there were too many in this second: no person types so fast.
    pub(super) fn record_wrong_key(&self, now: Moment) -> bool {
        let mut failures = self.failures.lock().expect("nothing panics under this lock");
        let second = now.as_micros() / 1_000_000;
        if failures.second != second {
            *failures = Failures { second, count: 0 };
        }
        failures.count += 1;
        failures.count > MAX_FAILED_SIGN_INS_PER_SECOND
    }

    /// Closes the session that these headers belong to.
    pub(super) fn close(&self, headers: &HeaderMap) {
        if let Some(cookie) = cookie(headers).map(hash) {
            self.lock().retain(|session| session.cookie != cookie);
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<OpenSession>> {
        self.open.lock().expect("nothing panics under this lock")
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let pairs = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = pairs.flat_map(|pairs| pairs.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find_map(|(name, value)| (name == COOKIE_NAME).then_some(value))
}

/// 32 random bytes as 64 hexadecimal digits.
fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the operating system provides random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(cookie: &str, token: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, format!("a=b; {COOKIE_NAME}={cookie}; c=d").parse().unwrap());
        if let Some(token) = token {
            headers.insert(TOKEN_HEADER, token.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_session_is_recognized_by_its_cookie_and_token_and_ends() {
        let sessions = Sessions::default();
        let start = Moment::from_millis(5);
        let NewSession { cookie, token } = sessions.open(start);
        let presented = |cookie: &str, token| sessions.presented(&headers(cookie, token), start);
        assert_eq!(presented(&cookie, None), access::SessionState::Open);
        assert_eq!(presented(&cookie, Some(&token)), access::SessionState::WithCsrfToken);
        assert_eq!(presented(&cookie, Some("x")), access::SessionState::Open);
        assert_eq!(presented("x", Some(&token)), access::SessionState::None);
        let end = start.after(SESSION_LIFETIME);
        assert_eq!(sessions.presented(&headers(&cookie, None), end), access::SessionState::None);
    }

    #[test]
    fn signing_out_closes_the_session_and_opening_too_many_closes_the_oldest() {
        let sessions = Sessions::default();
        let now = Moment::from_millis(5);
        let first = sessions.open(now);
        let second = sessions.open(now);
        sessions.close(&headers(&second.cookie, None));
        assert_eq!(sessions.presented(&headers(&second.cookie, None), now), access::SessionState::None);
        assert_eq!(sessions.presented(&headers(&first.cookie, None), now), access::SessionState::Open);
        (0..MAX_SESSIONS).for_each(|_| _ = sessions.open(now));
        assert_eq!(sessions.presented(&headers(&first.cookie, None), now), access::SessionState::None);
    }
}
