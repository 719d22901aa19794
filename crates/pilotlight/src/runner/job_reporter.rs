//! Speaks to the service about one job: that it lives, what its command writes, and how it ended, until that is taken.
//! A word that was refused for its lease is the last one.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pilotlight_core::command::{Console, LogChunk, ParsedOutput, StderrParser, result_rejected};
use pilotlight_core::job::Progress;
use pilotlight_core::limits::{MAX_RUNNER_BACKOFF, RUNNER_FINAL_REPORT_TIMEOUT, RUNNER_HEARTBEAT_INTERVAL};
use pilotlight_core::retry;
use pilotlight_wire::requests::JobReport;
use pilotlight_wire::runner::NextJob;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::lifecycle::StopSignal;
use crate::client::{Client, ClientError, JobRef, Reason, ReportResponse};

/// The pause after the first report that did not arrive; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How a job ended.
#[derive(Debug)]
pub(super) enum ExecutionOutcome {
    /// With this result.
    Result(Box<RawValue>),
    /// Without one, for this reason.
    Failed(String),
    /// Nobody is to be told.
    Abandoned,
}

/// What is said of one job.
#[derive(Debug)]
pub(super) struct JobReporter<'a> {
    client: &'a Client,
    /// The same, which waits for an answer as long as the lease allows.
    short_timeout_client: Client,
    runner: &'a str,
    job: &'a NextJob,
    output: Mutex<OutputState>,
    /// The service does not want it executed any more.
    abandoned: Notify,
    execution_ended: Notify,
}

/// What was heard of the command.
#[derive(Debug, Default)]
struct OutputState {
    parser: StderrParser,
    console: Console,
    progress: Option<Progress>,
    is_progress_sent: bool,
}

/// What of the console goes with a word.
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

    /// The command wrote this to stderr.
    pub(super) fn on_stderr(&self, bytes: &[u8]) {
        let mut output = self.output();
        let parsed = output.parser.push(bytes);
        output.apply(parsed);
    }

    /// The command writes no more for this job.
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

    /// Waits until the service does not want the job executed any more.
    pub(super) async fn wait_until_abandoned(&self) {
        self.abandoned.notified().await;
    }

    /// Says that the runner is there to execute it, again for a third of the lease where the answer does not come: a
    /// start that was taken is taken once more.
    pub(super) async fn start(&self, stop: &StopSignal) -> bool {
        let until = Instant::now() + self.lease_third();
        let mut failures = 0;
        loop {
            let failure = match self.short_timeout_client.start(self.job_ref(), self.job.lease).await {
                Ok(ReportResponse::Accepted) => return true,
                Ok(ReportResponse::Stale(why)) => {
                    tracing::info!(job = self.job.job_id, why, "came too late for a job");
                    return false;
                }
                Ok(ReportResponse::Cancelled) => return false,
                Err(failure) => failure,
            };
            failures += 1;
            let pause = retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF);
            let is_in_time = failure.is_transient() && Instant::now() + pause < until;
            if !is_in_time || timeout(pause, stop.wait_for_drain()).await.is_ok() {
                tracing::warn!(job = self.job.job_id, "failed to {failure}; the job goes to another runner");
                return false;
            }
        }
    }

    fn lease_third(&self) -> Duration {
        Duration::from_millis(self.job.lease_ms / 3)
    }

    /// Gives signs of life until the command has ended, or nobody wants it any more.
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
                    tracing::info!(job = self.job.job_id, why, "a job is not wanted any more");
                    self.abandoned.notify_one();
                    return;
                }
                Err(failure) if is_reachable => {
                    tracing::warn!(job = self.job.job_id, "failed to {failure}; the command goes on");
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

    /// Tells how it ended, until that is taken or refused, or there is no more time.
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
                tracing::warn!(job = self.job.job_id, "failed to {failure}; trying on");
            }
            let pause = retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF);
            if !failure.is_transient() || timeout(pause, deadline.as_mut()).await.is_ok() {
                return self.give_up();
            }
        }
    }

    fn give_up(&self) {
        tracing::warn!(job = self.job.job_id, "gave up on telling how a job ended; its lease ends");
    }

    async fn send_report(&self, outcome: &mut ExecutionOutcome) -> Result<(), ClientError> {
        loop {
            if let ExecutionOutcome::Abandoned = outcome {
                return Ok(());
            }
            while self.output().console.chunks_left() > 1 {
                match self.heartbeat().await {
                    Ok(response) if self.is_final(response.clone()) => return Ok(()),
                    // It takes no more of the console; the rest is left out.
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
                // Which of the two it does not want is found out one after the other.
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
                tracing::info!(job = self.job.job_id, why, "a report counts no more and is dropped");
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
