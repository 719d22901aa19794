//! Sends finished spans to the collector. Batches wait in a bounded queue. A failed export is retried a few times; then
//! its spans are dropped and counted, and the first failure in a row is logged.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_sdk::trace::SpanData;
use pilotlight_core::limits::{EXPORT_QUEUE, MAX_SPANS_PER_EXPORT};
use pilotlight_net::clock::Clock;
use reqwest::ClientBuilder;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::telemetry::job_span::JobSpan;
use crate::telemetry::metrics::Count;
use crate::telemetry::offer_event::{OfferEvent, OfferReport};
use crate::telemetry::otlp::collector::{Collector, ExportError, ExporterError};
use crate::telemetry::otlp::span::{FinishedSpan, span_data};

/// Maximum number of attempts for one export.
const MAX_ATTEMPTS: u32 = 3;

/// The pause between two attempts.
const RETRY_DELAY: Duration = Duration::from_secs(1);

type Batch = Vec<FinishedSpan>;

/// The sending end of the queue of spans.
#[derive(Debug)]
pub(crate) struct SpanSender {
    queue: mpsc::Sender<Batch>,
    dropped: Count,
}

/// The receiving end of the queue, and the collector.
#[derive(Debug)]
pub(crate) struct Exporter {
    queue: mpsc::Receiver<Batch>,
    collector: Collector,
    clock: Clock,
    dropped: Count,
    is_failing: bool,
}

/// Creates both ends. `endpoint` is a URL, and `http` the configuration of the HTTP client. Spans that are not exported
/// are counted in `dropped`.
///
/// # Errors
/// When the HTTP client or the exporter cannot be built.
pub(crate) fn new(
    http: ClientBuilder,
    endpoint: &str,
    clock: Clock,
    dropped: Count,
) -> Result<(SpanSender, Exporter), ExporterError> {
    let (sender, queue) = mpsc::channel(EXPORT_QUEUE);
    let collector = Collector::new(http, endpoint)?;
    let spans = SpanSender { queue: sender, dropped: dropped.clone() };
    Ok((spans, Exporter { queue, collector, clock, dropped, is_failing: false }))
}

impl SpanSender {
    /// Queues the spans of these events and jobs. When the queue is full, they are dropped and counted.
    pub(in crate::telemetry) fn send(&self, events: &[OfferEvent], jobs: Vec<JobSpan>) {
        let offers = events.iter().filter_map(exported_offer).map(FinishedSpan::Offer);
        let spans: Batch = offers.chain(jobs.into_iter().map(FinishedSpan::Job)).collect();
        for batch in spans.chunks(MAX_SPANS_PER_EXPORT) {
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
    /// Exports until the sender is dropped. After `stop`, each batch gets one last attempt.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        while let Some(batch) = self.queue.recv().await {
            let spans: Vec<_> = batch.iter().filter_map(|finished| span_data(finished, self.clock)).collect();
            if spans.is_empty() {
                continue;
            }
            match self.export(&spans, &stop).await {
                Ok(()) => self.is_failing = false,
                Err(error) => self.record_failure(spans.len(), &error),
            }
        }
    }

    async fn export(&self, spans: &[SpanData], stop: &CancellationToken) -> Result<(), ExportError> {
        for _ in 1..MAX_ATTEMPTS {
            match self.collector.export(spans.to_vec()).await {
                Err(error) if error.is_retryable() && !stop.is_cancelled() => {
                    // The guard above checks `stop`, so the outcome of the pause does not matter.
                    _ = tokio::time::timeout(RETRY_DELAY, stop.cancelled()).await;
                }
                outcome => return outcome,
            }
        }
        self.collector.export(spans.to_vec()).await
    }

    fn record_failure(&mut self, spans: usize, error: &ExportError) {
        self.dropped.inc_by(spans as u64);
        if !std::mem::replace(&mut self.is_failing, true) {
            tracing::warn!(spans, %error, "failed to export spans (telemetry.otlp_endpoint)");
        }
    }
}
