//! `pilotlight runner` in a process of its own, started by this program. It does not outlive whoever started it, and
//! neither do its commands. What goes wrong is told on our stderr.

use std::env;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tokio::time::timeout;

use super::processes::this_program;
use super::sys;

/// What it needs to find programs, and they each other.
const PASSED_VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

/// A runner without a job ends within milliseconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The process. It is killed when this is dropped.
#[derive(Debug)]
pub struct RunnerProcess(tokio::process::Child);

impl RunnerProcess {
    /// Starts it with these arguments. The thread that calls this must live as long as the runner shall.
    ///
    /// # Errors
    /// The kernel's.
    pub fn start(arguments: &[&str]) -> io::Result<Self> {
        let mut command = Command::new(this_program()?);
        command.arg0("pilotlight").arg("runner").args(arguments);
        let variables = PASSED_VARIABLES.iter().filter_map(|name| Some((name, env::var_os(name)?)));
        command.env_clear().envs(variables).env("RUST_LOG", "warn");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        sys::kill_with_parent(&mut command);
        let mut command = tokio::process::Command::from(command);
        Ok(Self(command.kill_on_drop(true).spawn()?))
    }

    /// Waits until it ends, which it does not by itself.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Tells it to stop, and waits until it and its commands have ended.
    ///
    /// # Errors
    /// The kernel's.
    pub async fn stop(mut self) -> io::Result<()> {
        if let Some(id) = self.0.id().and_then(|id| i32::try_from(id).ok()) {
            sys::signal(id, libc::SIGTERM);
        }
        match timeout(STOP_TIMEOUT, self.0.wait()).await {
            Ok(ended) => ended.map(drop),
            Err(_) => self.0.kill().await,
        }
    }
}
