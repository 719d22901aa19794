//! Parks the polls of runners for jobs.

use std::sync::Arc;

use pilotlight_core::ids::{Runner, RunnerId, WorkerName};
use pilotlight_core::job_matcher::TypeSet;
use pilotlight_core::pool::{Poll, PollId};
use pilotlight_net::conn::Conn;
use pilotlight_net::handoff::handoff;
use pilotlight_net::parked_poll::{ParkedPoll, PollRegistry};

use crate::jobs::poll_handle::{JobPollHandle, JobPollOutcome};
use crate::jobs::service::JobService;

/// The result of parking a poll.
#[derive(Debug)]
pub(crate) enum JobParkOutcome {
    /// The poll is parked.
    Parked(ParkedPoll<JobService>),
    /// The service is stopping: the connection must be closed without a byte.
    Closed,
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
        let parked = ParkedPoll::new(Arc::clone(self), id, receiver);
        self.dispatch_ready(types.types());
        JobParkOutcome::Parked(parked)
    }
}

impl PollRegistry for JobService {
    type Outcome = JobPollOutcome;

    fn leave(&self, id: PollId) -> bool {
        self.dispatcher.matcher().leave(id)
    }
}
