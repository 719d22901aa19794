//! The servers under measurement, as child processes.
//!
//! Each server has its own folder and environment, must be ready within a deadline, and is killed when its value is
//! dropped, also after an error or a signal.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::folder::Folder;

/// The time in which a server must be ready; opening a store and reading the configuration takes much less.
const READY_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_STDERR_LINE_BYTES: usize = 2_000;

pub(crate) struct Server {
    // Before the folder, so that the process is killed before its folder is removed.
    process: Process,
    address: SocketAddr,
    _folder: Folder,
}

impl Server {
    /// Starts a program in an empty folder and waits until it prints its loopback address.
    pub(crate) fn start(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Result<Self> {
        Self::start_in(Folder::create()?, program, arguments, environment)
    }

    /// The same as [`Self::start`], in this folder.
    pub(crate) fn start_in(
        folder: Folder,
        program: &Path,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<Self> {
        let log = folder.path().join("stderr.log");
        let child = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn();
        let mut process = Process(child.with_context(|| format!("start {}", program.display()))?);
        let stdout = process.0.stdout.take().expect("stdout is piped a few lines above");
        let address =
            read_address(stdout).recv_timeout(READY_TIMEOUT).map_err(|_| not_ready_error(program, &log))?;
        Ok(Self { process, address, _folder: folder })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Resident memory of the process, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.process.0.id());
        let status = fs::read_to_string(&path).with_context(|| format!("read {path}"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        kib.with_context(|| format!("find VmRSS in {path}"))
    }

    /// CPU time that all threads of the process have used, in user mode and in the kernel.
    pub(crate) fn cpu_time(&self) -> Result<Duration> {
        let path = format!("/proc/{}/task", self.process.0.id());
        let tasks = fs::read_dir(&path).with_context(|| format!("read {path}"))?;
        // A thread that ends during this loop is not counted.
        let nanos = tasks.filter_map(|task| run_nanos(&task.ok()?.path().join("schedstat"))).sum();
        Ok(Duration::from_nanos(nanos))
    }
}

/// The CPU time in nanoseconds: the first of schedstat's three numbers.
fn run_nanos(schedstat: &Path) -> Option<u64> {
    fs::read_to_string(schedstat).ok()?.split(' ').next()?.parse().ok()
}

/// A child process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // This fails only if the process has already exited.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn not_ready_error(program: &Path, log: &Path) -> anyhow::Error {
    let stderr = fs::read_to_string(log).unwrap_or_default();
    let start = stderr.floor_char_boundary(stderr.len().saturating_sub(MAX_STDERR_LINE_BYTES));
    anyhow!(
        "{} exited, or printed no address within {READY_TIMEOUT:?}; the end of its stderr:\n{}",
        program.display(),
        &stderr[start..]
    )
}

/// Reads stdout to its end, so that the server never blocks on it. The first address in it is sent to the receiver.
fn read_address(stdout: ChildStdout) -> Receiver<SocketAddr> {
    let (found, address) = sync_channel(1);
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let lines = stdout.by_ref().lines().map_while(Result::ok);
        if let Some(address) = lines.filter_map(|line| address_in(&line)).next() {
            found.send(address).ok();
        }
        std::io::copy(&mut stdout, &mut std::io::sink()).ok();
    });
    address
}

fn address_in(line: &str) -> Option<SocketAddr> {
    let rest = &line[line.find("127.0.0.1:")?..];
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn an_address_is_found_in_either_servers_first_line() {
        let expected = SocketAddr::from((Ipv4Addr::LOCALHOST, 4_321));
        assert_eq!(address_in("listening on 127.0.0.1:4321"), Some(expected));
        assert_eq!(address_in("ready at http://127.0.0.1:4321/ (ack on)"), Some(expected));
        assert_eq!(address_in("hello"), None);
    }
}
