//! Pins the servers and the load generator to one core each while matches are measured.
//!
//! With one offer at a time the cores mostly sleep, and waking a core costs more than the match itself. Without
//! pinning, the scheduler sometimes puts server and load on one core and sometimes on two, and the same program takes
//! 15 us or 60 us. With separate cores the result is stable, and it is realistic: runners and servers are on different
//! machines.
//!
//! A server is started on its core, so that it detects that it has only one.

use std::fs;
use std::io;

use anyhow::Result;
use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Pins this process while it exists; dropping it allows all cores again.
pub(crate) struct SeparateCores {
    all: CoreSet,
}

impl SeparateCores {
    /// Runs `start` on the first core, so that the servers that it starts stay there; then moves every thread of this
    /// process to the second core. On a machine with one core nothing is pinned.
    pub(crate) async fn from<T>(start: impl Future<Output = Result<T>>) -> Result<(T, Self)> {
        let all = CoreSet::of_this_process()?;
        let separate_cores = Self { all };
        let mut cores = all.iter();
        let (Some(first), Some(second)) = (cores.next(), cores.next()) else {
            return Ok((start.await?, separate_cores));
        };
        CoreSet::only(first).pin_threads()?;
        let servers = start.await?;
        CoreSet::only(second).pin_threads()?;
        Ok((servers, separate_cores))
    }
}

impl Drop for SeparateCores {
    fn drop(&mut self) {
        // These cores were allowed before. An error means that they no longer are; then the kernel has moved the
        // threads.
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

    /// Pins every thread of this process to these cores, and with them the threads and processes that they start later.
    fn pin_threads(self) -> io::Result<()> {
        for task in fs::read_dir("/proc/self/task")? {
            let thread = task?.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
            sched_setaffinity(Pid::from_raw(thread), &self.0)?;
        }
        Ok(())
    }
}
