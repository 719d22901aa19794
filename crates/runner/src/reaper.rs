//! The reaper (`pilotlight guard`): a small process between the runner and each command, which ensures that no process
//! of a command remains. It is a subreaper: every process that the command starts becomes a child of the reaper when
//! its own parent exits. The reaper kills all of them when the command exits, when the runner requests it, or when the
//! runner dies.
//!
//! It is controlled by a socket to the runner. The runner sends `t` (SIGTERM to the command's process group) or `k`
//! (kill everything); closing the socket also kills everything. The reaper sends `started <pid>` or `failed <why>`, and
//! when no process is left, `exited <code>` or `killed <signal>`. If the reaper itself is killed, the kernel kills the
//! command (`PR_SET_PDEATHSIG`), and processes started by the command become children of the runner, which kills them.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::RawFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use pilotlight_core::command::ProcessExit;

use super::processes::children;
use super::sys::{self, ReapOutcome, WaitMode};

/// Request: send SIGTERM to the command's process group.
pub(super) const TERMINATE: u8 = b't';

/// Request: kill the command and all processes that it started.
pub(super) const KILL: u8 = b'k';

/// The id of the command's process group; `None` once the command is about to be reaped, after which the id may be
/// reused.
type Group = Arc<Mutex<Option<i32>>>;

/// Starts the command and supervises it until no process of it is left.
///
/// # Errors
/// The descriptor is not a socket, or the kernel refuses to make this process a subreaper; then no command was started.
pub fn run(control: RawFd, command: &[OsString]) -> io::Result<()> {
    let mut runner = sys::take_inherited(control)?;
    let requests = runner.try_clone()?;
    sys::adopt_orphans()?;
    match start(command) {
        Ok(child) => {
            supervise(&child, &mut runner, requests);
            Ok(())
        }
        Err(error) => writeln!(runner, "failed {error}"),
    }
}

/// Waits for the command and kills what it leaves behind. Errors are ignored from here on: writing to a runner that is
/// gone fails, and the closed socket reports its death.
fn supervise(child: &Child, runner: &mut UnixStream, requests: UnixStream) {
    // The reaper inherited the command's ends of the pipes. While they are open here, the runner cannot see that the
    // command closed them.
    _ = sys::redirect_stdio_to_null();
    let leader = child.id().cast_signed();
    let group = Arc::new(Mutex::new(Some(leader)));
    let shared_group = Arc::clone(&group);
    if thread::Builder::new().spawn(move || handle_requests(requests, &shared_group)).is_err() {
        // Without this thread, requests of the runner could not be handled.
        kill(leader);
    }
    _ = writeln!(runner, "started {leader}");
    let exit = sys::wait_for(leader).unwrap_or(ProcessExit::Unknown);
    kill_remaining(leader, &group);
    _ = match exit {
        ProcessExit::Code(code) => writeln!(runner, "exited {code}"),
        ProcessExit::Signal(number) => writeln!(runner, "killed {number}"),
        ProcessExit::Unknown => Ok(()),
    };
}

fn start(command: &[OsString]) -> io::Result<Child> {
    let (program, arguments) = command.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(arguments).process_group(0);
    sys::kill_with_parent(&mut command);
    command.spawn()
}

fn handle_requests(mut requests: UnixStream, group: &Group) {
    let mut request = [0];
    loop {
        let read = requests.read(&mut request);
        let group = group.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(leader) = *group else { return };
        match (read, request) {
            (Ok(1), [TERMINATE]) => sys::signal(-leader, libc::SIGTERM),
            (Ok(1), _) => kill(leader),
            // The runner is gone, so no result is needed.
            (Ok(_) | Err(_), _) => return kill(leader),
        }
    }
}

fn kill(leader: i32) {
    sys::signal(-leader, libc::SIGKILL);
    for child in children() {
        sys::signal(child, libc::SIGKILL);
    }
}

/// Kills all processes that the exited command left behind, and reaps them. The command's id cannot be reused before
/// the command is reaped here.
fn kill_remaining(leader: i32, group: &Group) {
    sys::signal(-leader, libc::SIGKILL);
    *group.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let mut wait_mode = WaitMode::Poll;
    loop {
        match sys::reap(-1, wait_mode) {
            ReapOutcome::NoChildren => return,
            ReapOutcome::Reaped(_) => wait_mode = WaitMode::Poll,
            ReapOutcome::StillRunning => {
                // Children of a killed process become children of the reaper and are killed in the next round.
                children().into_iter().for_each(|child| sys::signal(child, libc::SIGKILL));
                wait_mode = WaitMode::Block;
            }
        }
    }
}
