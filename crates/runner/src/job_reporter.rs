//! Reports one job to the service: its start, heartbeats with console output and progress, and its end, which is
//! repeated until the service has accepted it. After a report that was refused because of its lease, nothing more is
//! sent.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pilotlight_client::{Client, ClientError, JobRef, Reason, ReportResponse};
use pilotlight_core::command::{Console, LogChunk, ParsedOutput, StderrParser, result_rejected};
use pilotlight_core::job::Progress;
use pilotlight_core::limits::{MAX_RUNNER_BACKOFF, RUNNER_FINAL_REPORT_TIMEOUT, RUNNER_HEARTBEAT_INTERVAL};
use pilotlight_core::retry;
use pilotlight_wire::requests::JobReport;
use pilotlight_wire::runner::NextJob;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::stop_signal::StopSignal;

/// The pause after the first failed report; each further failure doubles it, up to [`MAX_RUNNER_BACKOFF`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How a job ended.
#[derive(Debug)]
pub(super) enum ExecutionOutcome {
    /// The command completed with this result.
    Result(Box<RawValue>),
    /// The command failed, for this reason.
    Failed(String),
    /// The job was cancelled or its lease was lost: no report is sent.
    Abandoned,
}

/// Sends the reports of one job.
#[derive(Debug)]
pub(super) struct JobReporter<'a> {
    client: &'a Client,
    /// The same client with a shorter timeout, a third of the lease, for reports that must be repeated within the
    /// lease.
    short_timeout_client: Client,
    runner: &'a str,
    job: &'a NextJob,
    output: Mutex<OutputState>,
    /// Notified when the job was cancelled or its lease was lost.
    abandoned: Notify,
    execution_ended: Notify,
}

/// The output of the command so far, and what of it was sent.
#[derive(Debug, Default)]
struct OutputState {
    parser: StderrParser,
    console: Console,
    progress: Option<Progress>,
    is_progress_sent: bool,
}

/// The console output that is sent with a report.
#[derive(Debug)]
enum ConsoleUpdate {
    Nothing,
    Replace(String),
    Append(String),
}

impl<'a> JobReporter<'a> {
    pub(super) fn new(client: &'a Client, runner: &'a str, job: &'a NextJob) -> Self {
        let output = Mutex::default();
        let short_timeout_client =
            client.clone().with_response_timeout(Duration::from_millis(job.lease_ms / 3));
        Self {
            client,
            short_timeout_client,
            runner,
            job,
            output,
            abandoned: Notify::new(),
            execution_ended: Notify::new(),
        }
    }

    /// Takes bytes that the command wrote to stderr.
    pub(super) fn on_stderr(&self, bytes: &[u8]) {
        let mut output = self.output();
        let parsed = output.parser.push(bytes);
        output.apply(parsed);
    }

    /// Marks the end of the command's output for this job.
    pub(super) fn on_output_end(&self) {
        let mut output = self.output();
        let parsed = output.parser.finish();
        output.apply(parsed);
        output.console.finish();
        self.execution_ended.notify_one();
    }

    pub(super) fn last_stderr_line(&self) -> String {
        self.output().parser.last_stderr_line().to_owned()
    }

    /// Waits until the job was cancelled or its lease was lost.
    pub(super) async fn wait_until_abandoned(&self) {
        self.abandoned.notified().await;
    }

    /// Reports the start of the job; returns whether the runner may execute it. Repeats the report for a third of the
    /// lease if there is no answer: the service accepts a repeated start.
    pub(super) async fn start(&self, stop: &StopSignal) -> bool {
        let until = Instant::now() + self.lease_third();
        let mut failures = 0;
        loop {
            let failure = match self.short_timeout_client.start(self.job_ref(), self.job.lease).await {
                Ok(ReportResponse::Accepted) => return true,
                Ok(ReportResponse::Stale(why)) => {
                    tracing::info!(job = self.job.job_id, why, "the job's lease was lost before its start");
                    return false;
                }
                Ok(ReportResponse::Cancelled) => return false,
                Err(failure) => failure,
            };
            failures += 1;
            let pause = retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF);
            let is_in_time = failure.is_transient() && Instant::now() + pause < until;
            if !is_in_time || timeout(pause, stop.wait_for_drain()).await.is_ok() {
                tracing::warn!(job = self.job.job_id, "failed to {failure}; another runner gets the job");
                return false;
            }
        }
    }

    fn lease_third(&self) -> Duration {
        Duration::from_millis(self.job.lease_ms / 3)
    }

    /// Sends heartbeats until the command has ended, or until the job was cancelled or its lease was lost.
    pub(super) async fn send_heartbeats(&self) {
        let lease_third = self.lease_third();
        let every = lease_third.min(RUNNER_HEARTBEAT_INTERVAL);
        let mut due = Instant::now() + lease_third;
        let mut is_reachable = true;
        loop {
            tokio::select! {
                () = self.execution_ended.notified() => return,
                () = sleep(every) => {}
            }
            if Instant::now() + every < due && !self.output().has_unsent() {
                continue;
            }
            match self.heartbeat().await {
                Ok(ReportResponse::Accepted) => (due, is_reachable) = (Instant::now() + lease_third, true),
                Ok(response) => {
                    let why = match response {
                        ReportResponse::Stale(why) => why,
                        ReportResponse::Cancelled | ReportResponse::Accepted => "it was cancelled".to_owned(),
                    };
                    tracing::info!(job = self.job.job_id, why, "a job was cancelled or its lease was lost");
                    self.abandoned.notify_one();
                    return;
                }
                Err(failure) if is_reachable => {
                    tracing::warn!(job = self.job.job_id, "failed to {failure}; the command continues");
                    is_reachable = false;
                }
                Err(_) => {}
            }
        }
    }

    async fn heartbeat(&self) -> Result<ReportResponse, ClientError> {
        let (update, progress) = (self.next_console_update(), self.output().progress);
        let event = JobReport {
            progress_current: progress.map(|at| at.current),
            progress_total: progress.map(|at| at.total),
            ..self.event_with(&update)
        };
        let response = self.short_timeout_client.heartbeat(self.job_ref(), &event).await;
        let mut output = self.output();
        output.is_progress_sent |= response.is_ok() && output.progress == progress;
        output.on_response(&response);
        response
    }

    /// Reports how the job ended. Repeats the report until the service accepts or refuses it, or the runner must end.
    pub(super) async fn report(&self, mut outcome: ExecutionOutcome, stop: &StopSignal) {
        let mut deadline = pin!(stop.wait_for_termination(RUNNER_FINAL_REPORT_TIMEOUT));
        let mut failures = 0;
        loop {
            let reported = tokio::select! {
                reported = self.send_report(&mut outcome) => reported,
                () = deadline.as_mut() => return self.give_up(),
            };
            let Err(failure) = reported else { return };
            failures += 1;
            if failures == 1 {
                tracing::warn!(job = self.job.job_id, "failed to {failure}; trying again");
            }
            let pause = retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF);
            if !failure.is_transient() || timeout(pause, deadline.as_mut()).await.is_ok() {
                return self.give_up();
            }
        }
    }

    fn give_up(&self) {
        tracing::warn!(job = self.job.job_id, "gave up reporting how a job ended; its lease expires");
    }

    async fn send_report(&self, outcome: &mut ExecutionOutcome) -> Result<(), ClientError> {
        loop {
            if let ExecutionOutcome::Abandoned = outcome {
                return Ok(());
            }
            while self.output().console.chunks_left() > 1 {
                match self.heartbeat().await {
                    Ok(response) if self.is_final(response.clone()) => return Ok(()),
                    // The service accepts no more console output; the rest is not sent.
                    Ok(_) | Err(ClientError { reason: Reason::Refused(400, _), .. }) => {}
                    Err(failure) => return Err(failure),
                }
            }
            let update = self.next_console_update();
            let event = self.event_with(&update);
            let response = match &*outcome {
                ExecutionOutcome::Result(output) => {
                    self.client
                        .complete(self.job_ref(), &JobReport { output_data: Some(output), ..event })
                        .await
                }
                ExecutionOutcome::Failed(why) => {
                    self.client.fail(self.job_ref(), &JobReport { error_message: Some(why), ..event }).await
                }
                ExecutionOutcome::Abandoned => return Ok(()),
            };
            self.output().on_response(&response);
            match response {
                Ok(response) => {
                    self.is_final(response);
                    return Ok(());
                }
                // The service refuses the console output or the result. The report is repeated first without the
                // console output, then as a failure without the result.
                Err(failure) if failure.status() == Some(400) => match (update, &*outcome) {
                    (ConsoleUpdate::Replace(_) | ConsoleUpdate::Append(_), _) => {}
                    (ConsoleUpdate::Nothing, ExecutionOutcome::Result(_)) => {
                        *outcome =
                            ExecutionOutcome::Failed(result_rejected(failure.refusal().unwrap_or_default()));
                    }
                    (ConsoleUpdate::Nothing, ExecutionOutcome::Failed(_) | ExecutionOutcome::Abandoned) => {
                        return Err(failure);
                    }
                },
                Err(failure) => return Err(failure),
            }
        }
    }

    fn is_final(&self, response: ReportResponse) -> bool {
        match response {
            ReportResponse::Accepted => false,
            ReportResponse::Cancelled => true,
            ReportResponse::Stale(why) => {
                tracing::info!(
                    job = self.job.job_id,
                    why,
                    "a report was refused because of its lease and is dropped"
                );
                true
            }
        }
    }

    fn next_console_update(&self) -> ConsoleUpdate {
        match self.output().console.next_chunk() {
            LogChunk::None => ConsoleUpdate::Nothing,
            LogChunk::Replace(text) => ConsoleUpdate::Replace(text.to_owned()),
            LogChunk::Append(text) => ConsoleUpdate::Append(text.to_owned()),
        }
    }

    fn event_with<'t>(&self, update: &'t ConsoleUpdate) -> JobReport<'t> {
        let event = JobReport { lease: self.job.lease, ..JobReport::default() };
        match update {
            ConsoleUpdate::Nothing => event,
            ConsoleUpdate::Replace(text) => JobReport { console_output: Some(text), ..event },
            ConsoleUpdate::Append(text) => JobReport { console_append: Some(text), ..event },
        }
    }

    fn job_ref(&self) -> JobRef<'_> {
        JobRef { runner: self.runner, id: &self.job.job_id }
    }

    fn output(&self) -> MutexGuard<'_, OutputState> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OutputState {
    fn apply(&mut self, parsed: ParsedOutput) {
        self.console.write(&parsed.text);
        if parsed.progress.is_some() {
            (self.progress, self.is_progress_sent) = (parsed.progress, false);
        }
    }

    fn has_unsent(&self) -> bool {
        self.console.has_unsent() || (self.progress.is_some() && !self.is_progress_sent)
    }

    fn on_response(&mut self, response: &Result<ReportResponse, ClientError>) {
        match response {
            Ok(_) => self.console.acked(),
            Err(failure) if failure.status() == Some(400) => self.console.close(),
            Err(_) => self.console.nacked(),
        }
    }
}
