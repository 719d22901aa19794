//! `pilotlight jobs tail`: what a job writes, as it writes it, until it ends.

use std::time::Duration;

use pilotlight_wire::jobs::{Job, Status};
use tokio::time::Instant;

use super::super::command::Failure;
use super::super::connect::block_on;
use super::super::exit_code::Code;
use super::super::out;
use super::super::screen::Sink;
use super::super::submitting::{Watched, left, timed_out, watch};
use super::super::wishes::duration;
use super::{One, named};
use crate::shutdown::Signals;

/// Which job, and how long.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    one: One,
    /// Follow it so long at most.
    #[arg(long, value_name = "TIME", value_parser = duration)]
    timeout: Option<Duration>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.one.connect.client()?;
    let sink = if args.one.json { Sink::Events } else { Sink::Answer };
    block_on(async {
        let deadline = args.timeout.map(|time| Instant::now() + time);
        let mut signals = Signals::listen()?;
        let id = tokio::select! {
            id = named::whole(&client, &args.one.id) => id?,
            () = signals.next() => return Err(Failure::Told(Code::Interrupted)),
        };
        match watch(&client, &id, sink, &mut signals, deadline).await? {
            Watched::Ended(job) => told(&job),
            Watched::TimedOut => Err(timed_out(&id)),
            Watched::Interrupted => Err(left(&id)),
        }
    })
}

fn told(job: &Job) -> Result<(), Failure> {
    match job.status {
        Status::Failed => {
            let why = out::harmless(job.error.as_deref().unwrap_or("it gave no reason"));
            out::note(format_args!("job {} failed: {why}", job.job_id));
            Err(Failure::Told(Code::Failed))
        }
        Status::Pending | Status::Claimed | Status::InProgress | Status::Completed | Status::Expired => {
            Ok(())
        }
    }
}
