//! The runner's reapers: starts a reaper for each command, and kills orphans of reapers that died.
//!
//! Reapers are started one at a time, so that none inherits the socket of another. All of them are recorded, so that a
//! child of the runner that is not a reaper is known to be an orphan.

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

/// Most rounds of searching for orphans; each round finds the children of the processes killed in the round before.
const MAX_ROUNDS: usize = 100;

/// The pause after the first round; each further round doubles it, up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// The longest pause between two rounds.
const MAX_PAUSE: Duration = Duration::from_millis(50);

/// All reapers of this runner.
#[derive(Debug)]
pub(super) struct Reapers {
    binary: PathBuf,
    known: Mutex<HashSet<i32>>,
}

impl Reapers {
    /// Makes this process adopt the orphans of reapers that die.
    pub(super) fn new() -> io::Result<Self> {
        sys::adopt_orphans()?;
        Ok(Self { binary: this_program()?, known: Mutex::default() })
    }

    /// Starts a reaper for this command. Returns the reaper's process and the runner's end of the control socket.
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

    /// Forgets a reaper that has exited and was reaped.
    pub(super) fn forget(&self, reaper: i32) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&reaper);
    }

    /// Kills the orphans of a dead reaper: all children of this process that are not reapers. Blocks the thread for
    /// some seconds at most.
    #[expect(clippy::disallowed_methods, reason = "it runs on its own blocking thread")]
    pub(super) fn kill_orphans(&self) {
        let mut pause = FIRST_PAUSE;
        for _ in 0..MAX_ROUNDS {
            if self.kill_remaining_orphans() == 0 {
                return;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(MAX_PAUSE);
        }
        tracing::warn!("processes left by a dead reaper were killed but do not end; the kernel blocks them");
    }

    /// Kills all orphans once; returns how many there were.
    fn kill_remaining_orphans(&self) -> usize {
        // While this lock is held, no reaper can start that is not recorded yet.
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let orphans: Vec<_> = children().into_iter().filter(|child| !known.contains(child)).collect();
        for child in &orphans {
            sys::signal(*child, libc::SIGKILL);
            sys::reap(*child, WaitMode::Poll);
        }
        orphans.len()
    }
}
