//! Runs commands of the `pilotlight` command line: to their end, or as running processes.

use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use crate::process::{ChildProcess, OutputLines};
use crate::server::{TestServer, pilotlight_command};

/// The exit code and the output of a command.
#[derive(Debug)]
pub struct CommandResult {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// All text on stdout.
    pub stdout: String,
    /// All text on stderr.
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

/// A `pilotlight` command that sends its requests to this service.
pub fn command_for(server: &TestServer, arguments: &[&str]) -> Command {
    command_for_url(&server.url(), arguments)
}

/// A `pilotlight` command that sends its requests to the service at this URL.
pub fn command_for_url(url: &str, arguments: &[&str]) -> Command {
    let mut command = pilotlight_command(&[("PILOTLIGHT_URL", url)]);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs a command until it exits.
pub fn run_to_end(command: &mut Command) -> CommandResult {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is text");
    CommandResult { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// A running command.
pub struct RunningCommand {
    process: ChildProcess,
    stdout: Option<(OutputLines, JoinHandle<()>)>,
    stderr: (OutputLines, JoinHandle<()>),
}

impl RunningCommand {
    /// Starts the command and reads its output.
    pub fn start(command: &mut Command) -> Self {
        let mut running = Self::with_stdout_pipe(command);
        running.stdout = running.process.child().stdout.take().map(OutputLines::read);
        running
    }

    /// Starts the command, and then closes the reading end of its stdout.
    pub fn with_closed_stdout(command: &mut Command) -> Self {
        let mut running = Self::with_stdout_pipe(command);
        drop(running.process.child().stdout.take());
        running
    }

    /// Starts the command with a stdout whose reading end is already closed.
    pub fn with_stdout_closed_before_start(command: &mut Command) -> Self {
        let (reader, writer) = std::io::pipe().expect("a pipe can be created");
        drop(reader);
        let mut process = ChildProcess::start(command.stdout(writer).stderr(Stdio::piped()));
        let stderr = OutputLines::read(process.child().stderr.take().expect("the pipe was requested"));
        Self { process, stdout: None, stderr }
    }

    fn with_stdout_pipe(command: &mut Command) -> Self {
        let mut process = ChildProcess::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let stderr = OutputLines::read(process.child().stderr.take().expect("the pipe was requested"));
        Self { process, stdout: None, stderr }
    }

    /// The lines on stdout so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.as_ref().map_or_else(Vec::new, |(lines, _)| lines.from(0))
    }

    /// The text on stderr so far.
    pub fn stderr(&self) -> String {
        self.stderr.0.from(0).join("\n")
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until the command has exited.
    pub fn wait_for_exit(mut self) -> CommandResult {
        let code = self.process.wait_for_exit().code();
        let all_lines = |(lines, reader): (OutputLines, JoinHandle<()>)| {
            reader.join().expect("the reading thread does not panic");
            lines.from(0).into_iter().map(|line| line + "\n").collect::<String>()
        };
        CommandResult {
            code,
            stdout: self.stdout.map_or_else(String::new, all_lines),
            stderr: all_lines(self.stderr),
        }
    }
}
