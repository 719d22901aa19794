//! Whether another job may wait, mostly without asking: what waited a moment ago is remembered, and what this instance
//! took since comes to it. Nothing is refused by that memory: before a refusal the database is asked. What is on its way
//! to the database at that moment is not seen, so a bound may be exceeded by a few for each connection, and by what other
//! instances took within the moment.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pilotlight_core::job::{QueueFull, QueueLimits, QueueUsage};

/// After it the database is asked again. Runners make room meanwhile, which is found out when it is needed.
const KNOWN_FOR: Duration = Duration::from_millis(100);

/// What is known of what waits.
#[derive(Debug)]
pub(super) struct Known {
    queue_limits: QueueLimits,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// All that this instance ever took.
    taken: QueueUsage,
    /// The last answer.
    last: Option<(Asked, QueueUsage)>,
}

/// A question about what waits: when it was asked, and what this instance had taken until then.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    at: Instant,
    taken: QueueUsage,
}

impl Known {
    /// Nothing yet.
    pub(super) fn new(queue_limits: QueueLimits) -> Self {
        Self { queue_limits, memory: Mutex::default() }
    }

    /// Takes a job of this size if it surely may wait; otherwise the database is to be asked.
    pub(super) fn take(&self, bytes: u64, now: Instant) -> Result<(), Asked> {
        if !self.queue_limits.is_bounded() {
            return Ok(());
        }
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        match memory.waiting(now).map(|waiting| self.queue_limits.check(waiting)) {
            Some(Ok(())) => {
                memory.take(bytes);
                Ok(())
            }
            Some(Err(_)) | None => Err(Asked { at: now, taken: memory.taken }),
        }
    }

    /// The database said that so much waits. Takes the job of this size if it may.
    pub(super) fn learn(&self, asked: Asked, waiting: QueueUsage, bytes: u64) -> Result<(), QueueFull> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer that was long on its way does not displace a younger one.
        if memory.last.is_none_or(|(last, _)| last.at <= asked.at) {
            memory.last = Some((asked, waiting));
        }
        self.queue_limits.check(waiting)?;
        memory.take(bytes);
        Ok(())
    }
}

impl Memory {
    /// What waits at most, as far as this instance knows: what it took and what was counted may be the same.
    fn waiting(&self, now: Instant) -> Option<QueueUsage> {
        let (asked, waiting) = self.last.filter(|(asked, _)| now.duration_since(asked.at) < KNOWN_FOR)?;
        Some(QueueUsage {
            jobs: waiting.jobs + (self.taken.jobs - asked.taken.jobs),
            bytes: waiting.bytes + (self.taken.bytes - asked.taken.bytes),
        })
    }

    fn take(&mut self, bytes: u64) {
        self.taken = QueueUsage { jobs: self.taken.jobs + 1, bytes: self.taken.bytes + bytes };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: QueueLimits = QueueLimits { jobs: 2, bytes: 0 };

    fn waiting(jobs: u64) -> QueueUsage {
        QueueUsage { jobs, bytes: jobs }
    }

    #[test]
    fn what_is_remembered_lets_in_and_never_refuses() {
        let (known, now) = (Known::new(TWO), Instant::now());
        let asked = known.take(1, now).expect_err("nothing is known");
        assert_eq!(known.learn(asked, waiting(0), 1), Ok(()));
        assert!(known.take(1, now).is_ok(), "the second");
        let asked = known.take(1, now).expect_err("it has to ask");
        assert_eq!(known.learn(asked, waiting(2), 1), Err(QueueFull::Jobs(2)));
        assert_eq!(known.learn(asked, waiting(1), 1), Ok(()));
    }

    #[test]
    fn what_was_known_a_while_ago_is_asked_again() {
        let (known, now) = (Known::new(TWO), Instant::now());
        let asked = known.take(1, now).unwrap_err();
        assert_eq!(known.learn(asked, waiting(0), 1), Ok(()));
        assert!(known.take(1, now + KNOWN_FOR).is_err());
    }

    #[test]
    fn what_was_taken_while_an_answer_was_on_its_way_is_not_forgotten() {
        let (known, now) = (Known::new(TWO), Instant::now());
        let (slow, quick) = (known.take(1, now).unwrap_err(), known.take(1, now).unwrap_err());
        assert_eq!(known.learn(quick, waiting(0), 1), Ok(()));
        assert_eq!(known.learn(slow, waiting(0), 1), Ok(()));
        assert!(known.take(1, now).is_err(), "two were taken since it asked");
    }

    #[test]
    fn without_a_bound_nobody_asks() {
        assert!(Known::new(QueueLimits::default()).take(u64::MAX, Instant::now()).is_ok());
    }
}
