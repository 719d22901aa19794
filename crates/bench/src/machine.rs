//! The machine on which the bench measured its numbers; a number means nothing without it.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::io;

use serde::Serialize;

#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    cores: usize,
    kernel: String,
    /// The kernel's load average over the minute before the bench; much above 0 means that other programs were running.
    load_average: f64,
}

impl Machine {
    pub(crate) fn detect() -> io::Result<Self> {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease")?.trim().to_owned();
        let loads = fs::read_to_string("/proc/loadavg")?;
        let load_average = loads.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(f64::NAN);
        Ok(Self { cores: std::thread::available_parallelism()?.get(), kernel, load_average })
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} cores, kernel {}, load average before {:.1}",
            self.cores, self.kernel, self.load_average
        )
    }
}
