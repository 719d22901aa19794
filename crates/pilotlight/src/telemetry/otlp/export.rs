//! Exports the spans of offers to the collector. Batches wait in a bounded queue, and each is sent up to
//! [`MAX_ATTEMPTS`] times. Spans that could not be exported are counted; the failure is logged once until an export
//! succeeds again.

use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::limits::{EXPORT_QUEUE, MAX_SPANS_PER_EXPORT};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::collector::{Collector, ExportError};
use super::span;
use crate::clock::Clock;
use crate::telemetry::metrics::Count;
use crate::telemetry::offer_event::{OfferEvent, OfferReport};

/// Maximum number of attempts for one export.
const MAX_ATTEMPTS: u32 = 3;

/// The pause between two attempts.
const RETRY_DELAY: Duration = Duration::from_secs(1);

type Batch = Vec<Arc<OfferReport>>;

/// The sending end of the queue, which the event worker has.
#[derive(Debug)]
pub struct SpanSender {
    queue: mpsc::Sender<Batch>,
    dropped: Count,
}

/// The receiving end of the queue, with the address of the collector.
#[derive(Debug)]
pub struct Exporter {
    queue: mpsc::Receiver<Batch>,
    collector: Collector,
    clock: Clock,
    dropped: Count,
    is_failing: bool,
}

/// Both ends of a new queue. `endpoint` is an `http` URL. Spans that cannot be exported are counted in `dropped`.
#[must_use]
pub fn new(endpoint: &str, clock: Clock, dropped: Count) -> (SpanSender, Exporter) {
    let (sender, queue) = mpsc::channel(EXPORT_QUEUE);
    let collector = Collector::new(endpoint);
    let spans = SpanSender { queue: sender, dropped: dropped.clone() };
    (spans, Exporter { queue, collector, clock, dropped, is_failing: false })
}

impl SpanSender {
    /// Puts the spans of these events into the queue. When the queue is full, they are dropped and counted.
    pub(in crate::telemetry) fn send(&self, events: &[OfferEvent]) {
        let offers: Batch = events.iter().filter_map(exported_offer).collect();
        for batch in offers.chunks(MAX_SPANS_PER_EXPORT) {
            if self.queue.try_send(batch.to_vec()).is_err() {
                self.dropped.inc_by(batch.len() as u64);
            }
        }
    }
}

fn exported_offer(event: &OfferEvent) -> Option<Arc<OfferReport>> {
    match event {
        OfferEvent::Ended(offer) => event.has_span().then(|| Arc::clone(offer)),
        OfferEvent::Unread(..) => None,
    }
}

impl Exporter {
    /// Exports batches until the sending end is dropped. After `stop`, a failed batch gets only one more attempt.
    pub async fn run(mut self, stop: CancellationToken) {
        while let Some(batch) = self.queue.recv().await {
            match self.export(&batch, &stop).await {
                Ok(()) => self.is_failing = false,
                Err(error) => self.record_failure(batch.len(), &error),
            }
        }
    }

    async fn export(&self, batch: &[Arc<OfferReport>], stop: &CancellationToken) -> Result<(), ExportError> {
        let body = span::request(batch.iter().map(AsRef::as_ref), self.clock).to_string();
        for _ in 1..MAX_ATTEMPTS {
            match self.collector.post(body.as_bytes()).await {
                Err(error) if error.is_retryable() && !stop.is_cancelled() => {
                    // Either end of this wait leads to the next attempt; `stop` is checked above.
                    _ = tokio::time::timeout(RETRY_DELAY, stop.cancelled()).await;
                }
                outcome => return outcome,
            }
        }
        self.collector.post(body.as_bytes()).await
    }

    fn record_failure(&mut self, spans: usize, error: &ExportError) {
        self.dropped.inc_by(spans as u64);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(spans, %error, "failed to export spans (telemetry.otlp_endpoint)");
        }
    }
}
