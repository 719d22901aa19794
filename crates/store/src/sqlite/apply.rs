//! Applies an event to a job: reads the job, lets `write_plan` compute what follows, and writes it.

use pilotlight_core::job::{Event, JobId};
use pilotlight_core::time::Timestamp;

use super::tx::SqliteTx;
use super::{jobs, payloads, webhooks};
use crate::error::Error;
use crate::job_row::JobRow;
use crate::records::{EventOutcome, RunnerOutput};
use crate::write_plan::{EventPlan, EventWithOutput, ReadJob, WritePlan, may_become_current, plan_event};

/// See [`crate::JobStore::apply_event`].
pub(super) fn apply_event(
    tx: &mut SqliteTx<'_>,
    id: JobId,
    event: &Event,
    runner_output: &RunnerOutput,
    now: Timestamp,
) -> Result<EventOutcome, Error> {
    match jobs::by_id(tx.db, id)? {
        Some(before) => apply_to_row(tx, &before, EventWithOutput { event, runner_output }, now),
        None => Ok(EventOutcome::UnknownJob),
    }
}

/// Applies an event to a job that was read in this transaction.
pub(super) fn apply_to_row(
    tx: &mut SqliteTx<'_>,
    before: &JobRow,
    happened: EventWithOutput<'_>,
    now: Timestamp,
) -> Result<EventOutcome, Error> {
    let needs_current = may_become_current(before, happened.event);
    let current = if needs_current { jobs::current(tx.db, before.job.key)? } else { None };
    match plan_event(ReadJob { before, current: current.as_ref() }, happened, tx.settings, now) {
        EventPlan::Nothing(outcome) => Ok(*outcome),
        EventPlan::Write(plan) => {
            write(tx, &plan, now)?;
            Ok(plan.into_outcome())
        }
    }
}

fn write(tx: &mut SqliteTx<'_>, plan: &WritePlan<'_>, now: Timestamp) -> Result<(), Error> {
    let seq = plan.before.seq;
    payloads::write_console(tx, seq, plan.console)?;
    if let Some(output) = plan.output {
        payloads::write_output(tx, seq, output)?;
    }
    jobs::update(tx, plan)?;
    if let Some(trigger) = plan.webhook {
        webhooks::enqueue(tx, &plan.job, trigger, now)?;
    }
    Ok(())
}
