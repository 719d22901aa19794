//! Counts the panics on the product's threads, and hides panics while an input is shrunk. A fuzz target panics when a
//! rule does not hold; the product itself must never panic.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{panic, thread};

/// The name of every thread that the product runs on.
pub const PRODUCT_THREAD: &str = "product";

static PRODUCT_PANICS: AtomicUsize = AtomicUsize::new(0);
static QUIET: AtomicBool = AtomicBool::new(false);
static HOOK_INSTALLED: OnceLock<()> = OnceLock::new();

/// Number of panics on the product's threads since the first call.
pub fn product_panics() -> usize {
    install_hook();
    PRODUCT_PANICS.load(Ordering::SeqCst)
}

/// Runs `work` without printing panics.
pub fn without_output<T>(work: impl FnOnce() -> T) -> T {
    install_hook();
    QUIET.store(true, Ordering::SeqCst);
    let result = work();
    QUIET.store(false, Ordering::SeqCst);
    result
}

fn install_hook() {
    HOOK_INSTALLED.get_or_init(|| {
        let default_hook = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let is_product = thread::current().name() == Some(PRODUCT_THREAD);
            PRODUCT_PANICS.fetch_add(usize::from(is_product), Ordering::SeqCst);
            if !QUIET.load(Ordering::SeqCst) {
                default_hook(panic);
            }
        }));
    });
}
