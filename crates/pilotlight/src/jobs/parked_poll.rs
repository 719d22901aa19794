//! A runner's wait for a job: from its poll to its verdict. Dropping the stay, as HTTP does when the client goes
//! away, leaves the line.

use std::future::poll_fn;
use std::sync::Arc;

use pilotlight_core::ids::{JobType, Runner, RunnerId, WorkerName};
use pilotlight_core::job_matcher::TypeSet;
use pilotlight_core::pool::{Poll, PollId};
use pilotlight_store::LeasedJob;
use tokio::sync::oneshot;

use super::dispatcher::JobPollHandle;
use super::service::JobService;
use crate::dispatch::handoff::{HandoffReceiver, handoff};
use crate::net::conn::{Conn, Written};

/// What becomes of a poll.
#[derive(Debug)]
pub enum JobPollOutcome {
    /// A job, leased to this runner. Whoever drops it unsent gives the job back.
    Job(Box<OutgoingJob>),
    /// There was none after all: wait again.
    NoJob,
    /// The store does not answer.
    Unavailable,
}

/// A job on its way to a runner.
#[derive(Debug)]
pub struct OutgoingJob {
    /// The job.
    pub leased: LeasedJob,
    /// To be told when every byte is written. Dropped, it says that this will never be.
    pub written: oneshot::Sender<Written>,
}

/// How parking went.
#[derive(Debug)]
pub enum JobParkOutcome {
    /// It waits.
    Parked(ParkedJobPoll),
    /// The service is stopping: close the connection without a byte.
    Closed,
}

/// A poll that waits.
#[derive(Debug)]
pub struct ParkedJobPoll {
    jobs: Arc<JobService>,
    id: PollId,
    receiver: HandoffReceiver<JobPollOutcome>,
    is_finished: bool,
}

impl JobService {
    /// Parks a runner's poll for jobs of these types.
    pub fn park(self: &Arc<Self>, types: &TypeSet, runner: &RunnerId, conn: &Arc<Conn>) -> JobParkOutcome {
        let (sender, receiver) = handoff();
        let worker = WorkerName::parse(&conn.peer().ip().to_string()).expect("an address is a short text");
        let parked = {
            let mut matcher = self.dispatcher.matcher();
            // Read under the lock: polls are kept in the order of their moments.
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

    /// Sends waiting polls for jobs of these types, as long as there may be some.
    pub(super) fn dispatch_ready<'a>(self: &Arc<Self>, types: impl IntoIterator<Item = &'a JobType> + Copy) {
        while let Some(matched) = self.dispatcher.next_match(types, self.clock) {
            self.dispatcher.tasks.spawn(Arc::clone(self).dispatch_match(matched));
        }
    }
}

impl ParkedJobPoll {
    /// Waits for the verdict; `None` means to close the connection without a byte. Dropped, it may be asked again.
    pub async fn outcome(&mut self) -> Option<JobPollOutcome> {
        let outcome = poll_fn(|cx| self.receiver.poll(cx)).await;
        self.is_finished = true;
        outcome
    }

    /// Leaves the line. Says whether it was still there; if not, a verdict is on its way.
    pub fn leave(&mut self) -> bool {
        self.jobs.dispatcher.matcher().leave(self.id)
    }
}

impl Drop for ParkedJobPoll {
    fn drop(&mut self) {
        // A poll that has its verdict was taken out of the line before.
        if !self.is_finished {
            self.leave();
        }
    }
}
