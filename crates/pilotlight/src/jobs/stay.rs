//! A runner's wait for a job: from its poll to its verdict. Dropping the stay, as HTTP does when the client goes
//! away, leaves the line.

use std::future::poll_fn;
use std::sync::Arc;

use pilotlight_core::ids::{JobType, Runner, RunnerId, WorkerName};
use pilotlight_core::job_matcher::TypeSet;
use pilotlight_core::pool::{Poll, PollId};
use pilotlight_store::LeasedJob;
use tokio::sync::oneshot;

use super::desk::Waiter;
use super::driver::Jobs;
use crate::dispatch::handoff::{HandoffReceiver, handoff};
use crate::net::conn::{Conn, Written};

/// What becomes of a poll.
#[derive(Debug)]
pub enum Verdict {
    /// A job, leased to this runner. Whoever drops it unsent gives the job back.
    Job(Box<Handing>),
    /// There was none after all: wait again.
    Again,
    /// The store does not answer.
    Unavailable,
}

/// A job on its way to a runner.
#[derive(Debug)]
pub struct Handing {
    /// The job.
    pub handed: LeasedJob,
    /// To be told when every byte is written. Dropped, it says that this will never be.
    pub written: oneshot::Sender<Written>,
}

/// How parking went.
#[derive(Debug)]
pub enum Parked {
    /// It waits.
    Stay(Stay),
    /// The service is stopping: close the connection without a byte.
    Closed,
}

/// A poll that waits.
#[derive(Debug)]
pub struct Stay {
    jobs: Arc<Jobs>,
    id: PollId,
    told: HandoffReceiver<Verdict>,
    is_over: bool,
}

impl Jobs {
    /// Parks a runner's poll for jobs of these types.
    pub fn park(self: &Arc<Self>, types: &TypeSet, runner: &RunnerId, conn: &Arc<Conn>) -> Parked {
        let (tell, told) = handoff();
        let worker = WorkerName::parse(&conn.peer().ip().to_string()).expect("an address is a short text");
        let parked = {
            let mut line = self.desk.line();
            // Read under the lock: polls are kept in the order of their moments.
            line.park(Poll {
                key: types.clone(),
                runner: Runner { id: runner.clone(), worker },
                parked_at: self.clock.now(),
                handle: Waiter { conn: Arc::clone(conn), tell },
            })
        };
        let Ok(id) = parked else { return Parked::Closed };
        let stay = Stay { jobs: Arc::clone(self), id, told, is_over: false };
        self.send_for(types.types());
        Parked::Stay(stay)
    }

    /// Sends waiting polls for jobs of these types, as long as there may be some.
    pub(super) fn send_for<'a>(self: &Arc<Self>, types: impl IntoIterator<Item = &'a JobType> + Copy) {
        while let Some(sent) = self.desk.next_match(types, self.clock) {
            self.desk.tasks.spawn(Arc::clone(self).fetch(sent));
        }
    }
}

impl Stay {
    /// Waits for the verdict; `None` means to close the connection without a byte. Dropped, it may be asked again.
    pub async fn verdict(&mut self) -> Option<Verdict> {
        let verdict = poll_fn(|cx| self.told.poll(cx)).await;
        self.is_over = true;
        verdict
    }

    /// Leaves the line. Says whether it was still there; if not, a verdict is on its way.
    pub fn leave(&mut self) -> bool {
        self.jobs.desk.line().leave(self.id)
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        // A poll that has its verdict was taken out of the line before.
        if !self.is_over {
            self.leave();
        }
    }
}
