//! How far another clock is ahead of ours, by looks at it, so that instances on several machines go by one time: that of
//! their database. A look takes a while, and nobody knows when in between the other clock was read; so half of the while
//! is how wrong it may be, and a look that took long, or tells nothing that is not known better, changes nothing.

use std::time::Duration;

use crate::limits::SKEW_LOOK_WITHIN;
use crate::time::{Epoch, millis};

/// How many milliseconds the other clock is ahead of ours; below zero when it is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Skew(i64);

/// A look at the other clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// When it was asked, by our clock.
    pub asked_at: Epoch,
    /// How long the answer took.
    pub took: Duration,
    /// The answer.
    pub theirs: Epoch,
}

impl Skew {
    /// So many milliseconds ahead.
    #[must_use]
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// In milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// What is known after a look. The first one is believed however long it took: nothing is known better.
    #[must_use]
    pub fn after(known: Option<Self>, look: &Look) -> Self {
        let seen = look.tells();
        match known {
            Some(known) if look.took > SKEW_LOOK_WITHIN || look.may_be(known, seen) => known,
            Some(_) | None => seen,
        }
    }

    /// The other clock's time when ours says this.
    #[must_use]
    pub fn theirs(self, ours: Epoch) -> Epoch {
        Epoch::from_millis(ours.as_millis().saturating_add_signed(self.0))
    }
}

impl Look {
    fn tells(&self) -> Skew {
        let ours = self.asked_at.after(self.took / 2).as_millis();
        // Both are below 2^53.
        Skew(self.theirs.as_millis().cast_signed() - ours.cast_signed())
    }

    /// Whether this look may be of a clock that is ahead as it is known. Milliseconds are cut off on both sides.
    fn may_be(&self, known: Skew, seen: Skew) -> bool {
        known.0.abs_diff(seen.0) <= millis(self.took / 2) + 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A look at a clock that is ahead by so much and was read so long after it was asked.
    fn look(ahead: i64, took: u64, read_after: u64) -> Look {
        let asked_at = Epoch::from_millis(1_700_000_000_000);
        let theirs = Skew(ahead).theirs(asked_at.after(Duration::from_millis(read_after)));
        Look { asked_at, took: Duration::from_millis(took), theirs }
    }

    #[test]
    fn what_is_known_is_never_wrong_by_more_than_half_of_what_the_look_took() {
        for ahead in [-3_600_000, -2500, -1, 0, 1, 700, 86_400_000] {
            for (took, read_after) in [(0, 0), (1, 0), (1, 1), (20, 3), (200, 0), (200, 200), (9000, 9000)] {
                let Skew(known) = Skew::after(None, &look(ahead, took, read_after));
                assert!(known.abs_diff(ahead) <= took / 2 + 1, "{ahead} {took} {read_after}: {known}");
            }
        }
    }

    #[test]
    fn a_look_that_took_long_tells_only_who_knows_nothing() {
        let long = look(500, 5000, 2500);
        assert_eq!(Skew::after(None, &long), Skew(500));
        assert_eq!(Skew::after(Some(Skew(7)), &long), Skew(7));
    }

    #[test]
    fn time_does_not_tremble_with_what_a_look_cannot_tell() {
        let mut known = Skew::after(None, &look(100, 2, 1));
        for (took, read_after) in [(40, 0), (40, 40), (3, 3), (100, 90), (1, 0)] {
            known = Skew::after(Some(known), &look(100, took, read_after));
            assert_eq!(known, Skew(100), "{took} {read_after}");
        }
    }

    #[test]
    fn a_clock_that_is_set_is_followed() {
        let known = Skew::after(Some(Skew(100)), &look(-4000, 2, 1));
        assert_eq!(known, Skew(-4000));
        assert_eq!(Skew::after(Some(known), &look(100, 2, 1)), Skew(100));
    }

    #[test]
    fn instances_whose_clocks_are_hours_apart_say_the_same_time() {
        let theirs = Epoch::from_millis(1_700_000_000_000);
        let says = |ahead: i64, took: u64, read_after: u64| {
            let own = |at: Epoch| Skew(-ahead).theirs(at);
            let (took, read_after) = (Duration::from_millis(took), Duration::from_millis(read_after));
            let look = Look { asked_at: own(theirs.before(read_after)), took, theirs };
            let later = theirs.after(Duration::from_secs(3));
            Skew::after(None, &look).theirs(own(later)).as_millis()
        };
        let fast = says(-7_200_000, 200, 180);
        let slow = says(7_200_000, 30, 2);
        assert!(fast.abs_diff(slow) < 120, "{fast} {slow}");
    }

    #[test]
    fn no_time_is_before_1970() {
        assert_eq!(Skew(-5).theirs(Epoch::from_millis(3)), Epoch::from_millis(0));
        assert_eq!(Skew(i64::MAX).theirs(Epoch::LAST), Epoch::LAST);
    }
}
