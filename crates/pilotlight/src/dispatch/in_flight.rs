//! A run on its way to one poll: moves it on, and says in `core::delivery`'s words what was seen of it.

use std::sync::Arc;

use pilotlight_core::delivery::DeliveryEvent;
use pilotlight_core::limits::HEAD_TIMEOUT;
use pilotlight_core::time::Moment;
use tokio::sync::oneshot;

use super::handoff::HandoffSender;
use super::park::PollOutcome;
use crate::clock::Clock;
use crate::net::ack::AckWait;
use crate::net::conn::{Conn, Written};
use crate::net::direct_response::DirectResponse;

/// A run on its way.
#[derive(Debug)]
pub(crate) struct InFlightDelivery {
    conn: Arc<Conn>,
    acknowledged_before: u64,
    stage: Stage,
}

#[derive(Debug)]
enum Stage {
    /// Written by us. The poll's server is told once all of it is.
    Direct(DirectResponse, Option<HandoffSender<PollOutcome>>),
    /// Written by HTTP, which tells.
    Http(oneshot::Receiver<Written>),
    /// Written, and to be acknowledged.
    Written(Written),
}

impl InFlightDelivery {
    /// It is written on the connection by us.
    pub(super) const fn direct(
        conn: Arc<Conn>,
        acknowledged_before: u64,
        response: DirectResponse,
        sender: HandoffSender<PollOutcome>,
    ) -> Self {
        Self { conn, acknowledged_before, stage: Stage::Direct(response, Some(sender)) }
    }

    /// It was handed to HTTP, which tells when it is written.
    pub(crate) const fn http(
        conn: Arc<Conn>,
        acknowledged_before: u64,
        written_receiver: oneshot::Receiver<Written>,
    ) -> Self {
        Self { conn, acknowledged_before, stage: Stage::Http(written_receiver) }
    }

    /// The connection it goes on.
    pub(crate) const fn conn(&self) -> &Arc<Conn> {
        &self.conn
    }

    /// Whoever is behind the connection must not act on half of it.
    pub(crate) fn reset(&self) {
        self.conn.reset();
    }

    /// What is seen at first.
    pub(crate) const fn start_event(&self) -> DeliveryEvent {
        DeliveryEvent::Dispatched { acknowledged: self.acknowledged_before }
    }

    /// What is seen next, at the latest then.
    pub(crate) async fn next_event(&mut self, clock: Clock, until: Moment) -> DeliveryEvent {
        tokio::select! {
            biased;
            event = self.progress() => event,
            () = clock.sleep_until(until) => self.check_acknowledged(),
        }
    }

    async fn progress(&mut self) -> DeliveryEvent {
        let written = match &mut self.stage {
            Stage::Direct(response, sender) => {
                let written = response.write(&self.conn).await.ok();
                if let (Some(_), Some(sender)) = (&written, sender.take()) {
                    // Its server sleeps on; what it waits for from now on is the next request.
                    self.conn.set_request_deadline(HEAD_TIMEOUT);
                    sender.send_without_wake(PollOutcome::Answered);
                }
                written
            }
            Stage::Http(written_receiver) => written_receiver.await.ok(),
            Stage::Written(written) => {
                return match self.conn.wait_acknowledged(written.end).await {
                    AckWait::Acknowledged => self.acknowledged(),
                    AckWait::ConnectionEnded => DeliveryEvent::ConnectionEnded,
                };
            }
        };
        match written {
            Some(Written { acknowledged: true, .. }) => DeliveryEvent::Acknowledged,
            Some(written) => {
                self.stage = Stage::Written(written);
                DeliveryEvent::Written
            }
            None => DeliveryEvent::ConnectionEnded,
        }
    }

    fn acknowledged(&self) -> DeliveryEvent {
        if let Stage::Written(written) = &self.stage {
            self.conn.record_ack_delay(written.at.elapsed());
        }
        DeliveryEvent::Acknowledged
    }

    /// The kernel drops an acknowledgement's event when it has no room for it, so the number is looked at as well.
    fn check_acknowledged(&self) -> DeliveryEvent {
        let acknowledged = self.conn.acknowledged_bytes();
        match self.stage {
            Stage::Written(written) if acknowledged >= written.end => self.acknowledged(),
            Stage::Direct(..) | Stage::Http(_) | Stage::Written(_) => {
                DeliveryEvent::ProgressChecked { acknowledged }
            }
        }
    }
}

impl Drop for InFlightDelivery {
    /// When the supervisor leaves in the middle of a message, nobody must act on half of it.
    fn drop(&mut self) {
        if let Stage::Direct(response, _) = &self.stage
            && response.is_partially_sent()
        {
            self.conn.reset();
        }
    }
}
