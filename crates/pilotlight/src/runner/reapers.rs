//! The runner's guards: starts them one at a time, so that none inherits what belongs to another, and knows them, so that
//! what is no guard is known to be left over.

use std::collections::HashSet;
use std::ffi::OsString;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::processes::{children, this_program};
use super::settings::JobCommand;
use super::sys::{self, WaitMode};

/// Rounds of looking for what is left over; each finds at least the children of what was killed in the one before.
const MAX_ROUNDS: usize = 100;

/// The pause after the first round; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest pause between two rounds.
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// All of them.
#[derive(Debug)]
pub(super) struct Reapers {
    binary: PathBuf,
    known: Mutex<HashSet<i32>>,
}

impl Reapers {
    /// Takes in what dead guards leave from now on.
    pub(super) fn new() -> io::Result<Self> {
        sys::adopt_orphans()?;
        Ok(Self { binary: this_program()?, known: Mutex::default() })
    }

    /// Starts one over this command.
    pub(super) fn start(
        &self,
        job_command: &JobCommand,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> io::Result<(tokio::process::Child, UnixStream)> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let (runner_end, reaper_end) = UnixStream::pair()?;
        sys::make_inheritable(&reaper_end)?;
        let mut command = Command::new(&self.binary);
        command.arg0("pilotlight").arg("guard").arg("--control").arg(reaper_end.as_raw_fd().to_string());
        command.arg("--").arg(&job_command.program).args(&job_command.arguments);
        command.env_clear().envs(environment).process_group(0);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let reaper = tokio::process::Command::from(command).spawn()?;
        known.extend(reaper.id().and_then(|id| i32::try_from(id).ok()));
        runner_end.set_nonblocking(true)?;
        Ok((reaper, runner_end))
    }

    /// This one has ended, and was seen to.
    pub(super) fn forget(&self, reaper: i32) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&reaper);
    }

    /// Kills what a dead guard left over: children of ours that are no guards. Blocks its thread for some seconds at most.
    #[expect(clippy::disallowed_methods, reason = "it has a thread of its own, which serves nobody else")]
    pub(super) fn kill_orphans(&self) {
        let mut pause = FIRST_PAUSE;
        for _ in 0..MAX_ROUNDS {
            if self.kill_remaining_orphans() == 0 {
                return;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(MAX_PAUSE);
        }
        tracing::warn!("what a dead guard left over was killed and does not end; the kernel holds it");
    }

    /// How many there are still.
    fn kill_remaining_orphans(&self) -> usize {
        // While it is held no guard starts that would not be known.
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let orphans: Vec<_> = children().into_iter().filter(|child| !known.contains(child)).collect();
        for child in &orphans {
            sys::signal(*child, libc::SIGKILL);
            sys::reap(*child, WaitMode::Poll);
        }
        orphans.len()
    }
}
