//! Executes one job by a new command: parameters on stdin, the result on stdout, console output on stderr.

use std::ffi::OsString;
use std::pin::pin;
use std::time::Duration;

use pilotlight_core::command::{CommandExit, KillReason, ProcessExit, cannot_start, command_result};
use pilotlight_wire::runner::NextJob;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::Worker;
use crate::child::{Child, ControlSocket, ExitWatcher, Pipes};
use crate::job_reporter::{ExecutionOutcome, JobReporter};
use crate::result;
use crate::settings::JobCommand;

/// A killed command is gone within this time, unless the kernel cannot end it.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// Why a command is stopped.
#[derive(Debug, Clone, Copy)]
pub(super) enum StopReason {
    /// The job fails with this reason.
    Killed(KillReason),
    /// The job was cancelled or its lease was lost; nothing is reported.
    Abandoned,
}

/// A command's stdout and how it exited.
struct CommandResult {
    exit: ProcessExit,
    /// `None` if the output is too long.
    stdout: Option<Vec<u8>>,
}

impl Worker {
    /// Executes the job by a new command.
    pub(super) async fn run_one_shot(
        &self,
        job_command: &JobCommand,
        job: &NextJob,
        job_reporter: &JobReporter<'_>,
    ) -> ExecutionOutcome {
        let environment = self.environment().chain(job_environment(job));
        let child = match Child::start(&self.reapers, job_command, environment).await {
            Ok(child) => child,
            Err(error) => return ExecutionOutcome::Failed(cannot_start(&error.to_string())),
        };
        let Child { pipes, mut control, mut exit_watcher, id: _ } = child;
        let output_too_long = Notify::new();
        let mut running =
            pin!(self.run(pipes, job.input_params.get(), &mut exit_watcher, job_reporter, &output_too_long));
        let first = tokio::select! {
            finished = &mut running => Ok(finished),
            why = self.wait_for_stop_reason(job_reporter, &output_too_long) => Err(why),
        };
        let (finished, why) = match first {
            Ok(finished) => (Some(finished), None),
            Err(why) => (self.terminate(&mut control, running).await, Some(why)),
        };
        let CommandResult { exit, stdout } =
            finished.unwrap_or(CommandResult { exit: ProcessExit::Unknown, stdout: None });
        let kill_reason = match why {
            Some(StopReason::Abandoned) => return ExecutionOutcome::Abandoned,
            Some(StopReason::Killed(kill_reason)) => Some(kill_reason),
            // The command exited before it was killed for its output.
            None if stdout.is_none() => Some(KillReason::OutputTooLarge(self.settings.output_bytes)),
            None => None,
        };
        let (stdout, output) = result::read(&stdout.unwrap_or_default());
        let last_stderr_line = job_reporter.last_stderr_line();
        match command_result(&CommandExit { exit, kill_reason, stdout, last_stderr_line: &last_stderr_line })
        {
            Ok(()) => output.map_or(ExecutionOutcome::Abandoned, ExecutionOutcome::Result),
            Err(why) => ExecutionOutcome::Failed(why),
        }
    }

    async fn run(
        &self,
        Pipes { stdin, stdout, stderr }: Pipes,
        input: &str,
        exit_watcher: &mut ExitWatcher,
        job_reporter: &JobReporter<'_>,
        output_too_long: &Notify,
    ) -> CommandResult {
        let ((), stdout, (), exit) = tokio::join!(
            write_stdin(stdin, input),
            read_stdout(stdout, self.settings.output_bytes, output_too_long),
            forward_stderr(stderr, job_reporter),
            exit_watcher.wait(),
        );
        CommandResult { exit, stdout }
    }

    /// Waits for a reason to stop the command.
    pub(super) async fn wait_for_stop_reason(
        &self,
        job_reporter: &JobReporter<'_>,
        output_too_long: &Notify,
    ) -> StopReason {
        let timed_out = async {
            match self.settings.timeout {
                Some(time) => {
                    sleep(time).await;
                    time
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            time = timed_out => StopReason::Killed(KillReason::TimedOut(time)),
            () = output_too_long.notified() => StopReason::Killed(KillReason::OutputTooLarge(self.settings.output_bytes)),
            () = self.stop.wait_for_termination(Duration::ZERO) => StopReason::Killed(KillReason::Stopped),
            () = job_reporter.wait_until_abandoned() => StopReason::Abandoned,
        }
    }

    /// Sends SIGTERM to the command, and kills it if it does not end within `kill_after`. `None` if it does not end at
    /// all.
    pub(super) async fn terminate<T>(
        &self,
        control: &mut ControlSocket,
        mut running: std::pin::Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        control.terminate().await;
        if let Ok(finished) = timeout(self.settings.kill_after, running.as_mut()).await {
            return Some(finished);
        }
        control.kill().await;
        let finished = timeout(KILL_TIMEOUT, running).await.ok();
        if finished.is_none() {
            tracing::error!("a command was killed but does not end; the kernel blocks it");
        }
        finished
    }
}

/// The environment variables that describe the job.
fn job_environment(job: &NextJob) -> impl Iterator<Item = (OsString, OsString)> + use<> {
    let attempt = job.attempt.to_string();
    [("PILOTLIGHT_JOB_ID".into(), job.job_id.clone().into()), ("PILOTLIGHT_ATTEMPT".into(), attempt.into())]
        .into_iter()
}

/// Writes the parameters. A command that does not read all of them is not an error.
async fn write_stdin(mut stdin: ChildStdin, input: &str) {
    _ = stdin.write_all(input.as_bytes()).await;
}

/// Reads stdout to its end. If it has more than `max_bytes`, notifies `output_too_long` and returns `None`.
async fn read_stdout(
    mut stdout: impl AsyncRead + Unpin,
    max_bytes: usize,
    output_too_long: &Notify,
) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = stdout.read(&mut chunk).await {
        if bytes.len() + read > max_bytes {
            output_too_long.notify_one();
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
    Some(bytes)
}

async fn forward_stderr(mut stderr: ChildStderr, job_reporter: &JobReporter<'_>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        job_reporter.on_stderr(&chunk[..read]);
    }
}
