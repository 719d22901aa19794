//! A child process that never outlives its test, and a folder that neither does.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::wait;

/// A child that is killed on drop, also when the test panics.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        let child = command.spawn().unwrap_or_else(|error| panic!("failed to start {command:?}: {error}"));
        Self { child }
    }

    pub(crate) const fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill is everywhere");
        assert!(sent.success(), "failed to send {name} to {pid}");
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        wait::until_some("the process ends", || self.child.try_wait().expect("our own child"))
    }

    /// Kills it (SIGKILL) and waits until the kernel has taken back all it held.
    pub(crate) fn kill(&mut self) {
        // It may have ended by itself.
        _ = self.child.kill();
        self.child.wait().expect("our own child");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a child writes, line by line, as far as it came.
#[derive(Clone, Default)]
pub(crate) struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    /// Reads until the child closes it.
    pub(crate) fn follow(from: impl Read + Send + 'static) -> (Self, JoinHandle<()>) {
        let lines = Self::default();
        let written = lines.clone();
        let reader = std::thread::spawn(move || {
            let mut from = BufReader::new(from);
            let mut line = String::new();
            // A line that broke off is none.
            while from.read_line(&mut line).is_ok() && line.ends_with('\n') {
                written.0.lock().unwrap().push(line.trim_end().to_owned());
                line.clear();
            }
        });
        (lines, reader)
    }

    /// All lines from this one on.
    pub(crate) fn from(&self, first: usize) -> Vec<String> {
        self.0.lock().unwrap().get(first..).unwrap_or_default().to_vec()
    }
}

/// An empty folder of the test's own, removed on drop.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        Self::within(&std::env::temp_dir())
    }

    fn within(parent: &Path) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("pilotlight-e2e-{}-{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        let path = parent.join(name);
        std::fs::create_dir_all(&path).expect("the folder for temporary files can be written");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left over lies in the folder for temporary files.
        _ = std::fs::remove_dir_all(&self.0);
    }
}
