//! How much is tried: little in every run of the tests, much when somebody has hours (`PILOTLIGHT_SOAK=1`).

/// `usual`, or `soak` where somebody asked for it.
#[must_use]
pub fn iterations(usual: u64, soak: u64) -> u64 {
    match std::env::var("PILOTLIGHT_SOAK").as_deref() {
        Ok("" | "0") | Err(_) => usual,
        Ok(_) => soak,
    }
}
