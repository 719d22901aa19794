//! The `date` header of responses that are written without hyper. It is formatted once a second per thread.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// The value of a `date` header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Date {
    second: u64,
    text: [u8; LENGTH],
}

/// The length of a date such as `Sun, 06 Nov 1994 08:49:37 GMT`, in bytes.
const LENGTH: usize = 29;

thread_local! {
    static LATEST: Cell<Option<Date>> = const { Cell::new(None) };
}

impl Date {
    /// The current time.
    #[must_use]
    pub(crate) fn now() -> Self {
        let second = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        LATEST.with(|latest| match latest.get() {
            Some(date) if date.second == second => date,
            Some(_) | None => {
                let date = Self::at(second);
                latest.set(Some(date));
                date
            }
        })
    }

    /// The date in the format of HTTP (RFC 9110, 5.6.7).
    #[must_use]
    pub(crate) const fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    fn at(second: u64) -> Self {
        let formatted = HttpDate::from(UNIX_EPOCH + Duration::from_secs(second)).to_string();
        let mut text = [b' '; LENGTH];
        text[..formatted.len()].copy_from_slice(formatted.as_bytes());
        Self { second, text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_the_format_of_http() {
        assert_eq!(Date::at(784_111_777).as_bytes(), b"Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
