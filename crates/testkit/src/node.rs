//! The real client of the runners, unchanged, in a Node.js process: `crates/pilotlight/tests/clients/runners.mjs`.

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

use serde_json::Value;

use crate::process::{ChildProcess, OutputLines};
use crate::wait;

/// One or more runners in one process.
pub struct NodeRunners {
    process: ChildProcess,
    output: OutputLines,
}

impl NodeRunners {
    /// Starts the runners. `options` are those of `runners.mjs`.
    pub fn start(options: &Value) -> Self {
        Self::by_command(node().args(["runners.mjs", &options.to_string()]))
    }

    /// Starts runners that also trust this certificate.
    pub fn trusting(options: &Value, certificate: &Path) -> Self {
        Self::by_command(
            node().env("NODE_EXTRA_CA_CERTS", certificate).args(["runners.mjs", &options.to_string()]),
        )
    }

    /// Starts the runners with another command, such as one that runs the script in a container.
    pub fn by_command(command: &mut Command) -> Self {
        let mut process = ChildProcess::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (output, _) = OutputLines::read(process.child().stdout.take().expect("the pipe was requested"));
        Self { process, output }
    }

    /// The runners' events of this kind so far: `connected`, `received`, `ended`, `failed` or `timed-out`.
    pub fn events(&self, kind: &str) -> Vec<Value> {
        let lines = self.output.from(0).into_iter().filter(|line| line.starts_with(r#"{"event":"#));
        let events = lines.map(|line| serde_json::from_str::<Value>(&line).expect("our script prints JSON"));
        events.filter(|event| event["event"] == kind).collect()
    }

    /// Waits for the first event of this kind.
    pub fn wait_for_event(&self, kind: &str) -> Value {
        self.wait_for_events(kind, 1).swap_remove(0)
    }

    /// Waits until there are `count` events of this kind.
    pub fn wait_for_events(&self, kind: &str, count: usize) -> Vec<Value> {
        wait::wait_for(&format!("{count} events of the kind {kind}"), || {
            let events = self.events(kind);
            (events.len() >= count).then_some(events)
        })
    }

    /// Calls `abort()` on every client.
    pub fn abort(&mut self) {
        let mut commands = self.process.child().stdin.as_ref().expect("the pipe was requested");
        commands.write_all(b"abort\n").expect("the script reads");
    }

    /// Waits until the process has exited.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        self.process.wait_for_exit()
    }

    /// Kills the process (SIGKILL).
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

fn node() -> Command {
    let mut command = Command::new("node");
    command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../pilotlight/tests/clients"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}
