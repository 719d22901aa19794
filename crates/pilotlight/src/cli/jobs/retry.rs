//! `pilotlight jobs retry`: a job's type and parameters, submitted again and computed afresh.

use pilotlight_wire::requests::{Submission, Wishes as WireWishes};

use super::super::command::Failure;
use super::super::connect::block_on;
use super::super::submitting::{self, Form, How};
use super::super::wishes::{Waiting, Wishes};
use super::{One, named};

pub(super) const ABOUT: &str = "\
Submit a job's type and parameters again, computed afresh. The new job has an id of its own, which is the answer as with \
`submit`, and its result replaces the known one.

Priority and tries are the old job's unless said otherwise. A --code-version, --ttl or --retry-backoff must be said again: the \
service keeps only what follows from them. It takes a key that may both read and submit.";

/// Which job, and what is wished for.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    one: One,
    #[command(flatten)]
    wishes: Wishes,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Args { one: One { id, json, connect }, wishes, waiting } = args;
    let client = connect.client()?;
    block_on(async {
        let id = named::whole(&client, id).await?;
        let old = client.job(&id).await?;
        let said = wishes.wire();
        let wishes_of_job = WireWishes {
            fresh: Some(true),
            priority: said.priority.or(Some(old.priority)),
            max_attempts: said.max_attempts.or(Some(old.max_attempts)),
            ..said
        };
        let job = Submission {
            job_type: &old.row.job_type,
            input_params: &old.input_params,
            wishes: wishes_of_job,
        };
        let idempotency_key = wishes.idempotency_key.as_deref();
        submitting::submit(&client, &job, How { idempotency_key, waiting, form: Form::of(*json) }).await
    })
}
