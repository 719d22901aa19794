//! An offer's course: does what `core::delivery` says, and tells it what was seen.

use std::sync::Arc;

use bytes::Bytes;
use pilotlight_core::delivery::{AckMode, DeliveryTimeouts, Event, Next, Offer, OfferOutcome};
use pilotlight_core::history::{AssignedRunner, OfferRecord, RecordId};
use pilotlight_core::ids::RunId;
use pilotlight_core::pool::{Poll, PoolKey, SelectedPoll};
use pilotlight_core::time::Moment;
use pilotlight_core::trace_context::TraceParent;
use tokio::sync::oneshot;

use super::course::Course;
use super::dispatcher::{Dispatcher, Waiter};
use super::on_its_way::OnItsWay;
use super::park::{Handed, Verdict, Way};
use crate::net::conn::AckRequest;
use crate::net::direct_response::DirectResponse;
use crate::telemetry::metrics::AnsweredOffer;
use crate::telemetry::offer_event::{self, OfferEnd, OfferEvent};

/// A run that wants a runner.
#[derive(Debug, Clone)]
pub struct Run {
    /// What people call it.
    pub id: RunId,
    /// Which polls fit it.
    pub key: PoolKey,
    /// What goes before the message where a poll is answered on its connection itself.
    pub head: Bytes,
    /// The message, byte for byte.
    pub message: Bytes,
    /// Where its supervisor stands in a trace.
    pub trace: Option<TraceParent>,
}

impl Dispatcher {
    /// Offers a run to the polls that fit it. Ends within the patience for its size times the dispatches
    /// allowed; dropped before that, a dispatch under way goes on and the run may be executed.
    pub async fn offer(self: &Arc<Self>, run: Run) -> OfferOutcome {
        let began = self.clock.now();
        let timeouts = DeliveryTimeouts::for_run(run.message.len(), self.settings.ack_deadline);
        let (mut offer, mut step) = Offer::new(self.settings.ack_mode, timeouts);
        let mut course = Course::new(self, &run, began);
        let mut dispatch: Option<Dispatch> = None;
        let mut now = began;
        let answer = loop {
            if step.reset
                && let Some(dispatch) = dispatch.take()
            {
                dispatch.way.reset();
            }
            let event = match step.next {
                Next::SelectPoll => {
                    dispatch = self.hand_over(&run);
                    if let Some(dispatch) = &dispatch {
                        course.dispatched(&dispatch.taker);
                    }
                    dispatch.as_ref().map_or(Event::NoPoll, |dispatch| dispatch.way.begun())
                }
                Next::Wait { until } => {
                    let dispatch = dispatch.as_mut().expect("core waits only for a dispatch");
                    let event = dispatch.way.event(self.clock, until).await;
                    now = self.clock.now();
                    event
                }
                Next::Finish(answer) => break answer,
            };
            if let Some(dispatch) = &dispatch {
                now = now.max(dispatch.taker.selected_at);
            }
            step = offer.handle(now, event);
            course.went_on(now, event, step);
        };
        let dispatch = dispatch.filter(|_| answer != OfferOutcome::Cold);
        let taker = dispatch.as_ref().map(|dispatch| &dispatch.taker);
        let report = course.ended(now, OfferEnd::Answered(answer), taker);
        self.settle(run, answer, Ended { began, at: now, dispatches: offer.dispatches(), dispatch, report });
        answer
    }

    /// Hands the run to the next poll whose connection is open; the others are as good as gone.
    fn hand_over(&self, run: &Run) -> Option<Dispatch> {
        loop {
            let (chosen, now) = {
                let mut matching = self.matching();
                // Read under the lock, as when a poll is parked.
                let now = self.clock.now();
                (matching.select(&run.key, now)?, now)
            };
            if let Some(state) = chosen.poll.handle.conn.state()
                && state.is_open
                && let Some(dispatch) =
                    Dispatch::begin(chosen, run, tell(self.settings.ack_mode), (now, state.acknowledged))
            {
                return Some(dispatch);
            }
            self.metrics.gone_polls.inc();
        }
    }

    fn settle(self: &Arc<Self>, run: Run, answer: OfferOutcome, ended: Ended) {
        let took = ended.at.since(ended.began);
        let Ended { dispatch, dispatches, report, .. } = ended;
        let waited = dispatch.as_ref().map(|dispatch| dispatch.taker.waited);
        self.metrics.record_answer(AnsweredOffer { answer, took, dispatches, waited });
        let conn = dispatch.as_ref().map(|dispatch| Arc::clone(dispatch.way.conn()));
        let entry = self.matching().finish_offer(OfferRecord {
            run: run.id,
            key: dispatch.as_ref().map_or(run.key, |dispatch| dispatch.key.clone()),
            at: ended.at,
            took,
            dispatches,
            answer,
            runner: dispatch.map(|dispatch| dispatch.taker.clone()),
        });
        if let Some(conn) = conn {
            let dispatcher = Arc::clone(self);
            conn.when_unread(move || dispatcher.unread(&entry, report));
        }
    }

    fn unread(&self, entry: &RecordId, report: Option<Arc<offer_event::OfferReport>>) {
        self.metrics.unread.inc();
        if let Some(offer) = report {
            self.offer_events.send(OfferEvent::Unread(offer, self.clock.now()));
        }
        let run = self.matching().mark_unread(entry).map(|offered| offered.run.clone());
        let run = run.as_ref().map_or("of long ago", RunId::as_str);
        tracing::warn!(run, "a runner's kernel acknowledged a run that the runner never read");
    }
}

/// What is known when an offer has ended.
struct Ended {
    began: Moment,
    at: Moment,
    dispatches: u8,
    /// The one that took it; `None` when cold.
    dispatch: Option<Dispatch>,
    /// What those who watch were told.
    report: Option<Arc<offer_event::OfferReport>>,
}

/// A run on its way to one poll.
struct Dispatch {
    taker: AssignedRunner,
    key: PoolKey,
    way: OnItsWay,
}

impl Dispatch {
    fn begin(
        chosen: SelectedPoll<Waiter>,
        run: &Run,
        tell: AckRequest,
        (now, acknowledged): (Moment, u64),
    ) -> Option<Self> {
        let SelectedPoll { id, poll } = chosen;
        let Poll { runner, parked_at, handle: Waiter { conn, way, tell: server }, key } = poll;
        let way = match way {
            Way::Direct => {
                let answer = DirectResponse::begin(&conn, run.head.clone(), run.message.clone(), tell);
                OnItsWay::direct(conn, acknowledged, answer, server)
            }
            Way::Http => {
                let (written, told) = oneshot::channel();
                let handed = Handed { message: run.message.clone(), written };
                server.say(Verdict::Run(handed)).ok()?;
                OnItsWay::http(conn, acknowledged, told)
            }
        };
        let taker = AssignedRunner { runner, poll: id, selected_at: now, waited: now.since(parked_at) };
        Some(Self { taker, key, way })
    }
}

/// Whether a dispatch's connection is to tell of its acknowledgement.
#[must_use]
pub const fn tell(ack_mode: AckMode) -> AckRequest {
    match ack_mode {
        AckMode::Kernel => AckRequest::Requested,
        AckMode::Written => AckRequest::NotRequested,
    }
}
