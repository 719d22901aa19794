//! `pilotlight jobs cancel`: one caller wants the job no more.

use super::super::command::Failure;
use super::super::connect::block_on;
use super::super::exit_code::Code;
use super::super::out;
use super::{One, named};

pub(super) fn run(one: &One) -> Result<(), Failure> {
    let One { id, json, connect } = one;
    let client = connect.client()?;
    let cancelled = block_on(async {
        let id = named::whole(&client, id).await?;
        Ok(client.cancel(&id).await?)
    })?;
    if *json {
        out::json(&cancelled)?;
    } else if cancelled.success {
        out::line(&cancelled.message)?;
    } else {
        out::note(format_args!("pilotlight: failed to cancel the job: {}", cancelled.message));
    }
    if cancelled.success { Ok(()) } else { Err(Failure::Told(Code::Failed)) }
}
