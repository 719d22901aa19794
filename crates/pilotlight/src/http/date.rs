//! The `date` header of answers that are written without HTTP's machinery, formatted once a second.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use httpdate::HttpDate;

/// A `date` header's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Date {
    second: u64,
    text: [u8; LENGTH],
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const LENGTH: usize = 29;

thread_local! {
    static LATEST: Cell<Option<Date>> = const { Cell::new(None) };
}

impl Date {
    /// The present.
    #[must_use]
    pub fn now() -> Self {
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

    /// As the standard writes it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8] {
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
    fn a_date_is_written_as_the_standard_says() {
        assert_eq!(Date::at(784_111_777).as_bytes(), b"Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
