//! `pilotlight runner` as a process, with commands that the test writes. Whatever is started under it carries a mark in
//! its environment, so that what is left over is found.

use std::fs;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};

use super::process::{Folder, Lines, Process};
use super::server::pilotlight;
use super::wait;

/// A runner and its commands.
pub(crate) struct Runner {
    process: Process,
    log: Lines,
    scripts: Scripts,
}

/// Commands of a test: one script for each type of jobs.
#[derive(Clone)]
pub(crate) struct Scripts {
    folder: std::sync::Arc<Folder>,
    types: Vec<String>,
}

impl Scripts {
    /// `sh` executes each.
    pub(crate) fn of_shell(scripts: &[(&str, &str)]) -> Self {
        Self::by("sh", scripts)
    }

    /// This program executes each.
    pub(crate) fn by(program: &str, scripts: &[(&str, &str)]) -> Self {
        let folder = Folder::new();
        let write = |(name, text): &(&str, &str)| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("our own folder");
            format!("{name}={program} {}", path.display())
        };
        let types = scripts.iter().map(write).collect();
        Self { folder: folder.into(), types }
    }

    /// Where the scripts lie.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn mark(&self) -> String {
        format!("MARK={}", self.folder.path().display())
    }

    /// Processes that were started under a runner of these scripts and still run.
    pub(crate) fn running(&self) -> Vec<i32> {
        let mark = self.mark();
        let has_mark = |id: &i32| {
            let environment = fs::read(format!("/proc/{id}/environ")).unwrap_or_default();
            environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
        };
        let all = fs::read_dir("/proc").expect("tests run on Linux").flatten();
        let ids = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        ids.filter(has_mark).collect()
    }

    /// Waits until nothing of them runs.
    pub(crate) fn are_gone(&self) {
        wait::until("nothing of a command remains", || self.running().is_empty());
    }
}

impl Runner {
    /// With these arguments besides; returns when it takes jobs.
    pub(crate) fn start(url: &str, scripts: &Scripts, arguments: &[&str]) -> Self {
        let mut command = pilotlight(&[("PILOTLIGHT_URL", url)]);
        command.arg("runner").args(["--env", &scripts.mark()]).args(arguments);
        scripts.types.iter().for_each(|kind| {
            command.args(["--type", kind]);
        });
        let mut process = Process::start(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
        let child = process.child();
        let (said, _) = Lines::follow(child.stdout.take().expect("asked for"));
        let (log, _) = Lines::follow(child.stderr.take().expect("asked for"));
        let runner = Self { process, log, scripts: scripts.clone() };
        wait::until("the runner takes jobs", || !said.from(0).is_empty());
        runner
    }

    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.from(0).join("\n")
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.process.kill();
        if std::thread::panicking() {
            eprintln!("the runner's log:\n{}", self.log());
        } else {
            self.scripts.are_gone();
            let log = self.log();
            assert!(!log.contains("panicked") && !log.contains("ERROR"), "the runner logged {log}");
        }
    }
}
