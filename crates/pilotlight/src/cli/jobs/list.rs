//! `pilotlight jobs list`: a table of jobs, the newest first.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pilotlight_client::Client;
use pilotlight_core::time::Timestamp;
use pilotlight_wire::jobs::Status;
use pilotlight_wire::jobs_admin::{JobList, JobRow};

use super::super::connect::{ConnectOptions, block_on};
use super::super::failure::Failure;
use super::super::{datetime, format, messages, output};
use super::job_id::SEARCHED_JOBS;

/// Options of `pilotlight jobs list`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// List only jobs in this status.
    #[arg(long, value_parser = PossibleValuesParser::new(format::STATUSES.map(format::status)).map(parse_status))]
    status: Option<Status>,
    /// List only jobs of this type, among the newest 1,000.
    #[arg(long = "type", value_name = "TYPE")]
    job_type: Option<String>,
    /// List at most this many jobs.
    #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectOptions,
}

const COLUMN_OF_STATUS: usize = 2;

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.connect.client_without_retry()?;
    let jobs = block_on(list_jobs(&client, args))?;
    if args.json {
        return output::json(&jobs);
    }
    if jobs.jobs.is_empty() {
        messages::note("no matching jobs");
        return Ok(());
    }
    let now = datetime::now();
    let rows: Vec<_> = jobs.jobs.iter().map(|job| cells(job, now)).collect();
    let heads = ["ID", "TYPE", "STATUS", "AGE", "CHANGED", "RUNNER"];
    output::line(format::table(heads, &rows, |row, column, text| {
        if column == COLUMN_OF_STATUS {
            format::colored_status(jobs.jobs[row].status, text).to_string()
        } else {
            text
        }
    }))?;
    let shown = jobs.jobs.len() as u64;
    if shown < jobs.total && args.job_type.is_none() {
        messages::note(format_args!("{shown} of {} jobs; --limit shows more", jobs.total));
    }
    Ok(())
}

async fn list_jobs(client: &Client, args: &Args) -> Result<JobList, Failure> {
    let Some(job_type) = &args.job_type else {
        return Ok(client.list_jobs(args.status, Some(args.limit)).await?);
    };
    let JobList { mut jobs, total } = client.list_jobs(args.status, Some(SEARCHED_JOBS)).await?;
    if total > u64::from(SEARCHED_JOBS) {
        messages::note(format_args!("searched the newest {SEARCHED_JOBS} of {total} jobs"));
    }
    jobs.retain(|job| job.job_type == *job_type);
    let total = jobs.len() as u64;
    jobs.truncate(args.limit as usize);
    Ok(JobList { jobs, total })
}

fn cells(job: &JobRow, now: Timestamp) -> [String; 6] {
    let ago = |time: u64| datetime::format_age(now.since(Timestamp::from_millis(time)));
    [
        job.job_id.clone(),
        job.job_type.clone(),
        format::status(job.status).to_owned(),
        ago(job.created_at),
        format!("{} ago", ago(job.updated_at)),
        job.claimed_by.clone().unwrap_or_else(|| "-".to_owned()),
    ]
}

fn parse_status(text: String) -> Status {
    let known = format::STATUSES.into_iter().find(|status| format::status(*status) == text);
    known.expect("clap accepts only these names")
}
