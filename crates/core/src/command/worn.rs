//! When a process that is kept for the next job has done enough: after so many jobs, at an age, or when it grew.

use std::fmt;
use std::time::Duration;

/// How much a process may be used; `None` is without bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wear {
    /// Jobs that it does.
    pub jobs: Option<u64>,
    /// How old it becomes.
    pub age: Option<Duration>,
    /// Bytes that it grows by after its first job: that one loads what stays.
    pub growth: Option<u64>,
}

/// A process that is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Kept {
    /// Jobs that it did.
    pub jobs: u64,
    /// Resident bytes after its first job; 0 when nobody knows.
    pub first_bytes: u64,
    /// Resident bytes now; 0 when nobody knows.
    pub bytes: u64,
}

/// Why it is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Worn {
    /// It did as many jobs as it may.
    Jobs,
    /// It is old.
    Age,
    /// It grew.
    Growth,
}

impl Wear {
    /// Why the process is to be replaced before its next job, if it is.
    #[must_use]
    pub fn worn(&self, kept: &Kept, age: Duration) -> Option<Worn> {
        let grown = kept.bytes.saturating_sub(kept.first_bytes);
        let grew = kept.first_bytes > 0 && self.growth.is_some_and(|most| grown > most);
        if self.jobs.is_some_and(|most| kept.jobs >= most) {
            Some(Worn::Jobs)
        } else if self.age.is_some_and(|most| age >= most) {
            Some(Worn::Age)
        } else {
            grew.then_some(Worn::Growth)
        }
    }
}

impl Kept {
    /// It did one more job, and has so many bytes now.
    pub const fn did(&mut self, bytes: u64) {
        self.jobs += 1;
        self.bytes = bytes;
        if self.first_bytes == 0 {
            self.first_bytes = bytes;
        }
    }
}

impl fmt::Display for Worn {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Jobs => "did as many jobs as it may",
            Self::Age => "is as old as it may be",
            Self::Growth => "grew by more memory than it may",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_replaced_after_its_jobs_at_its_age_or_when_it_grew() {
        let second = Duration::from_secs(1);
        let wear = Wear { jobs: Some(3), age: Some(10 * second), growth: Some(100) };
        let free = Wear { jobs: None, age: None, growth: None };
        for (jobs, age, first, now, worn) in [
            (0, 0, 0, 0, None),
            (2, 9, 1000, 1100, None),
            (3, 0, 0, 0, Some(Worn::Jobs)),
            (1, 10, 0, 0, Some(Worn::Age)),
            (2, 1, 1000, 1101, Some(Worn::Growth)),
            (2, 1, 1000, 1, None),
            (2, 1, 0, 5000, None),
        ] {
            let kept = Kept { jobs, first_bytes: first, bytes: now };
            assert_eq!(wear.worn(&kept, age * second), worn, "{kept:?}");
            assert_eq!(free.worn(&kept, age * second), None);
        }
    }

    #[test]
    fn growth_is_counted_from_the_first_job_on() {
        let mut kept = Kept::default();
        kept.did(50);
        kept.did(70);
        assert_eq!(kept, Kept { jobs: 2, first_bytes: 50, bytes: 70 });
    }
}
