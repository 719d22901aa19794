//! A runner's parked poll for a job, from parking to its outcome. Dropping [`ParkedJobPoll`], as hyper does when the
//! client disconnects, removes the poll from the matcher.

use std::future::poll_fn;
use std::sync::Arc;

use pilotlight_core::ids::{Runner, RunnerId, WorkerName};
use pilotlight_core::job_matcher::TypeSet;
use pilotlight_core::pool::{Poll, PollId};

use crate::jobs::poll_handle::{JobPollHandle, JobPollOutcome};
use crate::jobs::service::JobService;
use pilotlight_net::conn::Conn;
use pilotlight_net::handoff::{HandoffReceiver, handoff};

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
