//! The real client of the runners, unchanged, in a process of Node.js: `tests/clients/runners.mjs`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;

use super::process::{Lines, Process};
use super::wait;

/// Some runners in one process.
pub(crate) struct Runners {
    process: Process,
    said: Lines,
}

impl Runners {
    /// Starts them. `wish` is what `runners.mjs` takes.
    pub(crate) fn start(wish: &Value) -> Self {
        Self::run(node().args(["runners.mjs", &wish.to_string()]))
    }

    /// Starts them, believing in this certificate too.
    pub(crate) fn trusting(wish: &Value, certificate: &Path) -> Self {
        Self::run(node().env("NODE_EXTRA_CA_CERTS", certificate).args(["runners.mjs", &wish.to_string()]))
    }

    /// Starts them with a command line of their own, such as one that runs the script in a container.
    pub(crate) fn run(command: &mut Command) -> Self {
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (said, _) = Lines::follow(process.child().stdout.take().expect("asked for"));
        Self { process, said }
    }

    /// What they said of this kind so far: `connected`, `received`, `ended`, `failed` or `timed-out`.
    pub(crate) fn said(&self, event: &str) -> Vec<Value> {
        let lines = self.said.from(0).into_iter().filter(|line| line.starts_with(r#"{"event":"#));
        let events = lines.map(|line| serde_json::from_str::<Value>(&line).expect("our script prints JSON"));
        events.filter(|said| said["event"] == event).collect()
    }

    /// Waits for the first of this kind.
    pub(crate) fn hear(&self, event: &str) -> Value {
        self.hear_many(event, 1).swap_remove(0)
    }

    /// Waits until so many of this kind were said.
    pub(crate) fn hear_many(&self, event: &str, count: usize) -> Vec<Value> {
        wait::until_some(&format!("{count} times {event}"), || {
            let said = self.said(event);
            (said.len() >= count).then_some(said)
        })
    }

    /// Calls `abort()` on every client.
    pub(crate) fn abort(&mut self) {
        let mut commands = self.process.child().stdin.as_ref().expect("asked for");
        commands.write_all(b"abort\n").expect("the script reads");
    }

    /// Waits for the end of the process.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// Kills the process (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}
