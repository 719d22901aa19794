//! Child processes that never outlive their test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::wait;

/// A child process that is killed on drop, also when the test panics.
pub struct ChildProcess {
    child: Child,
}

impl ChildProcess {
    /// Starts the command.
    pub fn start(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        Self { child }
    }

    /// The child, for its pipes.
    pub const fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        send_signal(self.child.id(), name);
    }

    /// Waits until the process has exited.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        wait::wait_for("the process exits", || self.child.try_wait().expect("our own child"))
    }

    /// Kills the process (SIGKILL) and waits until the kernel has released its resources.
    pub fn kill(&mut self) {
        // It may have exited by itself.
        _ = self.child.kill();
        self.child.wait().expect("our own child");
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Sends a signal by its name to a process that is known to run.
pub(crate) fn send_signal(process: u32, name: &str) {
    let id = process.to_string();
    let sent = Command::new("kill").args(["-s", name, &id]).status().expect("the program `kill` exists");
    assert!(sent.success(), "failed to send {name} to {id}");
}

/// The lines that a child process has written to a pipe so far.
#[derive(Clone, Default)]
pub struct OutputLines(Arc<Mutex<Vec<String>>>);

impl OutputLines {
    /// Reads lines in a new thread until the child closes the pipe.
    pub fn read(from: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let lines = Self::default();
        let written = lines.clone();
        let reader = std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = String::new();
            // An incomplete last line is dropped.
            while from.read_line(&mut line).is_ok() && line.ends_with('\n') {
                let mut lines = written.0.lock().unwrap_or_else(PoisonError::into_inner);
                lines.push(line.trim_end().to_owned());
                line.clear();
            }
        });
        (lines, reader)
    }

    /// All lines from this index on.
    pub fn from(&self, first: usize) -> Vec<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.get(first..).unwrap_or_default().to_vec()
    }
}
