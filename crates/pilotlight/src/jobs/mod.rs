//! The driver around `core`'s job: the only writer of jobs. Whoever wants something of a job asks here.
//!
//! In reading order:

mod driver;
pub use driver::Jobs;

mod watch;
pub use watch::Watch;
