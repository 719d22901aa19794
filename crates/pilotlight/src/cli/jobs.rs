//! `pilotlight jobs`: what operators and callers do with jobs that were submitted.

mod cancel;
mod delete;
mod job_id;
mod list;
mod retry;
mod show;
mod tail;

use clap::Subcommand;

use super::command::Failure;
use super::connect::ConnectOptions;

/// What is done with jobs.
#[derive(Debug, Subcommand)]
pub(super) enum JobsCommand {
    /// List jobs, the newest first.
    List(list::Args),
    /// Show all that is known of a job.
    Show(JobArgs),
    /// Follow a job: what it writes goes to stdout until it ends. Exit code 1 when it fails.
    Tail(tail::Args),
    /// Cancel a job: one caller wants it no more; when it was the last one, the job ends.
    Cancel(JobArgs),
    /// Compute a job once more, as it was asked for.
    #[command(long_about = retry::ABOUT)]
    Retry(Box<retry::Args>),
    /// Delete jobs and what they computed.
    Delete(delete::Args),
}

/// One job of one service, and how it is told.
#[derive(Debug, clap::Args)]
pub(super) struct JobArgs {
    /// The job's id, or its beginning where no other job of the newest 1,000 begins like it.
    #[arg(value_name = "ID")]
    id: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectOptions,
}

pub(super) fn run(command: &JobsCommand) -> Result<(), Failure> {
    match command {
        JobsCommand::List(args) => list::run(args),
        JobsCommand::Show(job_args) => show::run(job_args),
        JobsCommand::Tail(args) => tail::run(args),
        JobsCommand::Cancel(job_args) => cancel::run(job_args),
        JobsCommand::Retry(args) => retry::run(args),
        JobsCommand::Delete(args) => delete::run(args),
    }
}
