//! Waits for a condition, with a deadline. The deadline is long: it ends a hang and measures nothing.

use std::time::{Duration, Instant};

/// A wait that takes longer is a hang. A loaded machine needs a small part of it.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// The time between two checks: short in comparison with the events that tests wait for, and long enough to leave the
/// processor to other processes.
const CHECK_EVERY: Duration = Duration::from_millis(2);

/// Waits until the condition holds, and panics at the deadline. Returns how long that took.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) -> Duration {
    let started = Instant::now();
    wait_for(what, || condition().then_some(()));
    started.elapsed()
}

/// Waits until `get` returns a value, and panics at the deadline.
pub fn wait_for<T>(what: &str, mut get: impl FnMut() -> Option<T>) -> T {
    try_wait_for(&mut get).unwrap_or_else(|| panic!("not within {DEADLINE:?}: {what}"))
}

/// Waits until `get` returns a value; `None` at the deadline. For callers that must not panic, or that panic with a
/// longer message.
pub fn try_wait_for<T>(get: impl FnMut() -> Option<T>) -> Option<T> {
    try_wait_for_at_most(DEADLINE, get)
}

/// Waits until `get` returns a value; `None` after `deadline`.
pub fn try_wait_for_at_most<T>(deadline: Duration, mut get: impl FnMut() -> Option<T>) -> Option<T> {
    let started = Instant::now();
    loop {
        let found = get();
        if found.is_some() || started.elapsed() >= deadline {
            return found;
        }
        pause(CHECK_EVERY);
    }
}

/// [`wait_until`] for an asynchronous condition.
pub async fn wait_until_async(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let checks = async {
        while !condition().await {
            tokio::time::sleep(CHECK_EVERY).await;
        }
    };
    tokio::time::timeout(DEADLINE, checks)
        .await
        .unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"));
}

/// Sleeps, in tests that need a certain time to pass: a link that is dark for some seconds, load with gaps. It must not
/// be used to wait for an event.
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}
