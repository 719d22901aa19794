//! A command under its guard: its three pipes, the order to end, and its end.

use std::ffi::OsString;
use std::io;
use std::sync::Arc;

use pilotlight_core::command::Exit;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::task::spawn_blocking;

use super::guard::{KILL, TERMINATE};
use super::guards::Guards;
use super::settings::Kind;

/// A command that runs.
#[derive(Debug)]
pub(super) struct Child {
    pub(super) pipes: Pipes,
    pub(super) orders: Orders,
    pub(super) end: End,
    /// The command's own number.
    pub(super) id: i32,
}

/// What it reads and writes.
#[derive(Debug)]
pub(super) struct Pipes {
    pub(super) stdin: ChildStdin,
    pub(super) stdout: ChildStdout,
    pub(super) stderr: ChildStderr,
}

/// Tells its guard what to do. Dropping it kills the command.
#[derive(Debug)]
pub(super) struct Orders(OwnedWriteHalf);

/// Waits for its end.
#[derive(Debug)]
pub(super) struct End {
    guards: Arc<Guards>,
    guard: tokio::process::Child,
    said: Lines<BufReader<OwnedReadHalf>>,
    seen: Option<Exit>,
    is_over: bool,
}

impl Child {
    /// Starts it.
    pub(super) async fn start(
        guards: &Arc<Guards>,
        kind: &Kind,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> io::Result<Self> {
        let (mut guard, control) = guards.start(kind, environment)?;
        let pipes = guard.stdin.take().zip(guard.stdout.take()).zip(guard.stderr.take());
        let ((stdin, stdout), stderr) = pipes.expect("all three were asked for");
        let (said, orders) = UnixStream::from_std(control)?.into_split();
        let said = BufReader::new(said).lines();
        let mut end = End { guards: Arc::clone(guards), guard, said, seen: None, is_over: false };
        let id = end.started().await?;
        Ok(Self { pipes: Pipes { stdin, stdout, stderr }, orders: Orders(orders), end, id })
    }
}

impl Orders {
    /// Asks it to end.
    pub(super) async fn terminate(&mut self) {
        self.order(TERMINATE).await;
    }

    /// Kills it, and all that it started.
    pub(super) async fn kill(&mut self) {
        self.order(KILL).await;
    }

    async fn order(&mut self, order: u8) {
        // A guard that is gone has nothing left to do.
        _ = self.0.write_all(&[order]).await;
    }
}

impl End {
    async fn started(&mut self) -> io::Result<i32> {
        let line = self.said.next_line().await?.unwrap_or_default();
        if let Some(id) = line.strip_prefix("started ").and_then(|id| id.parse().ok()) {
            return Ok(id);
        }
        self.wait().await;
        let why = line.strip_prefix("failed ").unwrap_or("its guard ended at once");
        Err(io::Error::other(why.to_owned()))
    }

    /// Waits until its guard has told the end, or is gone. Survives being dropped.
    pub(super) async fn over(&mut self) {
        while let Ok(Some(line)) = self.said.next_line().await {
            self.seen = exit(&line).or(self.seen);
        }
        self.is_over = true;
    }

    /// Whether that was seen.
    pub(super) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// How it ended, once nothing of it is left. Survives being dropped.
    pub(super) async fn wait(&mut self) -> Exit {
        self.over().await;
        let id = self.guard.id().and_then(|id| i32::try_from(id).ok());
        _ = self.guard.wait().await;
        if let Some(id) = id {
            self.guards.forget(id);
        }
        if self.seen.is_none() {
            let guards = Arc::clone(&self.guards);
            _ = spawn_blocking(move || guards.sweep()).await;
        }
        self.seen.unwrap_or(Exit::Unseen)
    }
}

fn exit(line: &str) -> Option<Exit> {
    let (what, number) = line.split_once(' ')?;
    let number = number.parse().ok()?;
    match what {
        "exited" => Some(Exit::Code(number)),
        "killed" => Some(Exit::Signal(number)),
        _ => None,
    }
}
