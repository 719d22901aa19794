//! `pilotlight jobs tail`: prints a job's console output as it is written, until the job ends.

use std::time::Duration;

use pilotlight_wire::jobs::{Job, Status};
use tokio::time::Instant;

use super::super::connect::block_on;
use super::super::exit_code::Code;
use super::super::failure::Failure;
use super::super::progress_view::Sink;
use super::super::submit_and_wait::{WatchOutcome, interrupted, timed_out, watch};
use super::super::submit_options::duration;
use super::super::{messages, output};
use super::{JobArgs, job_id};
use crate::shutdown::Signals;

/// Options of `pilotlight jobs tail`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    job_args: JobArgs,
    /// Follow the job for this long at most.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.job_args.connect.client()?;
    let sink = if args.job_args.json { Sink::JsonEvents } else { Sink::Stdout };
    block_on(async {
        let deadline = args.timeout.map(|time| Instant::now() + time);
        let mut signals = Signals::listen()?;
        let id = tokio::select! {
            id = job_id::resolve(&client, &args.job_args.id) => id?,
            () = signals.next() => return Err(Failure::Reported(Code::Interrupted)),
        };
        match watch(&client, &id, sink, &mut signals, deadline).await? {
            WatchOutcome::Ended(job) => print_end(&job),
            WatchOutcome::TimedOut => Err(timed_out(&id)),
            WatchOutcome::Interrupted => Err(interrupted(&id)),
        }
    })
}

fn print_end(job: &Job) -> Result<(), Failure> {
    match job.status {
        Status::Failed => {
            let why = output::sanitize(job.error.as_deref().unwrap_or("no reason was given"));
            messages::note(format_args!("job {} failed: {why}", job.job_id));
            Err(Failure::Reported(Code::Failed))
        }
        Status::Pending | Status::Claimed | Status::InProgress | Status::Completed | Status::Expired => {
            Ok(())
        }
    }
}
