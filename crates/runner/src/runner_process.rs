//! Starts `pilotlight runner` as a child process, for the demo.
//!
//! The runner and its commands never outlive the process that started it. It writes errors to the stderr of that
//! process.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;
use std::{env, io};

use tokio::time::timeout;

use super::processes::this_program;
use super::sys;

/// Variables passed to the runner: it and its commands need them to find programs and to write text.
const PASSED_VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

/// How long a runner may take to stop; without a job it needs milliseconds.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// A runner's process. It is killed when this value is dropped.
#[derive(Debug)]
pub struct RunnerProcess(tokio::process::Child);

impl RunnerProcess {
    /// Starts a runner with these arguments. The kernel kills the runner when the calling thread exits.
    ///
    /// # Errors
    /// The kernel's error.
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

    /// Waits until the runner exits, which it does only after a failure or a signal.
    ///
    /// # Errors
    /// The kernel's error.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.0.wait().await
    }

    /// Stops the runner and waits until it and its commands have exited; kills it after 5 s.
    ///
    /// # Errors
    /// The kernel's error.
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
