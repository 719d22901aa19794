//! Whether another job may wait, mostly without asking: what waited a moment ago is remembered, and what this instance
//! took since comes to it. Nothing is refused by that memory: before a refusal the database is asked. Several instances
//! together go beyond the bound by what the others took within that moment.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pilotlight_core::job::{Full, Room, Waiting};

/// After it the database is asked again. Runners make room meanwhile, which is found out when it is needed.
const KNOWN_FOR: Duration = Duration::from_millis(100);

/// What is known of what waits.
#[derive(Debug)]
pub(super) struct Known {
    room: Room,
    last: Mutex<Option<(Instant, Waiting)>>,
}

impl Known {
    /// Nothing yet.
    pub(super) const fn new(room: Room) -> Self {
        Self { room, last: Mutex::new(None) }
    }

    /// Whether a job of this size surely may wait, which then does.
    pub(super) fn has_some_for(&self, bytes: u64, now: Instant) -> bool {
        if !self.room.is_bounded() {
            return true;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match last.as_mut() {
            Some((asked_at, waiting)) if now.duration_since(*asked_at) < KNOWN_FOR => {
                self.room.take(*waiting).is_ok_and(|()| {
                    *waiting = with(*waiting, bytes);
                    true
                })
            }
            Some(_) | None => false,
        }
    }

    /// What waits now, and whether a job of this size may as well, which then does.
    pub(super) fn learn(&self, waiting: Waiting, bytes: u64, now: Instant) -> Result<(), Full> {
        let taken = self.room.take(waiting);
        let waiting = if taken.is_ok() { with(waiting, bytes) } else { waiting };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, waiting));
        taken
    }
}

const fn with(waiting: Waiting, bytes: u64) -> Waiting {
    Waiting { jobs: waiting.jobs + 1, bytes: waiting.bytes + bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: Room = Room { jobs: 2, bytes: 0 };

    #[test]
    fn what_is_remembered_lets_in_and_never_refuses() {
        let (known, now) = (Known::new(TWO), Instant::now());
        assert!(!known.has_some_for(1, now), "nothing is known");
        assert_eq!(known.learn(Waiting::default(), 1, now), Ok(()));
        assert!(known.has_some_for(1, now), "the second");
        assert!(!known.has_some_for(1, now), "it has to ask");
        assert_eq!(known.learn(Waiting { jobs: 2, bytes: 2 }, 1, now), Err(Full::Jobs(2)));
        assert_eq!(known.learn(Waiting { jobs: 1, bytes: 1 }, 1, now), Ok(()));
    }

    #[test]
    fn what_was_known_a_while_ago_is_asked_again() {
        let (known, now) = (Known::new(TWO), Instant::now());
        assert_eq!(known.learn(Waiting::default(), 1, now), Ok(()));
        assert!(!known.has_some_for(1, now + KNOWN_FOR));
    }

    #[test]
    fn without_a_bound_nobody_asks() {
        assert!(Known::new(Room::default()).has_some_for(u64::MAX, Instant::now()));
    }
}
