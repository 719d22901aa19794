//! One dispatch under way: writes the run to the poll's connection, waits for the acknowledgement, and reports each
//! step as a `DeliveryEvent` of `core::delivery`.

use std::sync::Arc;

use pilotlight_core::delivery::DeliveryEvent;
use pilotlight_core::limits::HEAD_TIMEOUT;
use pilotlight_core::time::Moment;
use tokio::sync::oneshot;

use super::handoff::HandoffSender;
use crate::ack::AckWait;
use crate::clock::Clock;
use crate::conn::{Conn, Written};
use crate::direct_response::DirectResponse;

/// A dispatch that is under way.
#[derive(Debug)]
pub struct InFlightDelivery<V> {
    conn: Arc<Conn>,
    acknowledged_before: u64,
    stage: Stage<V>,
}

#[derive(Debug)]
enum Stage<V> {
    /// This task writes the run to the connection. Once all of it is written, the poll's task gets the value.
    Direct(DirectResponse, Option<(HandoffSender<V>, V)>),
    /// hyper writes the run and reports when it is written.
    Http(oneshot::Receiver<Written>),
    /// Written, but not acknowledged yet.
    Written(Written),
}

impl<V> InFlightDelivery<V> {
    /// A dispatch that this task writes directly to the connection. Once it is written, `on_written` informs the poll's
    /// task.
    pub const fn direct(
        conn: Arc<Conn>,
        acknowledged_before: u64,
        response: DirectResponse,
        on_written: (HandoffSender<V>, V),
    ) -> Self {
        Self { conn, acknowledged_before, stage: Stage::Direct(response, Some(on_written)) }
    }

    /// A dispatch that hyper writes; `written_receiver` gets the report.
    pub const fn http(
        conn: Arc<Conn>,
        acknowledged_before: u64,
        written_receiver: oneshot::Receiver<Written>,
    ) -> Self {
        Self { conn, acknowledged_before, stage: Stage::Http(written_receiver) }
    }

    /// The connection of the poll.
    pub const fn conn(&self) -> &Arc<Conn> {
        &self.conn
    }

    /// Resets the connection, so that the runner does not act on a part of the run.
    pub fn reset(&self) {
        self.conn.reset();
    }

    /// The first event of the dispatch.
    pub const fn start_event(&self) -> DeliveryEvent {
        DeliveryEvent::Dispatched { acknowledged: self.acknowledged_before }
    }

    /// The next event; at `until`, a check of the acknowledged bytes.
    pub async fn next_event(&mut self, clock: Clock, until: Moment) -> DeliveryEvent {
        tokio::select! {
            biased;
            event = self.progress() => event,
            () = clock.sleep_until(until) => self.check_acknowledged(),
        }
    }

    async fn progress(&mut self) -> DeliveryEvent {
        let written = match &mut self.stage {
            Stage::Direct(response, on_written) => {
                let written = response.write(&self.conn).await.ok();
                if let (Some(_), Some((sender, outcome))) = (&written, on_written.take()) {
                    // The poll's task is not woken. From now on the connection waits for its next request.
                    self.conn.set_request_deadline(HEAD_TIMEOUT);
                    sender.send_without_wake(outcome);
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

    /// Reads the counter of acknowledged bytes as well, because the kernel drops an event when its error queue is
    /// full.
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

impl<V> Drop for InFlightDelivery<V> {
    /// If the supervisor disconnects while a run is partially written, the connection is reset, so that the runner
    /// does not act on a part of it.
    fn drop(&mut self) {
        if let Stage::Direct(response, _) = &self.stage
            && response.is_partially_sent()
        {
            self.conn.reset();
        }
    }
}
