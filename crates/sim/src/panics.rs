//! Panics are what targets say "no" with, and what the product must never do. Those of the product's threads are
//! counted; while something is shrunk, none is printed.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::{panic, thread};

/// The name of every thread that the product runs on.
pub const PRODUCT: &str = "product";

static IN_PRODUCT: AtomicUsize = AtomicUsize::new(0);
static QUIET: AtomicBool = AtomicBool::new(false);
static WATCHED: OnceLock<()> = OnceLock::new();

/// Panics on the product's threads since somebody asked first.
pub fn in_product() -> usize {
    watch();
    IN_PRODUCT.load(Ordering::SeqCst)
}

/// Prints no panics meanwhile.
pub fn quietly<T>(work: impl FnOnce() -> T) -> T {
    watch();
    QUIET.store(true, Ordering::SeqCst);
    let done = work();
    QUIET.store(false, Ordering::SeqCst);
    done
}

fn watch() {
    WATCHED.get_or_init(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            let of_product = thread::current().name() == Some(PRODUCT);
            IN_PRODUCT.fetch_add(usize::from(of_product), Ordering::SeqCst);
            if !QUIET.load(Ordering::SeqCst) {
                usual(panic);
            }
        }));
    });
}
