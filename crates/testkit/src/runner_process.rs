//! `pilotlight runner` as a process, with commands that the test writes. Every process that it starts has a mark in its
//! environment, which identifies leftover processes.

use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use crate::process::{ChildProcess, OutputLines};
use crate::server::pilotlight_command;
use crate::temp_dir::TempDir;
use crate::wait;

/// A running runner and its scripts.
pub struct RunnerProcess {
    process: ChildProcess,
    log: OutputLines,
    scripts: Scripts,
}

/// The commands that the runner executes: one script for each job type.
#[derive(Clone)]
pub struct Scripts {
    folder: std::sync::Arc<TempDir>,
    types: Vec<String>,
}

impl Scripts {
    /// Scripts for `sh`.
    pub fn shell(scripts: &[(&str, &str)]) -> Self {
        Self::for_interpreter("sh", scripts)
    }

    /// Scripts for this interpreter.
    pub fn for_interpreter(program: &str, scripts: &[(&str, &str)]) -> Self {
        let folder = TempDir::new();
        let write = |(name, text): &(&str, &str)| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("the test's folder is writable");
            format!("{name}={program} {}", path.display())
        };
        let types = scripts.iter().map(write).collect();
        Self { folder: folder.into(), types }
    }

    /// A path in the scripts' folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mark(&self) -> String {
        format!("MARK={}", self.folder.path().display())
    }

    /// Ids of the running processes that were started by a runner with these scripts.
    pub fn running_processes(&self) -> Vec<i32> {
        let mark = self.mark();
        let has_mark = |id: &i32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        let all = fs::read_dir("/proc").expect("tests run on Linux").flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(has_mark).collect()
    }

    /// Waits until no such process runs.
    pub fn wait_until_gone(&self) {
        wait::wait_until("no process of a command runs", || self.running_processes().is_empty());
    }
}

impl RunnerProcess {
    /// Starts the runner with these additional arguments, and returns when it accepts jobs.
    pub fn start(url: &str, scripts: &Scripts, arguments: &[&str]) -> Self {
        let mut command = pilotlight_command(&[("PILOTLIGHT_URL", url)]);
        command.arg("runner").args(["--env", &scripts.mark()]).args(arguments);
        scripts.types.iter().for_each(|job_type| {
            command.args(["--type", job_type]);
        });
        let mut process = ChildProcess::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let child = process.child();
        let (stdout, _) = OutputLines::read(child.stdout.take().expect("the pipe was requested"));
        let (log, _) = OutputLines::read(child.stderr.take().expect("the pipe was requested"));
        let runner = Self { process, log, scripts: scripts.clone() };
        wait::wait_until("the runner accepts jobs", || !stdout.from(0).is_empty());
        runner
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until the runner has exited.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        self.process.wait_for_exit()
    }

    /// The runner's log so far.
    pub fn log(&self) -> String {
        self.log.from(0).join("\n")
    }
}

impl Drop for RunnerProcess {
    fn drop(&mut self) {
        self.process.kill();
        if std::thread::panicking() {
            eprintln!("the runner's log:\n{}", self.log());
        } else {
            self.scripts.wait_until_gone();
            let log = self.log();
            assert!(!log.contains("panicked") && !log.contains("ERROR"), "the runner logged {log}");
        }
    }
}
