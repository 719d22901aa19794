//! The number of test iterations: few in a normal test run, many in a soak test (`PILOTLIGHT_SOAK=1`).

/// Returns `soak` in a soak test, otherwise `normal`.
#[must_use]
pub fn iterations(normal: u64, soak: u64) -> u64 {
    match std::env::var("PILOTLIGHT_SOAK").as_deref() {
        Ok("" | "0") | Err(_) => normal,
        Ok(_) => soak,
    }
}
