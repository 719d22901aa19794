//! Since when heartbeats could be received and stored without interruption. A runner counts as silent only for time in
//! which its heartbeats could have been received.

use std::time::Duration;

use crate::time::{Moment, Timestamp};

/// If the wall clock advances this much further than the monotonic clock, it was set, or the machine slept.
const CLOCK_JUMP: Duration = Duration::from_secs(5);

/// The time since which heartbeats could be received without interruption.
#[derive(Debug, Clone, Copy)]
pub struct HeartbeatWindow {
    since: Timestamp,
    checked_at: (Moment, Timestamp),
}

/// Whether the store could be written since the last update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreHealth {
    /// It could.
    Writable,
    /// It failed.
    Failed,
}

impl HeartbeatWindow {
    /// The window opens now.
    #[must_use]
    pub const fn open(at: Moment, now: Timestamp) -> Self {
        Self { since: now, checked_at: (at, now) }
    }

    /// Since when heartbeats could be received.
    #[must_use]
    pub const fn since(&self) -> Timestamp {
        self.since
    }

    /// Opens the window again after the store failed or the machine slept: heartbeats could not be recorded then, so
    /// missing ones do not prove that a runner is silent.
    pub fn update(&mut self, at: Moment, now: Timestamp, store: StoreHealth) {
        let (checked_at, wall) = self.checked_at;
        if store == StoreHealth::Failed || now.since(wall) > at.since(checked_at) + CLOCK_JUMP {
            self.since = now;
        }
        self.checked_at = (at, now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> (Moment, Timestamp) {
        (Moment::from_micros(seconds * 1_000_000), Timestamp::from_millis(1_000_000 + seconds * 1_000))
    }

    #[test]
    fn the_window_opens_again_after_a_failure_and_after_a_jump_of_the_wall_clock() {
        let jumped = |seconds, jump: u64| (at(seconds).0, at(seconds + jump).1);
        for (updates, since) in [
            (&[(at(10), StoreHealth::Writable), (at(20), StoreHealth::Writable)][..], at(0).1),
            (&[(at(10), StoreHealth::Failed), (at(20), StoreHealth::Writable)], at(10).1),
            (&[(jumped(10, 5), StoreHealth::Writable)], at(0).1),
            (&[(jumped(10, 6), StoreHealth::Writable)], at(16).1),
            (
                &[(jumped(10, 100), StoreHealth::Writable), (jumped(20, 100), StoreHealth::Writable)],
                at(110).1,
            ),
        ] {
            let (moment, now) = at(0);
            let mut window = HeartbeatWindow::open(moment, now);
            for ((moment, now), store) in updates {
                window.update(*moment, *now, *store);
            }
            assert_eq!(window.since(), since, "{updates:?}");
        }
    }
}
