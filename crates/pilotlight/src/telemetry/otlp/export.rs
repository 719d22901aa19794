//! From what was seen to a collector: batches wait in a bounded queue, each is tried a few times, and what was not
//! taken is counted and told once.

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

/// How often one export is tried.
const MAX_ATTEMPTS: u32 = 3;

/// Between two tries.
const RETRY_DELAY: Duration = Duration::from_secs(1);

type Batch = Vec<Arc<OfferReport>>;

/// The watcher's end.
#[derive(Debug)]
pub struct SpanSender {
    queue: mpsc::Sender<Batch>,
    dropped: Count,
}

/// The other end, with the way to the collector.
#[derive(Debug)]
pub struct Exporter {
    queue: mpsc::Receiver<Batch>,
    collector: Collector,
    clock: Clock,
    dropped: Count,
    is_failing: bool,
}

/// Both ends. `endpoint` is an `http` URL; what is not taken is counted in `dropped`.
#[must_use]
pub fn new(endpoint: &str, clock: Clock, dropped: Count) -> (SpanSender, Exporter) {
    let (sender, queue) = mpsc::channel(EXPORT_QUEUE);
    let collector = Collector::new(endpoint);
    let spans = SpanSender { queue: sender, dropped: dropped.clone() };
    (spans, Exporter { queue, collector, clock, dropped, is_failing: false })
}

impl SpanSender {
    /// Passes on what is to be exported, unless the queue is full.
    pub(in crate::telemetry) fn send(&self, events: &[OfferEvent]) {
        let offers: Batch = events.iter().filter_map(exported_offer).collect();
        for batch in offers.chunks(MAX_SPANS_PER_EXPORT) {
            if self.queue.try_send(batch.to_vec()).is_err() {
                self.dropped.inc_by(batch.len() as u64);
            }
        }
    }
}

fn exported_offer(events: &OfferEvent) -> Option<Arc<OfferReport>> {
    match events {
        OfferEvent::Ended(offer) => events.has_span().then(|| Arc::clone(offer)),
        OfferEvent::Unread(..) => None,
    }
}

impl Exporter {
    /// Exports until the other end is gone. Once asked to stop, each batch is tried one last time.
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
                    // Whether it is over is asked above.
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
