//! `pilotlight jobs retry`: submits a job again with the same parameters and computes it afresh.

use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::submit_and_wait::{self, OutputFormat, SubmitMode};
use super::super::submit_options::WaitOptions;
use super::{JobArgs, job_id};

pub(super) const ABOUT: &str = "\
Submit a job again and compute it afresh, with the same type, parameters, code version, priority, attempts and times. \
The new job has its own id, which is printed as by `submit`, and its result replaces the cached one.

This needs an admin key; with --wait, the key must also permit submitting.";

/// Options of `pilotlight jobs retry`.
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
