//! The real Python clients, unchanged, in the virtual environment of `crates/pilotlight/tests/python`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::process::{ChildProcess, OutputLines};
use crate::temp_dir::TempDir;
use crate::wait;

/// The virtual environment in which the packages are installed.
const VENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../pilotlight/tests/python/.venv");

/// The real `runpack` runner, in its own folder, where it stores its registration.
pub struct RunpackRunner {
    process: ChildProcess,
    output: OutputLines,
    /// Number of output lines that were already read.
    lines_read: usize,
    folder: TempDir,
}

impl RunpackRunner {
    /// Starts the runner, which registers itself.
    pub fn start(url: &str, key: &str) -> Self {
        Self::start_in(TempDir::new(), url, key)
    }

    /// Kills the runner, and starts it again with its registration.
    pub fn restart(self, url: &str, key: &str) -> Self {
        let Self { process, folder, .. } = self;
        drop(process);
        Self::start_in(folder, url, key)
    }

    fn start_in(folder: TempDir, url: &str, key: &str) -> Self {
        let mut command = python();
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../pilotlight/tests/python/runner.py")).arg(key);
        command.current_dir(folder.path()).env("RUNPACK_WORKER_URL", url);
        let mut process = ChildProcess::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (output, _) = OutputLines::read(process.child().stdout.take().expect("the pipe was requested"));
        Self { process, output, lines_read: 0, folder }
    }

    /// Waits for the runner's next event; other lines that it prints are skipped.
    pub fn next_event(&mut self) -> Value {
        loop {
            let line = wait::wait_for("the runner prints an event", || {
                self.output.from(self.lines_read).into_iter().next()
            });
            self.lines_read += 1;
            if let Ok(event) = serde_json::from_str(&line) {
                return event;
            }
        }
    }

    /// Makes the runner poll once, and returns whether it executed a job.
    pub fn poll(&mut self) -> bool {
        self.start_poll();
        self.next_event()["executed"].as_bool().expect("a boolean")
    }

    /// Makes the runner poll once, without waiting for the result.
    pub fn start_poll(&mut self) {
        let mut stdin = self.process.child().stdin.as_ref().expect("the pipe was requested");
        stdin.write_all(b"poll\n").expect("the runner reads its stdin");
    }
}

/// The path of the Python interpreter.
pub fn interpreter() -> PathBuf {
    Path::new(VENV).join("bin/python")
}

/// A command that runs the Python interpreter. Its environment has only `PATH`.
pub fn python() -> Command {
    let mut command = Command::new(interpreter());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// A command that runs a program of an installed package. Its environment has only `PATH`.
pub fn program(name: &str) -> Command {
    let mut command = Command::new(Path::new(VENV).join("bin").join(name));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}
