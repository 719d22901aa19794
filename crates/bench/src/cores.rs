//! Keeps the servers and the load generator on a core each while one offer at a time is measured.
//!
//! With one offer at a time the cores mostly sleep, and waking one costs more than the match itself. Left alone,
//! the scheduler puts server and load now on one core, now on two, and the same program shows 15 us or 60 us.
//! Apart, it shows the same every time, and runners and servers are apart in life too.

#![allow(unsafe_code, reason = "calls of the C library that the standard library does not offer")]

use std::fs;
use std::io;

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
struct Cores(libc::cpu_set_t);

impl Cores {
    const BYTES: usize = size_of::<libc::cpu_set_t>();

    fn none() -> Self {
        // SAFETY: a `cpu_set_t` is an array of bits and may be all zeros.
        Self(unsafe { std::mem::zeroed() })
    }

    fn only(core: usize) -> Self {
        let mut cores = Self::none();
        // SAFETY: `CPU_SET` leaves a core outside of the set alone.
        unsafe { libc::CPU_SET(core, &mut cores.0) };
        cores
    }

    fn of_this_process() -> io::Result<Self> {
        let mut cores = Self::none();
        // SAFETY: the pointer is to a live set of the size given.
        check(unsafe { libc::sched_getaffinity(0, Self::BYTES, &raw mut cores.0) })?;
        Ok(cores)
    }

    fn each(&self) -> impl Iterator<Item = usize> {
        // SAFETY: the range ends with the set.
        (0..Self::BYTES * 8).filter(|core| unsafe { libc::CPU_ISSET(*core, &self.0) })
    }

    /// Puts every thread of the process on these cores.
    fn take(self, process: u32) -> io::Result<()> {
        for task in fs::read_dir(format!("/proc/{process}/task"))? {
            let thread = task?.file_name().to_string_lossy().parse().map_err(io::Error::other)?;
            // SAFETY: the pointer is to a live set of the size given.
            check(unsafe { libc::sched_setaffinity(thread, Self::BYTES, &raw const self.0) })?;
        }
        Ok(())
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    match result {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
