//! Calls about processes that have no safe wrapper. Each function is one system call or two, and keeps nothing; who is to
//! be killed is decided elsewhere.
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

/// What became of waiting for children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReapOutcome {
    /// This one is gone.
    Reaped(i32),
    /// There are some, and all of them run.
    StillRunning,
    /// There are none.
    NoChildren,
}

/// Whether to wait until one ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitMode {
    Block,
    Poll,
}

/// A process that is started from now on inherits it.
pub(super) fn make_inheritable(stream: &UnixStream) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as `stream` is borrowed; no pointer is passed.
    check(unsafe { libc::fcntl(stream.as_raw_fd(), libc::F_SETFD, 0) })
}

/// What was inherited, which no process that is started from now on inherits.
pub(super) fn take_inherited(descriptor: RawFd) -> io::Result<UnixStream> {
    if descriptor <= libc::STDERR_FILENO {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: no pointer is passed; a number that is no descriptor is an error.
    check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: it is open, and nothing else in this process knows of it: whoever started us opened it for this.
    Ok(unsafe { UnixStream::from_raw_fd(descriptor) })
}

/// Bytes in a pipe that nobody has read; 0 when nobody knows.
pub(super) fn unread_bytes(pipe: &impl AsRawFd) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open as long as `pipe` is borrowed, and the pointer is to `bytes`, which outlives the call.
    let status = unsafe { libc::ioctl(pipe.as_raw_fd(), libc::FIONREAD, &raw mut bytes) };
    if status == 0 { usize::try_from(bytes).unwrap_or(0) } else { 0 }
}

/// Descendants whose parents are gone become children of this process. Without effect where there is no such thing.
pub(super) fn adopt_orphans() -> io::Result<()> {
    #[cfg(target_os = "linux")]
    // SAFETY: no pointer is passed.
    check(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) })?;
    Ok(())
}

/// The process that `command` starts is killed when the thread that starts it ends.
pub(super) fn kill_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    // SAFETY: between fork and exec it makes one system call, which allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(|| check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0)));
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// Standard input, output and error are the null device from now on.
pub(super) fn redirect_stdio_to_null() -> io::Result<()> {
    let null = std::fs::File::options().read(true).write(true).open("/dev/null")?;
    for descriptor in [libc::STDIN_FILENO, libc::STDOUT_FILENO, libc::STDERR_FILENO] {
        // SAFETY: `null` is open; the other is replaced by the kernel at once, and nothing of ours owns it.
        check(unsafe { libc::dup2(null.as_raw_fd(), descriptor) })?;
    }
    Ok(())
}

/// Sends a signal to a process, or with a negative number to a group. One that is gone is no error.
pub(super) fn signal(pid: i32, signal: i32) {
    // SAFETY: no pointer is passed.
    _ = unsafe { libc::kill(pid, signal) };
}

/// Waits until this child has ended, and leaves it there: its number stays its own.
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
    // SAFETY: the call succeeded, so the fields about a child are filled.
    let status = unsafe { info.si_status() };
    Ok(if info.si_code == libc::CLD_EXITED { ProcessExit::Code(status) } else { ProcessExit::Signal(status) })
}

/// Reaps a child that has ended: this one, or any with -1.
pub(super) fn reap(pid: i32, wait_mode: WaitMode) -> ReapOutcome {
    let options = match wait_mode {
        WaitMode::Block => 0,
        WaitMode::Poll => libc::WNOHANG,
    };
    loop {
        // SAFETY: the kernel takes a null pointer for "not interested".
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
