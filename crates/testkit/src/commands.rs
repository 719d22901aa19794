//! Commands of the command line: run to their end, or running.

use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::process::{ChildProcess, OutputLines};
use crate::server::{TestServer, pilotlight_command};

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub struct CommandResult {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
}

impl CommandResult {
    /// Asserts the exit code.
    #[track_caller]
    pub fn exited_with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }

    /// Asserts the exit code, and that stderr contains this text.
    #[track_caller]
    pub fn failed_with(self, code: i32, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in {self:?}");
        self.exited_with(code)
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// stdout without its last line break.
    pub fn stdout_line(&self) -> &str {
        self.stdout.trim_end()
    }
}

/// A command for this service.
pub fn command_for(server: &TestServer, arguments: &[&str]) -> Command {
    command_for_url(&server.url(), arguments)
}

/// The same by the service's address.
pub fn command_for_url(url: &str, arguments: &[&str]) -> Command {
    let mut command = pilotlight_command(&[("PILOTLIGHT_URL", url)]);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run_to_end(command: &mut Command) -> CommandResult {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    CommandResult { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// A command that runs.
pub struct RunningCommand {
    process: ChildProcess,
    stdout: Option<(OutputLines, JoinHandle<()>)>,
    stderr: (OutputLines, JoinHandle<()>),
}

impl RunningCommand {
    /// Starts it and reads what it writes.
    pub fn start(command: &mut Command) -> Self {
        let mut running = Self::with_stdout_pipe(command);
        running.stdout = running.process.child().stdout.take().map(OutputLines::read);
        running
    }

    /// Starts it and closes the reading end of its stdout.
    pub fn with_closed_stdout(command: &mut Command) -> Self {
        let mut running = Self::with_stdout_pipe(command);
        drop(running.process.child().stdout.take());
        running
    }

    /// Starts it with a stdout whose reading end is closed already.
    pub fn with_stdout_closed_before(command: &mut Command) -> Self {
        let (reader, writer) = std::io::pipe().expect("the kernel gives one");
        drop(reader);
        let mut process = ChildProcess::start(command.stdout(writer).stderr(Stdio::piped()));
        let stderr = OutputLines::read(process.child().stderr.take().expect("asked for"));
        Self { process, stdout: None, stderr }
    }

    fn with_stdout_pipe(command: &mut Command) -> Self {
        let mut process = ChildProcess::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let stderr = OutputLines::read(process.child().stderr.take().expect("asked for"));
        Self { process, stdout: None, stderr }
    }

    /// The lines it wrote to stdout so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.as_ref().map_or_else(Vec::new, |(lines, _)| lines.from(0))
    }

    /// What it wrote to stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.0.from(0).join("\n")
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until it has exited.
    pub fn wait_for_exit(mut self) -> CommandResult {
        let code = self.process.wait_for_exit().code();
        let all = |(lines, reader): (OutputLines, JoinHandle<()>)| {
            reader.join().expect("it reads to the end");
            lines.from(0).into_iter().map(|line| line + "\n").collect::<String>()
        };
        CommandResult { code, stdout: self.stdout.map_or_else(String::new, all), stderr: all(self.stderr) }
    }
}
