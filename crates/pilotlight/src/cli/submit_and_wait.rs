//! Submits a job and, with `--wait`, waits for its end. Shared by `submit` and `jobs retry`.

use std::future::Future;
use std::pin::pin;

use pilotlight_client::{Client, ClientError};
use pilotlight_wire::jobs::{Job, JobResult, Status, SubmitResponse};
use tokio::time::{Instant, timeout_at};

use super::exit_code::Code;
use super::failure::Failure;
use super::follow::{JobFollower, JobUpdate, has_ended};
use super::progress_view::{ProgressView, Sink};
use super::submit_options::{OnInterrupt, WaitOptions};
use super::{messages, output};
use crate::shutdown::Signals;

/// The format of the answer on stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutputFormat {
    Plain,
    Json,
}

impl OutputFormat {
    pub(super) const fn from_json_flag(json: bool) -> Self {
        if json { Self::Json } else { Self::Plain }
    }
}

/// How to wait for the job's end, and in which format to print the answer.
pub(super) struct SubmitMode<'a> {
    pub(super) wait_options: &'a WaitOptions,
    pub(super) format: OutputFormat,
}

/// How watching a job ended.
pub(super) enum WatchOutcome {
    Ended(Box<Job>),
    TimedOut,
    Interrupted,
}

/// Submits a job and prints its id, or waits for its end and prints its result.
///
/// # Errors
/// The job was not submitted, the job failed, or waiting ended by a signal or by `--timeout`.
pub(super) async fn submit(
    client: &Client,
    request: impl Future<Output = Result<SubmitResponse, ClientError>>,
    mode: SubmitMode<'_>,
) -> Result<(), Failure> {
    if !mode.wait_options.wait {
        return print_submission(&request.await?, mode.format);
    }
    let deadline = mode.wait_options.timeout.map(|time| Instant::now() + time);
    let mut signals = Signals::listen()?;
    let submitted = match wait_for_submission(request, &mut signals, mode.wait_options.on_interrupt()).await?
    {
        Submission::Interrupted(submitted) if !has_ended(submitted.status) => {
            return Err(cancel_interrupted(client, &submitted.job_id, &mut signals).await?);
        }
        Submission::Undisturbed(submitted) | Submission::Interrupted(submitted) => submitted,
    };
    if has_ended(submitted.status) {
        let result = print_end(&submitted, mode.format);
        print_cached_hint(submitted.status);
        return result;
    }
    messages::note(format_args!("job {}: {}", submitted.job_id, submitted.message));
    let sink = match mode.format {
        OutputFormat::Plain => Sink::Stderr,
        OutputFormat::Json => Sink::Discard,
    };
    match watch(client, &submitted.job_id, sink, &mut signals, deadline).await? {
        WatchOutcome::Ended(job) => print_end(&as_submitted(*job), mode.format),
        WatchOutcome::TimedOut => Err(timed_out(&submitted.job_id)),
        WatchOutcome::Interrupted => match mode.wait_options.on_interrupt() {
            OnInterrupt::Leave => Err(interrupted(&submitted.job_id)),
            OnInterrupt::Cancel => Err(cancel_interrupted(client, &submitted.job_id, &mut signals).await?),
        },
    }
}

/// The answer to a submission, and whether a signal arrived before it.
enum Submission {
    Undisturbed(SubmitResponse),
    Interrupted(SubmitResponse),
}

/// Waits for the answer to a submission. After a signal it keeps waiting only if the job is to be cancelled, because
/// that needs the job's id.
async fn wait_for_submission(
    request: impl Future<Output = Result<SubmitResponse, ClientError>>,
    signals: &mut Signals,
    on_interrupt: OnInterrupt,
) -> Result<Submission, Failure> {
    let mut request = pin!(request);
    tokio::select! {
        submitted = &mut request => return Ok(Submission::Undisturbed(submitted?)),
        () = signals.next() => {}
    }
    match on_interrupt {
        OnInterrupt::Leave => Err(interrupted_before_answer()),
        OnInterrupt::Cancel => {
            messages::note(
                "the job will be cancelled as soon as the service has answered; Ctrl-C again exits at once",
            );
            tokio::select! {
                submitted = request => Ok(Submission::Interrupted(submitted?)),
                () = signals.next() => Err(interrupted_before_answer()),
            }
        }
    }
}

fn interrupted_before_answer() -> Failure {
    messages::note("interrupted before the service answered: the job may or may not be submitted");
    Failure::Reported(Code::Interrupted)
}

/// Follows and shows a job until it ends, the deadline is reached, or a signal arrives.
///
/// # Errors
/// There is no such job, or the service was unreachable for too long.
pub(super) async fn watch(
    client: &Client,
    id: &str,
    sink: Sink,
    signals: &mut Signals,
    deadline: Option<Instant>,
) -> Result<WatchOutcome, Failure> {
    let mut progress_view = ProgressView::new(sink);
    let following = follow_until_end(client, id, &mut progress_view);
    let with_deadline = async {
        match deadline {
            Some(deadline) => timeout_at(deadline, following).await.ok(),
            None => Some(following.await),
        }
    };
    let watched = tokio::select! {
        ended = with_deadline => match ended {
            Some(job) => job.map(WatchOutcome::Ended),
            None => Ok(WatchOutcome::TimedOut),
        },
        () = signals.next() => Ok(WatchOutcome::Interrupted),
    };
    progress_view.clear()?;
    watched
}

async fn follow_until_end(
    client: &Client,
    id: &str,
    progress_view: &mut ProgressView,
) -> Result<Box<Job>, Failure> {
    let mut following = JobFollower::new(client, id);
    loop {
        let update = following.next().await?;
        progress_view.show(&update)?;
        if let JobUpdate::Status(job) = update
            && has_ended(job.status)
        {
            return Ok(job);
        }
    }
}

fn print_submission(submitted: &SubmitResponse, format: OutputFormat) -> Result<(), Failure> {
    match format {
        OutputFormat::Json => output::json(submitted)?,
        OutputFormat::Plain => {
            output::line(&submitted.job_id)?;
            messages::note(&submitted.message);
        }
    }
    let result = succeeded(submitted);
    print_cached_hint(submitted.status);
    result
}

/// Explains a cached failure: a job that had already ended at its submission was not executed for this submission.
fn print_cached_hint(status: Status) {
    match status {
        Status::Failed => messages::note(
            "the job was not executed now: this failure is cached for a while; --fresh runs the job again",
        ),
        Status::Pending | Status::Claimed | Status::InProgress | Status::Completed | Status::Expired => {}
    }
}

fn print_end(submitted: &SubmitResponse, format: OutputFormat) -> Result<(), Failure> {
    match (format, &submitted.result) {
        (OutputFormat::Json, _) => output::json(submitted)?,
        (OutputFormat::Plain, Some(JobResult { output_data, .. })) => output::raw_json(output_data.get())?,
        (OutputFormat::Plain, None) => {}
    }
    succeeded(submitted)
}

/// If the job failed, prints its error, and the command fails.
fn succeeded(SubmitResponse { job_id, status, message, error, .. }: &SubmitResponse) -> Result<(), Failure> {
    match status {
        Status::Pending | Status::Claimed | Status::InProgress | Status::Completed => Ok(()),
        Status::Failed | Status::Expired => {
            let why = output::sanitize(error.as_ref().unwrap_or(message));
            messages::note(format_args!("job {job_id} failed: {why}"));
            Err(Failure::Reported(Code::Failed))
        }
    }
}

fn as_submitted(job: Job) -> SubmitResponse {
    let message = match job.status {
        Status::Completed => "the job has its result",
        Status::Expired => "the job's result is no longer valid",
        Status::Pending | Status::Claimed | Status::InProgress | Status::Failed => "the job failed",
    };
    SubmitResponse {
        job_id: job.job_id,
        status: job.status,
        message: message.to_owned(),
        result: job.result,
        error: job.error,
    }
}

/// Prints that the time is over and what to do.
pub(super) fn timed_out(id: &str) -> Failure {
    messages::note(format_args!(
        "the time is over; job {id} continues: `pilotlight jobs tail {id}` waits again"
    ));
    Failure::Reported(Code::TimedOut)
}

/// Prints that the command was interrupted and what to do.
pub(super) fn interrupted(id: &str) -> Failure {
    messages::note(format_args!(
        "interrupted; job {id} continues: `pilotlight jobs tail {id}` waits again, `pilotlight jobs cancel {id}` cancels it"
    ));
    Failure::Reported(Code::Interrupted)
}

async fn cancel_interrupted(client: &Client, id: &str, signals: &mut Signals) -> Result<Failure, Failure> {
    tokio::select! {
        cancelled = client.cancel(id) => messages::note(format_args!("job {id}: {}", cancelled?.message)),
        () = signals.next() => return Ok(interrupted(id)),
    }
    Ok(Failure::Reported(Code::Interrupted))
}
