//! `pilotlight jobs retry`: a job as it was asked for, computed afresh.

use super::super::command::Failure;
use super::super::connect::block_on;
use super::super::submit_and_wait::{self, OutputFormat, SubmitMode};
use super::super::submit_options::WaitOptions;
use super::{JobArgs, job_id};

pub(super) const ABOUT: &str = "\
Compute a job once more, as it was asked for: the same type, parameters and code version, the same priority, tries and \
times. The new job has an id of its own, which is the answer as with `submit`, and its result replaces the known one.

It takes an admin key; with --wait one that may submit as well.";

/// Which job, and how to wait for its end.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    job_args: JobArgs,
    #[command(flatten)]
    wait_options: WaitOptions,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Args { job_args: JobArgs { id, json, connect }, wait_options } = args;
    let client = connect.client()?;
    block_on(async {
        let id = job_id::resolve(&client, id).await?;
        submit_and_wait::submit(
            &client,
            client.recompute(&id),
            SubmitMode { wait_options, format: OutputFormat::from_json_flag(*json) },
        )
        .await
    })
}
