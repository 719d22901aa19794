//! Applies `Event::Tick` to the jobs that are due: their dispatch, lease or result has timed out.

use pilotlight_core::job::{Event, Transition};
use pilotlight_core::time::Timestamp;

use super::apply::apply_to_row;
use super::connection::StoreConnection;
use super::failure::Failure;
use super::operation::{Committed, StoreOperation};
use super::tx::PgTx;
use super::{jobs, statements};
use crate::columns::millis_of_time;
use crate::records::{AppliedEvent, EventOutcome, RunnerOutput, Settings};
use crate::write_plan::{EventWithOutput, ReadJob};

/// See [`crate::JobStore::sweep`].
pub(super) struct Sweep<'a> {
    pub(super) at_most: i64,
    pub(super) settings: &'a Settings,
    pub(super) listening_since: Timestamp,
    pub(super) now: Timestamp,
}

impl StoreOperation for Sweep<'_> {
    type Output = Vec<AppliedEvent>;

    async fn run(&self, connection: StoreConnection) -> Result<Committed<Self::Output>, Failure> {
        let heartbeat_cutoff =
            millis_of_time(self.settings.policy.heartbeat_cutoff(self.listening_since, self.now));
        let params: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&millis_of_time(self.now), &heartbeat_cutoff, &self.at_most];
        let (mut tx, rows) = PgTx::begin(connection, statements::LOCK_DUE, &params).await?;
        let mut changed = Vec::new();
        for before in jobs::all(&rows)? {
            let tick = EventWithOutput { event: &Event::Tick, runner_output: &RunnerOutput::default() };
            if let EventOutcome::Applied(applied) =
                apply_to_row(&mut tx, ReadJob::only(&before), tick, self.settings, self.now)
                && applied.transition != Transition::Unchanged
            {
                changed.push(applied);
            }
        }
        Ok(Committed { notifications: tx.commit().await?, value: changed })
    }
}
