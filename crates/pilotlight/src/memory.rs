//! Gives memory back. What one thread frees of another's stays with that other until it allocates again, so after a
//! flood of connections idle threads would keep it for ever. Each worker tidies up before it goes to sleep.
#![cfg_attr(feature = "mimalloc", allow(unsafe_code, reason = "the allocator's call has no safe wrapper"))]

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Often enough for whoever looks at memory, seldom enough to cost nothing.
const COLLECT_INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    static LAST_COLLECT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Gives back what this thread no longer needs; to be called when it has nothing to do.
pub fn collect_if_due() {
    LAST_COLLECT.with(|last| {
        if last.get().is_none_or(|last| last.elapsed() >= COLLECT_INTERVAL) {
            last.set(Some(Instant::now()));
            collect();
        }
    });
}

#[cfg(feature = "mimalloc")]
fn collect() {
    // SAFETY: mimalloc's own thread-safe call; it takes no pointer.
    unsafe { libmimalloc_sys::mi_collect(false) }
}

#[cfg(not(feature = "mimalloc"))]
const fn collect() {}
