//! Sentences of the log that could be very many, as when the store does not answer: one a second is written, with the
//! number of those that were not.

use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Between two of a kind.
const EVERY: Duration = Duration::from_secs(1);

/// One kind of sentence.
#[derive(Debug)]
pub struct Seldom(Mutex<Said>);

#[derive(Debug)]
struct Said {
    at: Option<Instant>,
    unsaid: u64,
}

impl Seldom {
    /// Never said so far.
    #[must_use]
    pub const fn new() -> Self {
        Self(Mutex::new(Said { at: None, unsaid: 0 }))
    }

    /// Whether to say it now: how many were not said since the last. Else it is counted.
    pub fn now(&self) -> Option<u64> {
        self.0.lock().expect("nothing panics under this lock").once_more(Instant::now())
    }
}

impl Default for Seldom {
    fn default() -> Self {
        Self::new()
    }
}

impl Said {
    fn once_more(&mut self, now: Instant) -> Option<u64> {
        if self.at.is_some_and(|at| now.saturating_duration_since(at) < EVERY) {
            self.unsaid += 1;
            return None;
        }
        self.at = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_a_second_is_said_and_the_others_are_counted() {
        let mut said = Said { at: None, unsaid: 0 };
        let began = Instant::now();
        let mut at = |millis| said.once_more(began + Duration::from_millis(millis));
        assert_eq!([at(0), at(1), at(999)], [Some(0), None, None]);
        assert_eq!([at(1000), at(1001)], [Some(2), None]);
        assert_eq!([at(9000), at(9001)], [Some(1), None]);
    }
}
