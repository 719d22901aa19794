//! Waiting for a condition with a deadline. The deadline is generous: it ends a hang, it measures nothing.

use std::time::{Duration, Instant};

/// After this a test hangs. A loaded machine needs a small part of it.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Between two looks: short beside what is waited for, long enough to leave the cores to those who are waited for.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Looks until `get` has something, or panics at the deadline.
pub(crate) fn until_some<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    within_the_deadline(&mut get).unwrap_or_else(|| panic!("waited {DEADLINE:?} in vain: {what}"))
}

/// Looks until `get` has something, or the deadline is over: for what must not panic.
pub(crate) fn within_the_deadline<T>(mut get: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        let found = get();
        if found.is_some() || started.elapsed() >= DEADLINE {
            return found;
        }
        pause(LOOK_EVERY);
    }
}

/// Looks until it is so, or panics at the deadline. Returns how long that took.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    until_some(what, || is_so().then_some(()));
    started.elapsed()
}

/// Lets time pass where time itself is the scene: a link that has been dark for so long, load with gaps. Never to
/// wait for somebody.
#[expect(clippy::disallowed_methods, reason = "tests block their own threads, which serve nobody")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
