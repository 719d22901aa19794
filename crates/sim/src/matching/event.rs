//! The events of a history, as plain values that refer to polls, runners, pools and offers by number. A history is a
//! list of events, and any part of it is also a valid history: an event about an unknown number changes nothing.

use std::fmt;
use std::time::Duration;

use pilotlight_core::delivery::AckMode;
use pilotlight_core::pool::Order;

/// Settings of a whole history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Which poll of a pool is selected next.
    pub order: Order,
    /// The timeout after which clients close their polls.
    pub timeout_ms: u64,
    /// Maximum number of parked polls.
    pub max_polls: usize,
    /// How long a dispatch may last without newly acknowledged bytes.
    pub silence_ms: u64,
}

impl Settings {
    /// The timeout after which clients close their polls.
    #[must_use]
    pub const fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// How long a dispatch may last without newly acknowledged bytes.
    #[must_use]
    pub const fn silence(&self) -> Duration {
        Duration::from_millis(self.silence_ms)
    }
}

/// One event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A runner polls.
    Park {
        /// The number of the poll; never used twice.
        poll: u32,
        /// The runner that polls.
        runner: u16,
        /// The pool of the poll.
        pool: u8,
        /// The text format of the pool's numbers.
        number_format: u8,
    },
    /// The poll's client has disconnected, and the HTTP layer reports it.
    Leave {
        /// The poll.
        poll: u32,
    },
    /// The poll's client has disconnected, and only a read of the socket would show it.
    Die {
        /// The poll.
        poll: u32,
    },
    /// A supervisor offers a run.
    Offer {
        /// The number of the offer; never used twice.
        run: u32,
        /// The pool of the run.
        pool: u8,
        /// The text format of the pool's numbers.
        number_format: u8,
        /// The acknowledgement that a dispatch needs.
        ack_mode: AckMode,
        /// Size of the run in bytes.
        bytes: u32,
    },
    /// The offer selects a poll, when that is its next step.
    SelectPoll {
        /// The offer.
        run: u32,
    },
    /// The driver observes the dispatch that the offer waits for.
    Observe {
        /// The offer.
        run: u32,
        /// The observation.
        observation: Observation,
    },
    /// The answered offer is recorded in the history.
    FinishOffer {
        /// The offer.
        run: u32,
    },
    /// The connection of a warm run was reset before the runner's program read the run.
    Unread {
        /// The offer.
        run: u32,
    },
    /// An operator retires runners.
    Retire {
        /// The runners.
        target: RetireTarget,
        /// How long their further polls are refused, in milliseconds.
        within_ms: u64,
    },
    /// Periodic cleanup.
    Expire,
    /// The history is cleared.
    Clear,
    /// The service begins its shutdown.
    Drain,
}

/// An observation of a dispatch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observation {
    /// All bytes were written to the socket.
    Written,
    /// This many more bytes were acknowledged. It is not reported as an event; the next progress check finds it.
    Progress(u32),
    /// The kernel of the runner's machine acknowledged all bytes.
    Acknowledged,
    /// The connection ended.
    ConnectionEnded,
    /// The time for the next progress check has come.
    Check,
}

/// The runners that a retirement applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetireTarget {
    /// Every runner of this pool's deployment.
    pub deployment_of: Option<u8>,
    /// Every runner of this pool's version.
    pub version_of: Option<u8>,
    /// This runner.
    pub runner: Option<u16>,
}

/// An event and its time in microseconds. The time may go back a little, because callers read the clock before they get
/// the lock.
pub type TimedEvent = (u64, Event);

/// A history, printed as a table for a test.
pub struct EventTable<'a>(pub &'a Settings, pub &'a [TimedEvent]);

/// Number of events that are printed at each end of a longer table. The seed reproduces the others.
const PRINTED_AT_EACH_END: usize = 40;

impl fmt::Display for EventTable<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(settings, events) = self;
        let middle = PRINTED_AT_EACH_END..events.len().saturating_sub(PRINTED_AT_EACH_END);
        writeln!(out, "{settings:?}")?;
        for (index, (at, event)) in events.iter().enumerate() {
            if index == middle.start && !middle.is_empty() {
                writeln!(out, "    // ... {} more ...", middle.len())?;
            }
            if !middle.contains(&index) {
                writeln!(out, "    ({at}, {event:?}),")?;
            }
        }
        Ok(())
    }
}
