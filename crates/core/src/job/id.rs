//! The ids of jobs and of leases.

use std::fmt;
use std::str::FromStr;

use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid};

use crate::time::Timestamp;

/// The id of a job: 128 bits, formatted as a UUID of version 7 (RFC 9562), so that later jobs sort after earlier ones.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(Uuid);

/// The text is not a job id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a job id such as 0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e")]
pub struct InvalidJobId;

impl JobId {
    /// The id of a job that is submitted `at`; `random` must not repeat within a millisecond.
    #[must_use]
    pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
        Self(Builder::from_unix_timestamp_millis(at.as_millis(), &random).into_uuid())
    }

    /// An id from its stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    /// The id's bytes, as they are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl FromStr for JobId {
    type Err = InvalidJobId;

    fn from_str(text: &str) -> Result<Self, InvalidJobId> {
        // The parser of `uuid` also accepts texts without hyphens, in braces and with the prefix `urn:uuid:`.
        if text.len() != Hyphenated::LENGTH {
            return Err(InvalidJobId);
        }
        Uuid::try_parse(text).map(Self).map_err(|_| InvalidJobId)
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

impl fmt::Debug for JobId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

/// The right to execute a job. Each new lease of a job has a higher number than the previous ones, and makes them
/// invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct LeaseId(u64);

impl LeaseId {
    /// The lease with this number; 0 is before the first lease.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of the lease.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    pub(super) const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for LeaseId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_and_reads_back() {
        let id = JobId::new(Timestamp::from_millis(0x0192_f0c1_5a3e), [0xff; 10]);
        assert_eq!(id.to_string(), "0192f0c1-5a3e-7fff-bfff-ffffffffffff");
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        assert_eq!(JobId::from_bytes(*id.as_bytes()), id);
        assert_eq!(id.as_bytes()[..7], [0x01, 0x92, 0xf0, 0xc1, 0x5a, 0x3e, 0x7f]);
    }

    #[test]
    fn later_jobs_sort_after_earlier_ones() {
        let at = |millis, random| JobId::new(Timestamp::from_millis(millis), [random; 10]);
        assert!(at(1, 0xff) < at(2, 0));
    }

    #[test]
    fn invalid_texts_are_rejected() {
        for text in [
            "",
            "1",
            "0192f0c1-5a3e-7fff-bfff-fffffffffff",
            "0192f0c1-5a3e-7fff-bfff-ffffffffffff0",
            "0192f0c15-a3e-7fff-bfff-ffffffffffff",
            "0192f0c1-5a3e-7fff-bfff-fffffffffffg",
            "0192f0c1-5a3e-7fff-bfff-ffffffffff\u{e9}",
            "+192f0c1-5a3e-7fff-bfff-ffffffffffff",
            "0192f0c15a3e7fffbfffffffffffffff",
            "{0192f0c1-5a3e-7fff-bfff-ffffffffffff}",
            "urn:uuid:0192f0c1-5a3e-7fff-bfff-ffffffffffff",
        ] {
            assert_eq!(text.parse::<JobId>(), Err(InvalidJobId), "{text}");
        }
    }
}
