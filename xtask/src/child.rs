//! Child processes. They keep the terminal they were started in, so that a person sees their progress.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// How often a child with a deadline is looked at.
const POLL: Duration = Duration::from_millis(100);

/// The workspace's root: every child starts there.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace's root")
}

/// Cargo's target folder, wherever it is: this program was built into one of its profiles' folders.
pub(crate) fn target_folder() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("failed to find this program's own path")?;
    let target = own.parent().and_then(Path::parent);
    Ok(target.context("failed to find the target folder")?.to_owned())
}

/// A command that starts in the workspace's root.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(root());
    command
}

/// The cargo that runs this program.
pub(crate) fn cargo() -> Command {
    command(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// Runs the command to its end; anything but success is an error that names it.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let line = command_line(command);
    let status = command.status().with_context(|| format!("failed to start `{line}`"))?;
    if !status.success() {
        bail!("`{line}` ended with {status}");
    }
    Ok(())
}

/// Runs the command and returns its standard output, trimmed. The error is one line: why it failed.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) => return Err(start_failure(command, &error)),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` failed: {}", command_line(command), first_line(&stderr)))
}

/// Runs the command without its output and kills it at the deadline. The error is one line: why it failed.
pub(crate) fn run_within(command: &mut Command, deadline: Duration) -> Result<(), String> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|error| start_failure(command, &error))?;
    match wait_until(&mut child, Instant::now() + deadline) {
        Ok(Some(status)) if status.success() => Ok(()),
        Ok(Some(status)) => Err(format!("`{}` ended with {status}", command_line(command))),
        Ok(None) => {
            _ = child.kill();
            _ = child.wait();
            Err(format!("`{}` did not end within {} s", command_line(command), deadline.as_secs()))
        }
        Err(error) => Err(format!("failed to wait for `{}`: {error}", command_line(command))),
    }
}

fn wait_until(child: &mut Child, deadline: Instant) -> std::io::Result<Option<ExitStatus>> {
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= deadline {
            return Ok(status);
        }
        thread::sleep(POLL);
    }
}

fn start_failure(command: &Command, error: &std::io::Error) -> String {
    if error.kind() == ErrorKind::NotFound {
        return format!("`{}` is not installed", program_name(command));
    }
    format!("`{}` does not start: {error}", command_line(command))
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or("it printed no reason").trim()
}

/// The command as a person would type it.
fn command_line(command: &Command) -> String {
    let words = command.get_args().map(OsStr::to_string_lossy);
    std::iter::once(program_name(command)).chain(words).collect::<Vec<_>>().join(" ")
}

fn program_name(command: &Command) -> Cow<'_, str> {
    Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_is_killed_at_its_deadline() {
        let started = Instant::now();
        let error = run_within(command("sleep").arg("60"), Duration::from_millis(300)).unwrap_err();
        assert!(started.elapsed() < Duration::from_secs(30));
        assert_eq!(error, "`sleep 60` did not end within 0 s");
    }

    #[test]
    fn a_child_that_ends_before_its_deadline_keeps_its_result() {
        assert_eq!(run_within(&mut command("true"), Duration::from_secs(60)), Ok(()));
        assert!(run_within(&mut command("false"), Duration::from_secs(60)).is_err());
    }

    #[test]
    fn a_program_that_is_not_there_is_named() {
        let error = output(command("no-such-program").arg("--version")).unwrap_err();
        assert_eq!(error, "`no-such-program` is not installed");
    }
}
