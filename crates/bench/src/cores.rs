//! Keeps the servers and the load generator on a core each while one offer at a time is measured.
//!
//! With one offer at a time the cores mostly sleep, and waking one costs more than the match itself. Left alone,
//! the scheduler puts server and load now on one core, now on two, and the same program shows 15 us or 60 us.
//! Apart, it shows the same every time, and runners and servers are apart in life too.

use std::fs;
use std::io;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Ends, with all cores for this process again, when it is dropped.
pub(crate) struct KeptApart {
    all: Cores,
}

impl KeptApart {
    /// Every thread of these processes on the first core, every thread of this one on the second, and with them
    /// the threads they start later. Nothing happens on a machine with one core.
    pub(crate) fn from(servers: impl Iterator<Item = u32>) -> io::Result<Option<Self>> {
        let all = Cores::of_this_process()?;
        let mut each = all.each();
        let (Some(first), Some(second)) = (each.next(), each.next()) else {
            return Ok(None);
        };
        for server in servers {
            Cores::only(first).take(server)?;
        }
        let apart = Self { all };
        Cores::only(second).take(std::process::id())?;
        Ok(Some(apart))
    }
}

impl Drop for KeptApart {
    fn drop(&mut self) {
        // These cores were allowed before; should they no longer be, the kernel has moved the threads itself.
        self.all.take(std::process::id()).ok();
    }
}

/// A set of cores.
#[derive(Clone, Copy)]
struct Cores(CpuSet);

impl Cores {
    fn only(core: usize) -> Self {
        let mut cores = CpuSet::new();
        cores.set(core);
        Self(cores)
    }

    fn of_this_process() -> io::Result<Self> {
        Ok(Self(sched_getaffinity(None)?))
    }

    fn each(&self) -> impl Iterator<Item = usize> {
        (0..CpuSet::MAX_CPU).filter(|core| self.0.is_set(*core))
    }

    /// Puts every thread of the process on these cores.
    fn take(self, process: u32) -> io::Result<()> {
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = task?.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
            sched_setaffinity(Pid::from_raw(thread), &self.0)?;
        }
        Ok(())
    }
}
