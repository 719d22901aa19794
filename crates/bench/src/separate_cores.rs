//! Keeps the servers and the load generator on a core each while matches are measured.
//!
//! With one offer at a time the cores mostly sleep, and waking one costs more than the match itself. Left alone,
//! the scheduler puts server and load now on one core, now on two, and the same program shows 15 us or 60 us.
//! Apart, it shows the same every time, and runners and servers are apart in life too.
//!
//! A server is started on its core, so that it sees how many it has.

use std::fs;
use std::io;

use anyhow::Result;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Ends, with all cores for this process again, when it is dropped.
pub(crate) struct SeparateCores {
    all: CoreSet,
}

impl SeparateCores {
    /// Servers that `start` starts are on the first core, then every thread of this process on the second. Nothing
    /// happens on a machine with one core.
    pub(crate) async fn from<T>(start: impl Future<Output = Result<T>>) -> Result<(T, Self)> {
        let all = CoreSet::of_this_process()?;
        let apart = Self { all };
        let mut cores = all.iter();
        let (Some(first), Some(second)) = (cores.next(), cores.next()) else {
            return Ok((start.await?, apart));
        };
        CoreSet::only(first).pin_threads()?;
        let servers = start.await?;
        CoreSet::only(second).pin_threads()?;
        Ok((servers, apart))
    }
}

impl Drop for SeparateCores {
    fn drop(&mut self) {
        // These cores were allowed before; should they no longer be, the kernel has moved the threads itself.
        self.all.pin_threads().ok();
    }
}

/// A set of cores.
#[derive(Clone, Copy)]
struct CoreSet(CpuSet);

impl CoreSet {
    fn only(core: usize) -> Self {
        let mut cores = CpuSet::new();
        cores.set(core);
        Self(cores)
    }

    fn of_this_process() -> io::Result<Self> {
        Ok(Self(sched_getaffinity(None)?))
    }

    fn iter(&self) -> impl Iterator<Item = usize> {
        (0..CpuSet::MAX_CPU).filter(|core| self.0.is_set(*core))
    }

    /// Puts every thread of this process on these cores, and with them the threads and processes they start later.
    fn pin_threads(self) -> io::Result<()> {
        for task in fs::read_dir("/proc/self/task")? {
            let thread = task?.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
            sched_setaffinity(Pid::from_raw(thread), &self.0)?;
        }
        Ok(())
    }
}
