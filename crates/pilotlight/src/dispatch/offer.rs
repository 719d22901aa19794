//! An offer's course: does what `core::delivery` says, and tells it what was seen.

use std::sync::Arc;

use bytes::Bytes;
use pilotlight_core::delivery::{Answer, Event, Next, Offer, Patience, Proof};
use pilotlight_core::history::{Entry, Offered, Taker};
use pilotlight_core::ids::{RunId, Runner};
use pilotlight_core::pool::{Poll, PoolKey};
use pilotlight_core::time::Moment;
use tokio::sync::oneshot;

use super::dispatcher::{Dispatcher, Waiter};
use super::park::{Handed, Verdict};
use crate::clock::Clock;
use crate::net::ack::Acked;
use crate::net::conn::{Conn, Tell, Written};

/// A run that wants a runner.
#[derive(Debug, Clone)]
pub struct Run {
    /// What people call it.
    pub id: RunId,
    /// Which polls fit it.
    pub key: PoolKey,
    /// The message, byte for byte.
    pub message: Bytes,
}

impl Dispatcher {
    /// Offers a run to the polls that fit it. Ends within the patience for its size times the dispatches
    /// allowed; dropped before that, a dispatch under way goes on and the run may be executed.
    pub async fn offer(self: &Arc<Self>, run: Run) -> Answer {
        let began = self.clock.now();
        let patience = Patience::for_run(run.message.len(), self.settings.ack_deadline);
        let (mut offer, mut step) = Offer::new(self.settings.proof, patience);
        let mut unanswered = self.metrics.unanswered_offer();
        let mut dispatch: Option<Dispatch> = None;
        let answer = loop {
            if step.reset
                && let Some(dispatch) = dispatch.take()
            {
                dispatch.conn.reset();
            }
            let event = match step.next {
                Next::Choose => {
                    dispatch = self.hand_over(&run);
                    dispatch.as_ref().map_or(Event::NobodyWaits, Dispatch::begun)
                }
                Next::Wait { until } => {
                    let dispatch = dispatch.as_mut().expect("core waits only for a dispatch");
                    dispatch.event(self.clock, until).await
                }
                Next::Answer(answer) => break answer,
            };
            step = offer.handle(self.clock.now(), event);
        };
        unanswered.is_answered();
        self.settle(run, answer, Ended { began, dispatches: offer.dispatches(), dispatch });
        answer
    }

    /// Hands the run to the next poll whose connection is open; the others are as good as gone.
    fn hand_over(&self, run: &Run) -> Option<Dispatch> {
        loop {
            let now = self.clock.now();
            let poll = self.matching().choose(&run.key, now)?;
            if let Some(state) = poll.handle.conn.state()
                && state.is_open
                && let Some(dispatch) = Dispatch::send(poll, run, now, state.acknowledged)
            {
                return Some(dispatch);
            }
            self.metrics.gone_polls.inc();
        }
    }

    fn settle(self: &Arc<Self>, run: Run, answer: Answer, ended: Ended) {
        let now = self.clock.now();
        let took = now.since(ended.began);
        self.metrics.answered(answer, took, ended.dispatches);
        let dispatch = ended.dispatch.filter(|_| answer != Answer::Cold);
        let (conn, runner) = dispatch.map(|dispatch| (dispatch.conn, dispatch.taker)).unzip();
        let entry = self.matching().settle(Offered {
            run: run.id,
            key: run.key,
            at: now,
            took,
            dispatches: ended.dispatches,
            answer,
            runner,
        });
        if let Some(conn) = conn {
            let dispatcher = Arc::clone(self);
            conn.when_unread(move || dispatcher.unread(entry));
        }
    }

    fn unread(&self, entry: Entry) {
        self.metrics.unread.inc();
        let run = self.matching().unread(entry).map(|offered| offered.run.clone());
        let run = run.as_ref().map_or("of long ago", RunId::as_str);
        tracing::warn!(run, "a runner's kernel acknowledged a run that the runner never read");
    }
}

/// What is known when an offer has ended.
struct Ended {
    began: Moment,
    dispatches: u8,
    dispatch: Option<Dispatch>,
}

/// A run handed to one poll.
struct Dispatch {
    conn: Arc<Conn>,
    taker: Taker,
    acknowledged_before: u64,
    written: oneshot::Receiver<Written>,
    end: Option<u64>,
}

impl Dispatch {
    fn send(poll: Poll<Waiter>, run: &Run, now: Moment, acknowledged_before: u64) -> Option<Self> {
        let Poll { runner, parked_at, handle: Waiter { conn, verdict }, key: _ } = poll;
        let (tell, written) = oneshot::channel();
        let handed = Handed { message: run.message.clone(), written: tell };
        verdict.send(Verdict::Run(handed)).ok()?;
        let taker = taker(runner, parked_at, now);
        Some(Self { conn, taker, acknowledged_before, written, end: None })
    }

    const fn begun(&self) -> Event {
        Event::HandedOver { acknowledged: self.acknowledged_before }
    }

    async fn event(&mut self, clock: Clock, until: Moment) -> Event {
        let conn = Arc::clone(&self.conn);
        tokio::select! {
            event = self.progress() => event,
            () = clock.sleep_until(until) => look(&conn, self.end),
        }
    }

    async fn progress(&mut self) -> Event {
        if let Some(end) = self.end {
            return match self.conn.acknowledged(end).await {
                Acked::Yes => Event::Acknowledged,
                Acked::Never => Event::Ended,
            };
        }
        match (&mut self.written).await {
            Ok(Written { acknowledged: true, .. }) => Event::Acknowledged,
            Ok(Written { end, acknowledged: false }) => {
                self.end = Some(end);
                Event::Written
            }
            Err(_) => Event::Ended,
        }
    }
}

fn taker(runner: Runner, parked_at: Moment, now: Moment) -> Taker {
    Taker { runner, chosen_at: now, waited: now.since(parked_at) }
}

/// The kernel drops an acknowledgement's event when it has no room for it, so the number is looked at as well.
fn look(conn: &Conn, end: Option<u64>) -> Event {
    let acknowledged = conn.acknowledged_bytes();
    if end.is_some_and(|end| acknowledged >= end) {
        Event::Acknowledged
    } else {
        Event::Looked { acknowledged }
    }
}

/// Whether a dispatch's connection is to tell of its acknowledgement.
#[must_use]
pub const fn tell(proof: Proof) -> Tell {
    match proof {
        Proof::Kernel => Tell::Acknowledgement,
        Proof::Written => Tell::Nothing,
    }
}
