//! The guard: a small process between the runner and each command, and the reason why nothing of a command remains. All
//! that the command starts, however far it goes away, comes back to the guard when its own parent is gone; when the
//! command has ended, or the runner says so, or the runner is gone, the guard kills all of it.
//!
//! The runner holds the other end of a socket: `t` asks the command to end (SIGTERM to its group), `k` kills everything,
//! and so does the end of the socket. The guard tells `started <pid>` or `failed <why>`, and at last `exited <code>` or
//! `killed <signal>`, when nothing is left. A guard that is killed takes the command with it (`PR_SET_PDEATHSIG`); what
//! that had started comes to the runner, which kills it.

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

/// Ask the command to end.
pub(super) const TERMINATE: u8 = b't';

/// Kill everything.
pub(super) const KILL: u8 = b'k';

/// The command's group, as long as its number is its own.
type Group = Arc<Mutex<Option<i32>>>;

/// Starts the command and watches over it until nothing of it is left.
///
/// # Errors
/// The descriptor is no socket, or the kernel refuses what a guard needs; then there is no command.
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

/// From here on nothing is a reason to leave: a runner that is gone hears nothing, and is heard of by its silence.
fn supervise(child: &Child, runner: &mut UnixStream, requests: UnixStream) {
    // While we hold its ends of the pipes, nobody sees that it closed them.
    _ = sys::redirect_stdio_to_null();
    let leader = child.id().cast_signed();
    let group = Arc::new(Mutex::new(Some(leader)));
    let shared_group = Arc::clone(&group);
    if thread::Builder::new().spawn(move || handle_requests(requests, &shared_group)).is_err() {
        // Nobody would hear the runner.
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
            // The runner is gone, and nobody wants the result.
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

/// The command has ended: so does all that it left behind. Its own number is not used anew before it is reaped.
fn kill_remaining(leader: i32, group: &Group) {
    sys::signal(-leader, libc::SIGKILL);
    *group.lock().unwrap_or_else(PoisonError::into_inner) = None;
    let mut wait_mode = WaitMode::Poll;
    loop {
        match sys::reap(-1, wait_mode) {
            ReapOutcome::NoChildren => return,
            ReapOutcome::Reaped(_) => wait_mode = WaitMode::Poll,
            ReapOutcome::StillRunning => {
                // Orphans of the killed become our children, and are found in the next round.
                children().into_iter().for_each(|child| sys::signal(child, libc::SIGKILL));
                wait_mode = WaitMode::Block;
            }
        }
    }
}
