//! Commands of callers: run to their end, or running.

use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use super::process::{Lines, Process};
use super::server::{Server, pilotlight};

/// How a command ended, and what it wrote.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// It ended with this code.
    #[track_caller]
    pub(crate) fn is(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        self
    }

    /// The same, and this stands on stderr.
    #[track_caller]
    pub(crate) fn telling(self, code: i32, text: &str) -> Self {
        assert!(self.stderr.contains(text), "no `{text}` in {self:?}");
        self.is(code)
    }

    /// stdout as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// stdout without the end of its line.
    pub(crate) fn answer(&self) -> &str {
        self.stdout.trim_end()
    }
}

/// A command about this service.
pub(crate) fn about(server: &Server, arguments: &[&str]) -> Command {
    at(&server.url(), arguments)
}

/// The same by its address.
pub(crate) fn at(url: &str, arguments: &[&str]) -> Command {
    let mut command = pilotlight(&[("PILOTLIGHT_URL", url)]);
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn ran(command: &mut Command) -> Outcome {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// A command under way.
pub(crate) struct Running {
    process: Process,
    said: Option<(Lines, JoinHandle<()>)>,
    told: (Lines, JoinHandle<()>),
}

impl Running {
    /// Starts it; what it writes is read.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut running = Self::unread(command);
        running.said = running.process.child().stdout.take().map(Lines::follow);
        running
    }

    /// Starts it; nobody reads its answer, and then there is nobody who could.
    pub(crate) fn closed(command: &mut Command) -> Self {
        let mut running = Self::unread(command);
        drop(running.process.child().stdout.take());
        running
    }

    /// Starts it with nobody there who could read its answer.
    pub(crate) fn closed_from_the_start(command: &mut Command) -> Self {
        let (reader, writer) = std::io::pipe().expect("the kernel gives one");
        drop(reader);
        let mut process = Process::start(command.stdout(writer).stderr(Stdio::piped()));
        let told = Lines::follow(process.child().stderr.take().expect("asked for"));
        Self { process, said: None, told }
    }

    fn unread(command: &mut Command) -> Self {
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let told = Lines::follow(process.child().stderr.take().expect("asked for"));
        Self { process, said: None, told }
    }

    /// What it wrote to stdout so far.
    pub(crate) fn said(&self) -> Vec<String> {
        self.said.as_ref().map_or_else(Vec::new, |(lines, _)| lines.from(0))
    }

    /// What it wrote to stderr so far.
    pub(crate) fn told(&self) -> String {
        self.told.0.from(0).join("\n")
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end.
    pub(crate) fn ended(mut self) -> Outcome {
        let code = self.process.ended().code();
        let all = |(lines, reader): (Lines, JoinHandle<()>)| {
            reader.join().expect("it reads to the end");
            lines.from(0).into_iter().map(|line| line + "\n").collect::<String>()
        };
        Outcome { code, stdout: self.said.map_or_else(String::new, all), stderr: all(self.told) }
    }
}
