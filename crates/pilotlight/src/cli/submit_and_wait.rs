//! Submits a job and, where that is wished, stays for its end: what `submit` and `jobs retry` have in common.

use std::future::Future;
use std::pin::pin;

use pilotlight_wire::jobs::{Job, JobResult, Status, SubmitResponse};
use tokio::time::{Instant, timeout_at};

use super::command::Failure;
use super::exit_code::Code;
use super::follow::{JobFollower, JobUpdate, has_ended};
use super::output;
use super::progress_view::{ProgressView, Sink};
use super::submit_options::{OnInterrupt, WaitOptions};
use crate::client::{self, Client};
use crate::shutdown::Signals;

/// How the answer is written.
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

/// How its end is waited for and told.
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

/// Asks for a job and tells what comes of it.
///
/// # Errors
/// It was not submitted, it failed, or whoever waited has left.
pub(super) async fn submit(
    client: &Client,
    request: impl Future<Output = Result<SubmitResponse, client::ClientError>>,
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
    output::note(format_args!("job {}: {}", submitted.job_id, submitted.message));
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

/// A submission's answer, and whether somebody interrupted meanwhile.
enum Submission {
    Undisturbed(SubmitResponse),
    Interrupted(SubmitResponse),
}

/// Interrupted before its answer is there, a submission that is to be cancelled must first be known.
async fn wait_for_submission(
    request: impl Future<Output = Result<SubmitResponse, client::ClientError>>,
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
            output::note("cancelling it as soon as the service has answered; Ctrl-C again leaves at once");
            tokio::select! {
                submitted = request => Ok(Submission::Interrupted(submitted?)),
                () = signals.next() => Err(interrupted_before_answer()),
            }
        }
    }
}

fn interrupted_before_answer() -> Failure {
    output::note("left before the service had answered: whether the job was submitted is not known");
    Failure::Reported(Code::Interrupted)
}

/// Follows a job on the screen until it ends, the time is over, or somebody interrupts.
///
/// # Errors
/// There is no such job, or the service is away.
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
            output::note(&submitted.message);
        }
    }
    let result = succeeded(submitted);
    print_cached_hint(submitted.status);
    result
}

/// A job that had ended when it was submitted was not executed for this submission.
fn print_cached_hint(status: Status) {
    match status {
        Status::Failed => output::note(
            "it was not executed now: failures are remembered for a while; --fresh runs it again",
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

/// A failure of the job is one of the command.
fn succeeded(SubmitResponse { job_id, status, message, error, .. }: &SubmitResponse) -> Result<(), Failure> {
    match status {
        Status::Pending | Status::Claimed | Status::InProgress | Status::Completed => Ok(()),
        Status::Failed | Status::Expired => {
            let why = output::sanitize(error.as_ref().unwrap_or(message));
            output::note(format_args!("job {job_id} failed: {why}"));
            Err(Failure::Reported(Code::Failed))
        }
    }
}

fn as_submitted(job: Job) -> SubmitResponse {
    let message = match job.status {
        Status::Completed => "the job has its result",
        Status::Expired => "the job's result is not valid any more",
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

/// Says so, and what to do.
pub(super) fn timed_out(id: &str) -> Failure {
    output::note(format_args!("the time is over; job {id} goes on: `pilotlight jobs tail {id}` waits on"));
    Failure::Reported(Code::TimedOut)
}

/// Says so, and what to do.
pub(super) fn interrupted(id: &str) -> Failure {
    output::note(format_args!(
        "left; job {id} goes on: `pilotlight jobs tail {id}` waits on, `pilotlight jobs cancel {id}` ends it"
    ));
    Failure::Reported(Code::Interrupted)
}

async fn cancel_interrupted(client: &Client, id: &str, signals: &mut Signals) -> Result<Failure, Failure> {
    tokio::select! {
        cancelled = client.cancel(id) => output::note(format_args!("job {id}: {}", cancelled?.message)),
        () = signals.next() => return Ok(interrupted(id)),
    }
    Ok(Failure::Reported(Code::Interrupted))
}
