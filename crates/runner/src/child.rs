//! A running command under its reaper: its three pipes, the control socket, and waiting for its exit. See `reaper`.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use pilotlight_core::command::ProcessExit;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::spawn_blocking;

use super::reaper::{KILL, TERMINATE};
use super::reapers::Reapers;
use super::settings::JobCommand;

/// A running command.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pipes: Pipes,
    pub(super) control: ControlSocket,
    pub(super) exit_watcher: ExitWatcher,
    /// The command's process id.
    pub(super) id: i32,
}

/// The command's stdin, stdout and stderr.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// Sends requests to the command's reaper. Dropping it kills the command.
#[derive(Debug)]
pub(super) struct ControlSocket(OwnedWriteHalf);

/// Waits for the command's exit.
#[derive(Debug)]
pub(super) struct ExitWatcher {
    reapers: Arc<Reapers>,
    reaper: tokio::process::Child,
    reports: Lines<BufReader<OwnedReadHalf>>,
    exit: Option<ProcessExit>,
    has_exited: bool,
}

impl Child {
    /// Starts a command under a new reaper.
    pub(super) async fn start(
        reapers: &Arc<Reapers>,
        job_command: &JobCommand,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> io::Result<Self> {
        let (mut reaper, socket) = reapers.start(job_command, environment)?;
        let pipes = reaper.stdin.take().zip(reaper.stdout.take()).zip(reaper.stderr.take());
        let ((stdin, stdout), stderr) = pipes.expect("all three pipes were requested");
        let (reports, control) = UnixStream::from_std(socket)?.into_split();
        let reports = BufReader::new(reports).lines();
        let mut exit_watcher =
            ExitWatcher { reapers: Arc::clone(reapers), reaper, reports, exit: None, has_exited: false };
        let id = exit_watcher.wait_for_start().await?;
        Ok(Self { pipes: Pipes { stdin, stdout, stderr }, control: ControlSocket(control), exit_watcher, id })
    }
}

impl ControlSocket {
    /// Requests the command to end (SIGTERM).
    pub(super) async fn terminate(&mut self) {
        self.send(TERMINATE).await;
    }

    /// Kills the command and all processes that it started.
    pub(super) async fn kill(&mut self) {
        self.send(KILL).await;
    }

    async fn send(&mut self, request: u8) {
        // A reaper that has exited has killed the command already.
        _ = self.0.write_all(&[request]).await;
    }
}

impl ExitWatcher {
    async fn wait_for_start(&mut self) -> io::Result<i32> {
        let line = self.reports.next_line().await?.unwrap_or_default();
        if let Some(id) = line.strip_prefix("started ").and_then(|id| id.parse().ok()) {
            return Ok(id);
        }
        self.wait().await;
        let why = line.strip_prefix("failed ").unwrap_or("its reaper exited at once");
        Err(io::Error::other(why.to_owned()))
    }

    /// Waits until the reaper has reported the command's exit, or has exited itself. Cancellation-safe.
    pub(super) async fn wait_for_report(&mut self) {
        while let Ok(Some(line)) = self.reports.next_line().await {
            self.exit = parse_exit(&line).or(self.exit);
        }
        self.has_exited = true;
    }

    /// Whether [`Self::wait_for_report`] has completed.
    pub(super) const fn has_exited(&self) -> bool {
        self.has_exited
    }

    /// Waits until the command and all processes that it started are gone; returns how it exited. Cancellation-safe.
    pub(super) async fn wait(&mut self) -> ProcessExit {
        self.wait_for_report().await;
        let id = self.reaper.id().and_then(|id| i32::try_from(id).ok());
        _ = self.reaper.wait().await;
        if let Some(id) = id {
            self.reapers.forget(id);
        }
        if self.exit.is_none() {
            let reapers = Arc::clone(&self.reapers);
            _ = spawn_blocking(move || reapers.kill_orphans()).await;
        }
        self.exit.unwrap_or(ProcessExit::Unknown)
    }
}

fn parse_exit(line: &str) -> Option<ProcessExit> {
    let (what, number) = line.split_once(' ')?;
    let number = number.parse().ok()?;
    match what {
        "exited" => Some(ProcessExit::Code(number)),
        "killed" => Some(ProcessExit::Signal(number)),
        _ => None,
    }
}
