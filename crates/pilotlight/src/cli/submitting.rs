//! Submits a job and, where that is wished, stays for its end: what `submit` and `jobs retry` have in common.

use std::future::Future;
use std::pin::pin;

use pilotlight_wire::jobs::{Job, Outcome, Status, Submitted};
use tokio::time::{Instant, timeout_at};

use super::command::Failure;
use super::exit_code::Code;
use super::following::{Following, Told, has_ended};
use super::out;
use super::screen::{Screen, Sink};
use super::wishes::{OnInterrupt, Waiting};
use crate::client::{self, Client};
use crate::shutdown::Signals;

/// How the answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Plain,
    Json,
}

impl Form {
    pub(super) const fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Plain }
    }
}

/// How its end is waited for and told.
pub(super) struct How<'a> {
    pub(super) waiting: &'a Waiting,
    pub(super) form: Form,
}

/// How watching a job ended.
pub(super) enum Watched {
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
    asked: impl Future<Output = Result<Submitted, client::Failure>>,
    how: How<'_>,
) -> Result<(), Failure> {
    if !how.waiting.wait {
        return told_at_once(&asked.await?, how.form);
    }
    let deadline = how.waiting.timeout.map(|time| Instant::now() + time);
    let mut signals = Signals::listen()?;
    let submitted = match answered(asked, &mut signals, how.waiting.on_interrupt()).await? {
        Answered::Interrupted(submitted) if !has_ended(submitted.status) => {
            return Err(cancelled(client, &submitted.job_id, &mut signals).await?);
        }
        Answered::InPeace(submitted) | Answered::Interrupted(submitted) => submitted,
    };
    if has_ended(submitted.status) {
        let told = told_its_end(&submitted, how.form);
        hint_of_known(submitted.status);
        return told;
    }
    out::note(format_args!("job {}: {}", submitted.job_id, submitted.message));
    let sink = match how.form {
        Form::Plain => Sink::Aside,
        Form::Json => Sink::Nowhere,
    };
    match watch(client, &submitted.job_id, sink, &mut signals, deadline).await? {
        Watched::Ended(job) => told_its_end(&as_submitted(*job), how.form),
        Watched::TimedOut => Err(timed_out(&submitted.job_id)),
        Watched::Interrupted => match how.waiting.on_interrupt() {
            OnInterrupt::Leave => Err(left(&submitted.job_id)),
            OnInterrupt::Cancel => Err(cancelled(client, &submitted.job_id, &mut signals).await?),
        },
    }
}

/// A submission's answer, and whether somebody interrupted meanwhile.
enum Answered {
    InPeace(Submitted),
    Interrupted(Submitted),
}

/// Interrupted before its answer is there, a submission that is to be cancelled must first be known.
async fn answered(
    asked: impl Future<Output = Result<Submitted, client::Failure>>,
    signals: &mut Signals,
    on_interrupt: OnInterrupt,
) -> Result<Answered, Failure> {
    let mut asked = pin!(asked);
    tokio::select! {
        submitted = &mut asked => return Ok(Answered::InPeace(submitted?)),
        () = signals.next() => {}
    }
    match on_interrupt {
        OnInterrupt::Leave => Err(left_unknown()),
        OnInterrupt::Cancel => {
            out::note("cancelling it as soon as the service has answered; Ctrl-C again leaves at once");
            tokio::select! {
                submitted = asked => Ok(Answered::Interrupted(submitted?)),
                () = signals.next() => Err(left_unknown()),
            }
        }
    }
}

fn left_unknown() -> Failure {
    out::note("left before the service had answered: whether the job was submitted is not known");
    Failure::Told(Code::Interrupted)
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
) -> Result<Watched, Failure> {
    let mut screen = Screen::new(sink);
    let followed = follow(client, id, &mut screen);
    let in_time = async {
        match deadline {
            Some(deadline) => timeout_at(deadline, followed).await.ok(),
            None => Some(followed.await),
        }
    };
    let watched = tokio::select! {
        ended = in_time => match ended {
            Some(job) => job.map(Watched::Ended),
            None => Ok(Watched::TimedOut),
        },
        () = signals.next() => Ok(Watched::Interrupted),
    };
    screen.clear()?;
    watched
}

async fn follow(client: &Client, id: &str, screen: &mut Screen) -> Result<Box<Job>, Failure> {
    let mut following = Following::new(client, id);
    loop {
        let told = following.next().await?;
        screen.tell(&told)?;
        if let Told::Status(job) = told
            && has_ended(job.status)
        {
            return Ok(job);
        }
    }
}

fn told_at_once(submitted: &Submitted, form: Form) -> Result<(), Failure> {
    match form {
        Form::Json => out::json(submitted)?,
        Form::Plain => {
            out::line(&submitted.job_id)?;
            out::note(&submitted.message);
        }
    }
    let told = succeeded(submitted);
    hint_of_known(submitted.status);
    told
}

/// A job that had ended when it was submitted was not executed for this submission.
fn hint_of_known(status: Status) {
    match status {
        Status::Failed => {
            out::note("it was not executed now: failures are remembered for a while; --fresh runs it again")
        }
        Status::Pending | Status::Claimed | Status::InProgress | Status::Completed | Status::Expired => {}
    }
}

fn told_its_end(submitted: &Submitted, form: Form) -> Result<(), Failure> {
    match (form, &submitted.result) {
        (Form::Json, _) => out::json(submitted)?,
        (Form::Plain, Some(Outcome { output_data, .. })) => out::raw_json(output_data.get())?,
        (Form::Plain, None) => {}
    }
    succeeded(submitted)
}

/// A failure of the job is one of the command.
fn succeeded(Submitted { job_id, status, message, error, .. }: &Submitted) -> Result<(), Failure> {
    match status {
        Status::Pending | Status::Claimed | Status::InProgress | Status::Completed => Ok(()),
        Status::Failed | Status::Expired => {
            let why = out::harmless(error.as_ref().unwrap_or(message));
            out::note(format_args!("job {job_id} failed: {why}"));
            Err(Failure::Told(Code::Failed))
        }
    }
}

fn as_submitted(job: Job) -> Submitted {
    let message = match job.status {
        Status::Completed => "the job has its result",
        Status::Expired => "the job's result is not valid any more",
        Status::Pending | Status::Claimed | Status::InProgress | Status::Failed => "the job failed",
    };
    Submitted {
        job_id: job.job_id,
        status: job.status,
        message: message.to_owned(),
        result: job.result,
        error: job.error,
    }
}

/// Says so, and what to do.
pub(super) fn timed_out(id: &str) -> Failure {
    out::note(format_args!("the time is over; job {id} goes on: `pilotlight jobs tail {id}` waits on"));
    Failure::Told(Code::TimedOut)
}

/// Says so, and what to do.
pub(super) fn left(id: &str) -> Failure {
    out::note(format_args!(
        "left; job {id} goes on: `pilotlight jobs tail {id}` waits on, `pilotlight jobs cancel {id}` ends it"
    ));
    Failure::Told(Code::Interrupted)
}

async fn cancelled(client: &Client, id: &str, signals: &mut Signals) -> Result<Failure, Failure> {
    tokio::select! {
        cancelled = client.cancel(id) => out::note(format_args!("job {id}: {}", cancelled?.message)),
        () = signals.next() => return Ok(left(id)),
    }
    Ok(Failure::Told(Code::Interrupted))
}
