//! Handles panics. A target reports a failure by a panic; the product itself must never panic. Panics on the product's
//! threads are counted. No panic is printed while an input is shrunk.

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
    let done = work();
    QUIET.store(false, Ordering::SeqCst);
    done
}

fn install_hook() {
    HOOK_INSTALLED.get_or_init(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let of_product = thread::current().name() == Some(PRODUCT_THREAD);
            PRODUCT_PANICS.fetch_add(usize::from(of_product), Ordering::SeqCst);
            if !QUIET.load(Ordering::SeqCst) {
                usual(panic);
            }
        }));
    });
}
