//! The warm processes of a worker: one per job type, ready for the next job.
//!
//! A process that violates the protocol or reaches a recycle limit is replaced, also while it is idle. `exchange`
//! executes a single job.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use pilotlight_core::command::{
    ProcessExit, RecycleLimits, cannot_start, reported_error, unsolicited_output, warm_process_ended,
};
use pilotlight_wire::runner::NextJob;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::Worker;
use super::one_shot::StopReason;
use crate::child::{Child, Pipes};
use crate::exchange::{ExchangeOutcome, InputLine, WarmProcess, read_stderr};
use crate::job_reporter::{ExecutionOutcome, JobReporter};
use crate::processes::resident_bytes;
use crate::result;
use crate::settings::{JobCommand, ProcessMode};

/// How many processes may get the same job, one after the other, as long as none of them can have read it.
const MAX_PROCESSES_PER_JOB: usize = 3;

impl Worker {
    /// Starts the missing warm processes, one per job type. If a type's last process ended before it executed a job,
    /// the next one is started only with the next job.
    pub(super) async fn warm_up(&mut self) {
        let ProcessMode::Warm(limits) = self.settings.process_mode else { return };
        self.retire_unusable(&limits);
        for number in 0..self.settings.commands.len() {
            let job_command = &self.settings.commands[number];
            if !self.warm_processes.contains_key(&job_command.name)
                && !self.cold_types.contains(&job_command.name)
                && let Ok(process) = self.start_process(job_command).await
            {
                let name = job_command.name.clone();
                self.warm_processes.insert(name, process);
            }
        }
    }

    fn retire_unusable(&mut self, limits: &RecycleLimits) {
        let (settings, retiring, cold_types) = (&self.settings, &mut self.retiring, &mut self.cold_types);
        for (name, process) in self.warm_processes.extract_if(|_, process| !process.is_reusable(limits)) {
            if process.has_failed() && process.usage.jobs == 0 {
                cold_types.insert(name);
            }
            retiring.spawn(retire(process, settings.kill_after));
        }
    }

    async fn start_process(&self, job_command: &JobCommand) -> std::io::Result<WarmProcess> {
        WarmProcess::new(Child::start(&self.reapers, job_command, self.environment()).await?)
    }

    /// Executes the job by the warm process of its type, or by a new process if the first one cannot have read the job.
    pub(super) async fn run_warm(
        &mut self,
        job_command: &JobCommand,
        job: &NextJob,
        job_reporter: &JobReporter<'_>,
    ) -> ExecutionOutcome {
        let mut started = self.take_process(job_command).await;
        let mut processes = 1;
        loop {
            let process = match started {
                Ok(process) => process,
                Err(error) => return ExecutionOutcome::Failed(cannot_start(&error.to_string())),
            };
            match self.exchange_with(process, job_command, job, job_reporter).await {
                Ok(outcome) => return outcome,
                Err(why) if processes == MAX_PROCESSES_PER_JOB => return ExecutionOutcome::Failed(why),
                Err(_) => processes += 1,
            }
            started = self.start_process(job_command).await;
        }
    }

    /// Executes the job by this process. `Err` is why the process cannot have read the job, so that another may get it.
    async fn exchange_with(
        &mut self,
        mut process: WarmProcess,
        job_command: &JobCommand,
        job: &NextJob,
        job_reporter: &JobReporter<'_>,
    ) -> Result<ExecutionOutcome, String> {
        let input = InputLine::new(job.input_params.get());
        let output_too_long = Notify::new();
        let reporter = process.early_stderr_reporter(job_reporter);
        let outcome = tokio::select! {
            outcome = process.exchange(&input, self.settings.output_bytes, &output_too_long, job_reporter) => Ok(outcome),
            why = self.wait_for_stop_reason(job_reporter, &output_too_long) => Err(why),
        };
        Ok(match outcome {
            Ok(ExchangeOutcome::ClosedBeforeRead) => {
                let exit = self.discard(process, reporter).await;
                return Err(warm_process_ended(exit, None, &job_reporter.last_stderr_line()));
            }
            Ok(ExchangeOutcome::UnsolicitedOutput) => {
                tracing::warn!(
                    job_type = job_command.name,
                    "a warm process wrote output before it read its job; it is replaced"
                );
                self.discard(process, reporter).await;
                return Err(unsolicited_output());
            }
            Ok(ExchangeOutcome::Response(line)) => {
                process.drain_stderr(Some(job_reporter));
                process.usage.record_job(resident_bytes(process.child.id));
                self.put_back(job_command, process);
                outcome_of_line(&line)
            }
            Ok(ExchangeOutcome::ExtraOutput(line)) => {
                process.drain_stderr(Some(job_reporter));
                tracing::warn!(
                    job_type = job_command.name,
                    "a warm process wrote more than one line for a job; it is replaced"
                );
                self.discard(process, Some(job_reporter)).await;
                outcome_of_line(&line)
            }
            Ok(ExchangeOutcome::StdoutClosed) => {
                let exit = self.discard(process, Some(job_reporter)).await;
                ExecutionOutcome::Failed(warm_process_ended(exit, None, &job_reporter.last_stderr_line()))
            }
            Err(why) => {
                let exit = self.discard(process, Some(job_reporter)).await;
                match why {
                    StopReason::Abandoned => ExecutionOutcome::Abandoned,
                    StopReason::Killed(killed) => {
                        ExecutionOutcome::Failed(warm_process_ended(exit, Some(killed), ""))
                    }
                }
            }
        })
    }

    async fn take_process(&mut self, job_command: &JobCommand) -> std::io::Result<WarmProcess> {
        if let ProcessMode::Warm(limits) = self.settings.process_mode {
            self.retire_unusable(&limits);
        }
        match self.warm_processes.remove(&job_command.name) {
            Some(process) => Ok(process),
            None => self.start_process(job_command).await,
        }
    }

    fn put_back(&mut self, job_command: &JobCommand, process: WarmProcess) {
        let ProcessMode::Warm(limits) = self.settings.process_mode else { return };
        self.cold_types.remove(&job_command.name);
        match process.recycle_reason(&limits) {
            Some(reason) => {
                tracing::debug!(
                    job_type = job_command.name,
                    jobs = process.usage.jobs,
                    "a warm process {reason} and is replaced"
                );
                self.retiring.spawn(retire(process, self.settings.kill_after));
            }
            None => {
                self.warm_processes.insert(job_command.name.clone(), process);
            }
        }
    }

    /// Stops the process and all processes that it started. Its remaining stderr output goes to `reporter`, if there is
    /// one.
    async fn discard(&self, process: WarmProcess, reporter: Option<&JobReporter<'_>>) -> ProcessExit {
        let WarmProcess { child: Child { pipes, mut control, mut exit_watcher, .. }, .. } = process;
        let Pipes { stdin, stdout, mut stderr } = pipes;
        drop((stdin, stdout));
        let running = pin!(async {
            let ((), exit) = tokio::join!(read_stderr(&mut stderr, reporter), exit_watcher.wait());
            exit
        });
        // A process that closed its stdout usually exits by itself.
        self.terminate(&mut control, running).await.unwrap_or(ProcessExit::Unknown)
    }
}

/// Waits until one of the idle processes can no longer be used; without processes, waits for ever. Cancellation-safe.
pub(super) async fn wait_until_one_unusable(
    warm_processes: &mut HashMap<String, WarmProcess>,
    process_mode: ProcessMode,
) {
    let ProcessMode::Warm(limits) = process_mode else { return std::future::pending().await };
    let mut all: Vec<_> =
        warm_processes.values_mut().map(|process| Box::pin(process.wait_until_unusable(limits))).collect();
    poll_fn(|context| {
        let is_one = all.iter_mut().any(|one| one.as_mut().poll(context).is_ready());
        if is_one { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

/// Ends a replaced process: closes its stdin, and kills it if it does not exit within `kill_after`.
pub(super) async fn retire(process: WarmProcess, kill_after: Duration) {
    let WarmProcess {
        child: Child { pipes: Pipes { stdin, mut stdout, mut stderr }, mut control, mut exit_watcher, .. },
        ..
    } = process;
    drop(stdin);
    let mut ended = pin!(async {
        tokio::join!(discard_output(&mut stdout), discard_output(&mut stderr), exit_watcher.wait());
    });
    if timeout(kill_after, ended.as_mut()).await.is_err() {
        control.kill().await;
        ended.await;
    }
}

async fn discard_output(pipe: &mut (impl AsyncReadExt + Unpin)) {
    let mut chunk = vec![0; 4096];
    while let Ok(1..) = pipe.read(&mut chunk).await {}
}

fn outcome_of_line(line: &[u8]) -> ExecutionOutcome {
    if let Some(why) = std::str::from_utf8(line).ok().and_then(reported_error) {
        return ExecutionOutcome::Failed(why);
    }
    let (stdout, output) = result::read(line);
    match stdout.into_result() {
        Ok(()) => output.map_or(ExecutionOutcome::Abandoned, ExecutionOutcome::Result),
        Err(why) => ExecutionOutcome::Failed(why),
    }
}
