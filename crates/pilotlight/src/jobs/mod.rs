//! The driver around `core`'s jobs: submits, dispatches to runners that wait, hears what they say, and wakes whoever
//! waits for an end. It is the only writer of jobs. What a job may become is `core::job`'s to decide, inside the
//! store's transaction; what is held here is only who waits, and is gone with the process.

mod driver;
pub use driver::{Jobs, Settings};

mod desk;
mod stay;
pub use stay::{Handing, Parked, Stay, Verdict};

mod sight;
mod watching;
pub use sight::{Onlooker, Sight};

mod heard;
mod keeper;
mod random;
mod tally;
mod time;

pub mod checks;
pub mod hooks;

#[cfg(test)]
mod tests;
