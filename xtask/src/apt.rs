//! Debian packages. Another process may hold one of apt's locks, as an automatic upgrade does: that is waited for, with
//! a deadline, and the message names the lock and its holder.

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::child;

/// An automatic upgrade of a whole system takes minutes.
const DEADLINE: Duration = Duration::from_secs(600);
/// Between two calls of apt-get. It waits by itself for the locks of dpkg, and prints who holds them; it does not wait
/// for the lock of its package lists.
const PAUSE: Duration = Duration::from_secs(1);

/// Installs packages; package lists are refreshed before the first one.
pub(crate) struct Apt {
    program: PathBuf,
    deadline: Duration,
    lists_are_fresh: bool,
}

/// What came of one call of apt-get.
enum Attempt {
    Done,
    /// Another process holds a lock: apt's own line.
    Busy(String),
    Failed(String),
}

impl Apt {
    pub(crate) fn new() -> Self {
        Self { program: "apt-get".into(), deadline: DEADLINE, lists_are_fresh: false }
    }

    /// Installs these packages, those of `optional` that this release has, and what they depend on.
    pub(crate) fn install(&mut self, packages: &[&str], optional: &[&str]) -> anyhow::Result<()> {
        if !self.lists_are_fresh {
            self.run(&["update"])?;
            self.lists_are_fresh = true;
        }
        let known: Vec<_> = optional.iter().copied().filter(|package| is_known(package)).collect();
        self.run(&[&["install", "-y", "--no-install-recommends"], packages, &known].concat())
    }

    fn run(&self, arguments: &[&str]) -> anyhow::Result<()> {
        let until = Instant::now() + self.deadline;
        let mut announced = None;
        loop {
            match self.attempt(arguments, until.saturating_duration_since(Instant::now()))? {
                Attempt::Done => return Ok(()),
                Attempt::Failed(status) => bail!("`apt-get {}` ended with {status}", arguments.join(" ")),
                Attempt::Busy(lock) if Instant::now() >= until => {
                    bail!("another process kept the package manager busy for {} s: {lock}", self.seconds())
                }
                Attempt::Busy(lock) => {
                    if announced.as_ref() != Some(&lock) {
                        println!("waiting for the package manager, at most {} s: {lock}", self.seconds());
                        announced = Some(lock);
                    }
                    thread::sleep(PAUSE.min(self.deadline));
                }
            }
        }
    }

    fn attempt(&self, arguments: &[&str], lock_timeout: Duration) -> anyhow::Result<Attempt> {
        let mut child = self.command(arguments, lock_timeout).spawn().context("failed to start `apt-get`")?;
        let stderr = child.stderr.take().expect("it is piped");
        let busy = forward_errors(stderr)?;
        let status = child.wait().context("failed to wait for `apt-get`")?;
        Ok(match (status.success(), busy) {
            (true, _) => Attempt::Done,
            (false, Some(lock)) => Attempt::Busy(lock),
            (false, None) => Attempt::Failed(status.to_string()),
        })
    }

    fn command(&self, arguments: &[&str], lock_timeout: Duration) -> Command {
        let mut command = child::command(&self.program);
        command
            .env("DEBIAN_FRONTEND", "noninteractive")
            // Its messages are read.
            .env("LC_ALL", "C")
            .arg("-o")
            .arg(format!("DPkg::Lock::Timeout={}", lock_timeout.as_secs()))
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    fn seconds(&self) -> u64 {
        self.deadline.as_secs()
    }
}

fn is_known(package: &str) -> bool {
    child::output(child::command("apt-cache").args(["show", package])).is_ok()
}

/// Prints what apt-get writes to stderr, except for lines about a lock, and returns the first one of those.
fn forward_errors(stderr: impl Read) -> anyhow::Result<Option<String>> {
    let mut busy = None;
    for line in BufReader::new(stderr).lines() {
        let line = line.context("failed to read what `apt-get` prints")?;
        match lock_message(&line) {
            Some(message) => _ = busy.get_or_insert_with(|| message.to_owned()),
            None if busy.is_none() => eprintln!("{line}"),
            // What follows a lock's line explains it.
            None => {}
        }
    }
    Ok(busy)
}

/// apt's messages about a lock that another process holds: at once for some locks, after its own timeout for others.
///
/// `E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)`
/// `E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?`
fn lock_message(line: &str) -> Option<&str> {
    let names_lock = |message: &&str| {
        message.starts_with("Could not get lock ") || message.ends_with("is another process using it?")
    };
    line.strip_prefix("E: ").filter(names_lock)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const BUSY: &str = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 4711 (apt-get)";

    /// A program in place of apt-get: real locks would stop every other installation on the machine.
    fn apt(name: &str, script: &str, deadline: Duration) -> (Apt, PathBuf) {
        let folder = std::env::temp_dir().join(format!("pilotlight-apt-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let program = folder.join("apt-get");
        fs::write(&program, format!("#!/bin/sh\ncd {}\n{script}", folder.display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        (Apt { program, deadline, lists_are_fresh: false }, folder)
    }

    #[test]
    fn a_busy_package_manager_is_waited_for() {
        let script =
            format!("echo \"$*\" >>calls\ntest -e free || {{ touch free; echo '{BUSY}' >&2; exit 100; }}");
        let (mut apt, folder) = apt("waits", &script, Duration::from_secs(60));
        apt.install(&["jq"], &[]).unwrap();
        let calls = fs::read_to_string(folder.join("calls")).unwrap();
        let calls: Vec<_> = calls.lines().map(|call| call.splitn(3, ' ').collect::<Vec<_>>()).collect();
        let arguments: Vec<_> = calls.iter().map(|call| call[2]).collect();
        assert_eq!(arguments, ["update", "update", "install -y --no-install-recommends jq"]);
        assert!(calls.iter().all(|call| call[1].starts_with("DPkg::Lock::Timeout=")), "{calls:?}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn waiting_for_the_package_manager_has_an_end() {
        let script = format!("echo '{BUSY}' >&2; exit 100");
        let (mut apt, folder) = apt("gives-up", &script, Duration::from_millis(200));
        let error = apt.install(&["jq"], &[]).unwrap_err().to_string();
        assert!(error.contains("/var/lib/apt/lists/lock. It is held by process 4711"), "{error}");
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn both_messages_about_locks_are_known() {
        let dpkg = "E: Unable to acquire the dpkg frontend lock (/var/lib/dpkg/lock-frontend), is another process using it?";
        assert!(lock_message(BUSY).is_some());
        assert!(lock_message(dpkg).is_some());
        assert!(lock_message("E: Unable to locate package jq").is_none());
        assert!(lock_message("W: Could not get lock x").is_none());
    }

    #[test]
    fn another_failure_is_not_tried_again() {
        let script = "echo \"$*\" >>calls\necho 'E: Unable to locate package jq' >&2; exit 100";
        let (mut apt, folder) = apt("fails", script, Duration::from_secs(60));
        let error = apt.install(&["jq"], &[]).unwrap_err().to_string();
        assert!(error.starts_with("`apt-get update` ended with "), "{error}");
        assert_eq!(fs::read_to_string(folder.join("calls")).unwrap().lines().count(), 1);
        fs::remove_dir_all(folder).unwrap();
    }
}
