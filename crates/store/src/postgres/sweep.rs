//! Jobs that are due: each is told that time has passed.

use pilotlight_core::job::{Event, Job, Transition};
use pilotlight_core::time::Timestamp;

use super::failure::Failure;
use super::link::Link;
use super::say::{Read, say_of};
use super::tx::Tx;
use super::verb::{Done, Verb};
use super::{jobs, statements};
use crate::records::{EventOutcome, RunnerOutput, Settings};
use crate::row::time;

/// See [`crate::Store::sweep`].
pub(super) struct Sweep<'a> {
    pub(super) at_most: i64,
    pub(super) settings: &'a Settings,
    pub(super) listening_since: Timestamp,
    pub(super) now: Timestamp,
}

impl Verb for Sweep<'_> {
    type Output = Vec<(Job, Transition)>;

    async fn run(&self, link: Link) -> Result<Done<Self::Output>, Failure> {
        let heartbeat_cutoff = time(self.settings.policy.heartbeat_cutoff(self.listening_since, self.now));
        let given: [&(dyn tokio_postgres::types::ToSql + Sync); 3] =
            [&time(self.now), &heartbeat_cutoff, &self.at_most];
        let (mut tx, rows) = Tx::begin(link, statements::LOCK_DUE, &given).await?;
        let mut changed = Vec::new();
        for before in jobs::all(&rows)? {
            let tick = (&Event::Tick, &RunnerOutput::default());
            if let EventOutcome::Applied(answer) =
                say_of(&mut tx, Read::only(&before), tick, self.settings, self.now)
                && answer.transition != Transition::Unchanged
            {
                changed.push((answer.job, answer.transition));
            }
        }
        Ok(Done { tidings: tx.end().await?, answer: changed })
    }
}
