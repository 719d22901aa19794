//! Applies an event to a job: reads and locks the job, lets `write_plan` compute what follows, and writes it.

use pilotlight_core::job::{Event, JobId};
use pilotlight_core::time::Timestamp;

use super::connection::StoreConnection;
use super::failure::Failure;
use super::operation::{Committed, StoreOperation};
use super::tx::PgTx;
use super::{jobs, payloads, statements, webhooks};
use crate::job_row::JobRow;
use crate::records::{EventOutcome, RunnerOutput, Settings};
use crate::write_plan::{EventPlan, EventWithOutput, ReadJob, WritePlan, may_become_current, plan_event};

/// See [`crate::JobStore::apply_event`].
pub(super) struct ApplyEvent<'a> {
    pub(super) id: JobId,
    pub(super) event: &'a Event,
    pub(super) runner_output: &'a RunnerOutput,
    pub(super) settings: &'a Settings,
    pub(super) now: Timestamp,
}

impl StoreOperation for ApplyEvent<'_> {
    type Output = EventOutcome;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<EventOutcome>, Failure> {
        let (mut tx, rows) =
            PgTx::begin(connection, statements::LOCK_JOB, &[&self.id.as_bytes().as_slice()]).await?;
        let outcome = match jobs::one(&rows)? {
            Some(before) => {
                let current = self.lock_current(&tx, &before).await?;
                let read = ReadJob { before: &before, current: current.as_ref() };
                let happened = EventWithOutput { event: self.event, runner_output: self.runner_output };
                apply_to_row(&mut tx, read, happened, self.settings, self.now)
            }
            None => EventOutcome::UnknownJob,
        };
        Ok(Committed { value: outcome, notifications: tx.commit().await? })
    }
}

impl ApplyEvent<'_> {
    /// Locks the current job of this job's cache key, if this event may replace it by this job. Most jobs are the
    /// current one themselves and need no second lock.
    async fn lock_current(&self, tx: &PgTx, before: &JobRow) -> Result<Option<JobRow>, Failure> {
        if !may_become_current(before, self.event) {
            return Ok(None);
        }
        let key = before.job.key.as_bytes().as_slice();
        for _ in 0..LOCK_ATTEMPTS {
            if let Some(current) = jobs::one(&tx.query(statements::LOCK_CURRENT, &[&key]).await?)? {
                return Ok(Some(current));
            }
        }
        // There is no current job. If another one becomes current right now, the unique index rejects the second one
        // and the operation is retried.
        Ok(None)
    }
}

/// Attempts to lock the current job. A job that stops being current while its lock is awaited is not returned; the next
/// attempt finds its successor.
const LOCK_ATTEMPTS: u32 = 2;

/// Applies an event to a locked job, and collects the writes in `tx`.
pub(super) fn apply_to_row(
    tx: &mut PgTx,
    read: ReadJob<'_>,
    happened: EventWithOutput<'_>,
    settings: &Settings,
    now: Timestamp,
) -> EventOutcome {
    match plan_event(read, happened, settings, now) {
        EventPlan::Nothing(outcome) => *outcome,
        EventPlan::Write(plan) => {
            write(tx, &plan, now);
            plan.into_outcome()
        }
    }
}

fn write(tx: &mut PgTx, plan: &WritePlan<'_>, now: Timestamp) {
    let seq = plan.before.seq;
    payloads::write_console(tx, seq, plan.console);
    if let Some(output) = plan.output {
        payloads::write_output(tx, seq, output);
    }
    jobs::update(tx, plan);
    if let Some(trigger) = plan.webhook {
        webhooks::enqueue(tx, &plan.job, trigger, now);
    }
}
