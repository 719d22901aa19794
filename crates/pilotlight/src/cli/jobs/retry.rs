//! `pilotlight jobs retry`: a job as it was asked for, computed afresh.

use super::super::command::Failure;
use super::super::connect::block_on;
use super::super::submitting::{self, Form, How};
use super::super::wishes::Waiting;
use super::{One, named};

pub(super) const ABOUT: &str = "\
Compute a job once more, as it was asked for: the same type, parameters and code version, the same priority, tries and \
times. The new job has an id of its own, which is the answer as with `submit`, and its result replaces the known one.

It takes an admin key; with --wait one that may submit as well.";

/// Which job, and how to wait for its end.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Args { one: One { id, json, connect }, waiting } = args;
    let client = connect.client()?;
    block_on(async {
        let id = named::whole(&client, id).await?;
        submitting::submit(&client, client.recompute(&id), How { waiting, form: Form::of(*json) }).await
    })
}
