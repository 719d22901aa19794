//! The real Python clients, unchanged, in the virtual environment of `tests/python`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::process::{Folder, Lines, Process};
use super::wait;

/// Where the packages are installed.
const VENV: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/.venv");

/// The real `runpack` runner, in a folder of its own, where it keeps its registration.
pub(crate) struct RunpackRunner {
    process: Process,
    said: Lines,
    heard: usize,
    folder: Folder,
}

impl RunpackRunner {
    /// Starts it; it registers by itself.
    pub(crate) fn start(url: &str, key: &str) -> Self {
        Self::start_in(Folder::new(), url, key)
    }

    /// Ends it, and starts it again where it is registered already.
    pub(crate) fn again(self, url: &str, key: &str) -> Self {
        let Self { process, folder, .. } = self;
        drop(process);
        Self::start_in(folder, url, key)
    }

    fn start_in(folder: Folder, url: &str, key: &str) -> Self {
        let mut command = python();
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/runner.py")).arg(key);
        command.current_dir(folder.path()).env("RUNPACK_WORKER_URL", url);
        let mut process = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()));
        let (said, _) = Lines::follow(process.child().stdout.take().expect("asked for"));
        Self { process, said, heard: 0, folder }
    }

    /// What it says next that is an event: the client prints lines of its own too.
    pub(crate) fn hear(&mut self) -> Value {
        loop {
            let line = wait::until_some("the runner says something", || {
                self.said.from(self.heard).into_iter().next()
            });
            self.heard += 1;
            if let Ok(said) = serde_json::from_str(&line) {
                return said;
            }
        }
    }

    /// Lets it look for jobs once. Says whether it executed one.
    pub(crate) fn poll(&mut self) -> bool {
        self.ask_to_poll();
        self.hear()["executed"].as_bool().expect("it says so")
    }

    /// The same without waiting for it.
    pub(crate) fn ask_to_poll(&mut self) {
        let mut orders = self.process.child().stdin.as_ref().expect("asked for");
        orders.write_all(b"poll\n").expect("it reads");
    }
}

/// Where the interpreter lies.
pub(crate) fn interpreter() -> PathBuf {
    Path::new(VENV).join("bin/python")
}

/// The interpreter, with nothing in its environment.
pub(crate) fn python() -> Command {
    let mut command = Command::new(interpreter());
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// A program that a package brings.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(Path::new(VENV).join("bin").join(name));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}
