//! What can happen, as plain values that name everybody by number, so that a history is a table and any part of it
//! is a history again: an event about somebody unknown changes nothing.

use std::fmt;
use std::time::Duration;

use pilotlight_core::delivery::AckMode;
use pilotlight_core::pool::Order;

/// What holds for a whole history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Which poll of a pool is next.
    pub order: Order,
    /// After how long clients give a poll up by themselves.
    pub timeout_ms: u64,
    /// Polls that may be parked at once.
    pub max_polls: usize,
    /// How long the acknowledged bytes of a dispatch may stand still.
    pub silence_ms: u64,
}

impl Settings {
    /// After how long clients give a poll up by themselves.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long the acknowledged bytes of a dispatch may stand still.
    #[must_use]
    pub const fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }
}

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A runner polls.
    Park {
        /// Names the poll; never used twice.
        poll: u32,
        /// Who polls.
        runner: u16,
        /// For which runs.
        pool: u8,
        /// How the pool's numbers are written.
        number_format: u8,
    },
    /// The poll's client is gone, and HTTP says so.
    Leave {
        /// Which.
        poll: u32,
    },
    /// The poll's client is gone, and only a look at the socket would tell.
    Die {
        /// Which.
        poll: u32,
    },
    /// A supervisor offers a run.
    Offer {
        /// Names the offer; never used twice.
        run: u32,
        /// Which polls fit.
        pool: u8,
        /// How the pool's numbers are written.
        number_format: u8,
        /// How much proof a dispatch needs.
        ack_mode: AckMode,
        /// Bytes of the run.
        bytes: u32,
    },
    /// The offer's turn to choose a poll, when that is its next step.
    SelectPoll {
        /// Which offer.
        run: u32,
    },
    /// Something is seen of the dispatch that the offer waits for.
    Observe {
        /// Which offer.
        run: u32,
        /// What.
        observation: Observation,
    },
    /// The offer that has its answer is entered in the books.
    FinishOffer {
        /// Which offer.
        run: u32,
    },
    /// The connection of a run that was told warm was reset before the program read it.
    Unread {
        /// Which offer.
        run: u32,
    },
    /// An operator retires runners.
    Retire {
        /// Whom.
        target: RetireTarget,
        /// For how long those who come back are turned away.
        within_ms: u64,
    },
    /// Housekeeping.
    Expire,
    /// The history is cleared.
    Clear,
    /// The service stops.
    Drain,
}

/// What is seen of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// Every byte is with the kernel.
    Written,
    /// So many more bytes were acknowledged. Nobody is told: it is found at the next look.
    Progress(u32),
    /// The runner's kernel acknowledged every byte.
    Acknowledged,
    /// The connection ended.
    ConnectionEnded,
    /// The time to look has come.
    Check,
}

/// Whom a retirement names, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetireTarget {
    /// Every runner of this pool's deployment.
    pub deployment_of: Option<u8>,
    /// Every runner of this pool's version.
    pub version_of: Option<u8>,
    /// This runner.
    pub runner: Option<u16>,
}

/// An event and its moment in microseconds. Moments may step back a little: callers read the clock before they
/// get their turn.
pub type TimedEvent = (u64, Event);

/// A history, printed as it would stand in a table test.
pub struct EventTable<'a>(pub &'a Settings, pub &'a [TimedEvent]);

/// Longer tables are printed without their middle; the seed has it.
const PRINTED_AT_EITHER_END: usize = 40;

impl fmt::Display for EventTable<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(settings, events) = self;
        let middle = PRINTED_AT_EITHER_END..events.len().saturating_sub(PRINTED_AT_EITHER_END);
        writeln!(out, "{settings:?}")?;
        for (place, (at, event)) in events.iter().enumerate() {
            if place == middle.start && !middle.is_empty() {
                writeln!(out, "    // ... {} more ...", middle.len())?;
            }
            if !middle.contains(&place) {
                writeln!(out, "    ({at}, {event:?}),")?;
            }
        }
        Ok(())
    }
}
