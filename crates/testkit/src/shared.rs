//! Processes that are expensive to start and that tests share: a database server, a browser, a container engine. The
//! first test of a run that needs one starts it, under a lock that the other tests wait for. It is stopped when the
//! process that runs the tests has exited, for any reason, so the next run finds no leftover process.

use std::fs::{self, File};
use std::os::unix::process::parent_id;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::temp_dir::short_path;

/// The folder of a shared process. It is removed when the process ends.
pub(crate) struct SharedFolder {
    path: PathBuf,
    owner: u32,
}

impl SharedFolder {
    /// Finds the shared process of this name, or starts it. `start` returns the text that other tests need to use it,
    /// such as an address.
    pub(crate) fn find_or_start(name: &str, start: impl FnOnce(&Self) -> String) -> (Self, String) {
        let owner = owner();
        let path = short_path(&format!("{name}-{owner}-{}", start_time(owner)));
        let folder = Self { path, owner };
        fs::create_dir_all(&folder.path).expect("the folder for temporary files can be written");
        let lock = File::create(folder.path.join("lock")).expect("the shared folder is writable");
        lock.lock().expect("files in the shared folder can be locked");

        let started = folder.path.join("started");
        if let Ok(text) = fs::read_to_string(&started) {
            return (folder, text);
        }
        let text = start(&folder);
        fs::write(started, &text).expect("the shared folder is writable");
        (folder, text)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Runs the command until the tests have ended. Then its stdin is closed and it gets this signal. Its output is
    /// written to the file `log`.
    pub(crate) fn spawn(&self, command: &Command, signal: &str) {
        let log = File::options().create(true).append(true).open(self.path.join("log"));
        let log = log.expect("the shared folder is writable");
        // The process has its own session, so it is not killed with the test that started it.
        let mut shared = Command::new("setsid");
        shared.args(["sh", concat!(env!("CARGO_MANIFEST_DIR"), "/src/run_shared.sh")]);
        shared.arg(self.owner.to_string()).arg(&self.path).arg(signal);
        shared.arg(command.get_program()).args(command.get_args());
        shared.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        if let Some(folder) = command.get_current_dir() {
            shared.current_dir(folder);
        }
        shared.stdin(Stdio::null()).stdout(log.try_clone().expect("a descriptor is free")).stderr(log);
        // The shared process outlives this one, so this process does not wait for it.
        drop(shared.spawn().unwrap_or_else(|error| panic!("failed to start {shared:?}: {error}")));
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path.join("log")).unwrap_or_default()
    }
}

/// The process whose end stops the shared processes: nextest, which starts a process for each test, or this process.
fn owner() -> u32 {
    if std::env::var_os("NEXTEST").is_some() { parent_id() } else { std::process::id() }
}

/// Distinguishes a process from an earlier one with the same id.
fn start_time(process: u32) -> String {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).expect("the process runs");
    // Fields 3 to 52 follow the program's name, which is in brackets and may contain any character.
    let field_22 = stat.rsplit(')').next().and_then(|fields| fields.split_whitespace().nth(19));
    field_22.expect("it is the start time").to_owned()
}
