//! Returns freed memory to the system. Memory that one thread frees for another stays with the other thread until
//! that thread allocates again, so after a flood of connections idle threads would keep it for ever. Each worker
//! thread therefore collects before it goes to sleep (docs/decisions/0006).
#![cfg_attr(feature = "mimalloc", allow(unsafe_code, reason = "the allocator's call has no safe wrapper"))]

use std::cell::Cell;
use std::time::{Duration, Instant};

/// The shortest interval between two collections of a thread: often enough that memory figures are current, seldom
/// enough to cost nothing.
const COLLECT_INTERVAL: Duration = Duration::from_secs(1);

thread_local! {
    static LAST_COLLECT: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Returns the memory that this thread no longer needs; called when the thread has nothing to do.
pub(crate) fn collect_if_due() {
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
