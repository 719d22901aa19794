//! `pilotlight jobs cancel`: withdraws one caller of a job, and cancels the job if that was the last caller.

use super::super::connect::block_on;
use super::super::exit_code::Code;
use super::super::failure::Failure;
use super::super::{messages, output};
use super::{JobArgs, job_id};

pub(super) fn run(job_args: &JobArgs) -> Result<(), Failure> {
    let JobArgs { id, json, connect } = job_args;
    let client = connect.client()?;
    let cancelled = block_on(async {
        let id = job_id::resolve(&client, id).await?;
        Ok(client.cancel(&id).await?)
    })?;
    if *json {
        output::json(&cancelled)?;
    } else if cancelled.success {
        output::line(&cancelled.message)?;
    } else {
        messages::note(format_args!("pilotlight: failed to cancel the job: {}", cancelled.message));
    }
    if cancelled.success { Ok(()) } else { Err(Failure::Reported(Code::Failed)) }
}
