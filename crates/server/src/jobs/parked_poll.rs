//! A runner's parked poll for a job, from parking to its outcome. Dropping [`ParkedJobPoll`], as hyper does when the
//! client disconnects, removes the poll from the matcher.

use std::future::poll_fn;
use std::sync::Arc;

use pilotlight_core::ids::{JobType, Runner, RunnerId, WorkerName};
use pilotlight_core::job_matcher::TypeSet;
use pilotlight_core::pool::{Poll, PollId};
use pilotlight_store::LeasedJob;
use tokio::sync::oneshot;

use crate::jobs::dispatcher::JobPollHandle;
use crate::jobs::service::JobService;
use pilotlight_net::conn::{Conn, Written};
use pilotlight_net::handoff::{HandoffReceiver, handoff};

/// The outcome of a poll, unless its connection is closed.
#[derive(Debug)]
pub(crate) enum JobPollOutcome {
    /// A job, leased to this runner. Dropping it unsent gives the job back.
    Job(Box<OutgoingJob>),
    /// There was no job after all: the poll must wait again.
    NoJob,
    /// The store failed.
    Unavailable,
}

/// A job that is being sent to a runner.
#[derive(Debug)]
pub(crate) struct OutgoingJob {
    /// The job.
    pub leased: LeasedJob,
    /// Gets a report when every byte is written. Dropping it means that this will not happen.
    pub written: oneshot::Sender<Written>,
}

/// The result of parking a poll.
#[derive(Debug)]
pub(crate) enum JobParkOutcome {
    /// The poll is parked.
    Parked(ParkedJobPoll),
    /// The service is stopping: the connection must be closed without a byte.
    Closed,
}

/// A parked poll.
#[derive(Debug)]
pub(crate) struct ParkedJobPoll {
    jobs: Arc<JobService>,
    id: PollId,
    receiver: HandoffReceiver<JobPollOutcome>,
    is_finished: bool,
}

impl JobService {
    /// Parks a runner's poll for jobs of these types.
    pub(crate) fn park(
        self: &Arc<Self>,
        types: &TypeSet,
        runner: &RunnerId,
        conn: &Arc<Conn>,
    ) -> JobParkOutcome {
        let (sender, receiver) = handoff();
        let worker = WorkerName::parse(&conn.peer().ip().to_string()).expect("an address is a short text");
        let parked = {
            let mut matcher = self.dispatcher.matcher();
            // Read under the lock, because polls are ordered by `parked_at`.
            matcher.park(Poll {
                key: types.clone(),
                runner: Runner { id: runner.clone(), worker },
                parked_at: self.clock.now(),
                handle: JobPollHandle { conn: Arc::clone(conn), sender },
            })
        };
        let Ok(id) = parked else { return JobParkOutcome::Closed };
        let parked = ParkedJobPoll { jobs: Arc::clone(self), id, receiver, is_finished: false };
        self.dispatch_ready(types.types());
        JobParkOutcome::Parked(parked)
    }

    /// Matches parked polls with ready jobs of these types, and starts a dispatch for each match.
    pub(super) fn dispatch_ready<'a>(self: &Arc<Self>, types: impl IntoIterator<Item = &'a JobType> + Copy) {
        while let Some(matched) = self.dispatcher.next_match(types, self.clock) {
            self.dispatcher.tasks.spawn(Arc::clone(self).dispatch_match(matched));
        }
    }
}

impl ParkedJobPoll {
    /// Waits for the outcome; `None` means that the connection must be closed without a byte. The future can be
    /// dropped and called again.
    pub(crate) async fn outcome(&mut self) -> Option<JobPollOutcome> {
        let outcome = poll_fn(|cx| self.receiver.poll(cx)).await;
        self.is_finished = true;
        outcome
    }

    /// Removes the poll from the matcher. Returns whether it was still there; if not, an outcome is about to arrive.
    pub(crate) fn leave(&mut self) -> bool {
        self.jobs.dispatcher.matcher().leave(self.id)
    }
}

impl Drop for ParkedJobPoll {
    fn drop(&mut self) {
        // A poll with an outcome has been removed from the matcher already.
        if !self.is_finished {
            self.leave();
        }
    }
}
