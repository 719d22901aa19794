//! System calls about processes that have no safe wrapper. Each function makes one or two system calls and keeps no
//! state. This module must not decide which process to kill: its callers do.
#![allow(
    unsafe_code,
    reason = "waiting without reaping, process groups and inherited descriptors have no safe wrapper"
)]

use std::io;
use std::mem::zeroed;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

use pilotlight_core::command::ProcessExit;

/// The outcome of reaping a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReapOutcome {
    /// The child with this id was reaped.
    Reaped(i32),
    /// There are children, and all of them are running.
    StillRunning,
    /// There are no children.
    NoChildren,
}

/// Whether to wait until a child exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitMode {
    Block,
    Poll,
}

/// Makes the socket inheritable by processes that are started from now on.
pub(super) fn make_inheritable(stream: &UnixStream) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as `stream` is borrowed; no pointer is passed.
    check(unsafe { libc::fcntl(stream.as_raw_fd(), libc::F_SETFD, 0) })
}

/// Takes ownership of an inherited socket, and makes it not inheritable by processes that are started from now on.
pub(super) fn take_inherited(descriptor: RawFd) -> io::Result<UnixStream> {
    if descriptor <= libc::STDERR_FILENO {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: no pointer is passed; a number that is not a descriptor returns an error.
    check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the descriptor is open, and nothing else in this process uses it: the parent process opened it for this
    // call.
    Ok(unsafe { UnixStream::from_raw_fd(descriptor) })
}

/// How many bytes in the pipe are not read yet; 0 if that is not known.
pub(super) fn unread_bytes(pipe: &impl AsRawFd) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as `pipe` is borrowed, and the pointer is to `bytes`, which outlives the
    // call.
    let status = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if status == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Makes this process a subreaper: descendants whose parents exit become its children. Does nothing on other platforms
/// than Linux.
pub(super) fn adopt_orphans() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    // SAFETY: no pointer is passed.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })?;
    Ok(())
}

/// Makes the kernel kill the process that `command` starts when the thread that starts it exits. Linux only.
pub(super) fn kill_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec the closure makes one system call, which allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0)));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// Redirects standard input, output and error to the null device.
pub(super) fn redirect_stdio_to_null() -> io::Result<()> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    for descriptor in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: `null` is open; the kernel replaces `descriptor` atomically, and no value of this process owns it.
        check(unsafe { libc::dup2(null.as_raw_fd(), descriptor) })?;
    }
    Ok(())
}

/// Sends a signal to a process, or with a negative id to a process group. A process that is gone is not an error.
pub(super) fn signal(pid: i32, signal: i32) {
    // SAFETY: no pointer is passed.
    _ = unsafe { libc::kill(pid, signal) };
}

/// Waits until this child has exited, without reaping it: its id cannot be reused yet.
pub(super) fn wait_for(child: i32) -> io::Result<ProcessExit> {
    let id = libc::id_t::try_from(child).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: zeroes are a valid siginfo_t, a plain C struct.
    let mut info: libc::siginfo_t = unsafe { zeroed() };
    loop {
        // SAFETY: `info` is a siginfo_t that lives until the call returns.
        let waited = unsafe { libc::waitid(libc::P_PID, id, &raw mut info, libc::WEXITED | libc::WNOWAIT) };
        match check(waited) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    // SAFETY: the call succeeded, so the fields about a child process are set.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { ProcessExit::Code(status) } else { ProcessExit::Signal(status) })
}

/// Reaps an exited child: the one with this id, or any child for -1.
pub(super) fn reap(pid: i32, wait_mode: WaitMode) -> ReapOutcome {
    let options = match wait_mode {
        WaitMode::Block => 0,
        WaitMode::Poll => libc::WNOHANG,
    };
    loop {
        // SAFETY: a null pointer is allowed and means that the status is not needed.
        let reaped = unsafe { libc::waitpid(pid, std::ptr::null_mut(), options) };
        match reaped {
            0 => return ReapOutcome::StillRunning,
            1.. => return ReapOutcome::Reaped(reaped),
            _ if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
            _ => return ReapOutcome::NoChildren,
        }
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
