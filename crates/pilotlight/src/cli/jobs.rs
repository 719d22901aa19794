//! `pilotlight jobs`: commands on jobs that were submitted before.

mod cancel;
mod delete;
mod job_id;
mod list;
mod retry;
mod show;
mod tail;

use clap::Subcommand;

use super::connect::ConnectOptions;
use super::failure::Failure;

/// The commands of `pilotlight jobs`.
#[derive(Debug, Subcommand)]
pub(super) enum JobsCommand {
    /// List jobs, the newest first.
    List(list::Args),
    /// Show all details of a job.
    Show(JobArgs),
    /// Follow a job: print its console output to stdout until the job ends. Exit code 1 if the job fails.
    Tail(tail::Args),
    /// Cancel a job for one caller; the job ends if no other caller waits for it.
    Cancel(JobArgs),
    /// Submit a job again with the same parameters and compute it afresh.
    #[command(long_about = retry::ABOUT)]
    Retry(Box<retry::Args>),
    /// Delete jobs and their results.
    Delete(delete::Args),
}

/// One job, the service that has it, and the output format.
#[derive(Debug, clap::Args)]
pub(super) struct JobArgs {
    /// The job's id, or the first characters of it if they are unique among the newest 1,000 jobs.
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
