//! The bounded queue between the match path and telemetry about offers. The match path puts events into the queue and
//! wakes no task, so telemetry cannot slow it down. An event that finds the queue full is dropped and counted. One
//! background task empties the queue ten times a second.

use std::time::Duration;

use pilotlight_core::limits::OFFER_EVENT_QUEUE;
use pilotlight_core::trace_context::TraceParent;
use pilotlight_net::clock::Clock;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use crate::telemetry::job_span::{JobSpan, JobSpanSender};
use crate::telemetry::metrics::DroppedCounts;
use crate::telemetry::offer_event::{OfferEvent, SpanContext};
use crate::telemetry::offer_log::OfferLog;
use crate::telemetry::otlp::SpanSender;

/// How often the queue is emptied. This is soon enough for people, and the match path need not wake the worker.
const DRAIN_INTERVAL: Duration = Duration::from_millis(100);

/// The sending end, on the match path.
#[derive(Debug, Clone)]
pub(crate) struct EventSender {
    queue: Option<mpsc::Sender<OfferEvent>>,
    /// Whether every event becomes a log line.
    has_log: bool,
    /// Whether spans are exported.
    has_exporter: bool,
    job_spans: JobSpanSender,
    dropped: DroppedCounts,
}

/// The receiving end: the background task that passes events to the log and the exporter.
#[derive(Debug)]
pub(crate) struct EventWorker {
    queue: mpsc::Receiver<OfferEvent>,
    log: Option<OfferLog>,
    sighup: Option<Signal>,
    spans: Option<SpanExport>,
    clock: Clock,
    dropped: DroppedCounts,
}

/// What the worker needs to export spans.
#[derive(Debug)]
struct SpanExport {
    exporter: SpanSender,
    job_spans: mpsc::Receiver<JobSpan>,
}

/// Where events are passed to.
#[derive(Debug, Default)]
pub(crate) struct EventSinks {
    /// The offer log.
    pub log: Option<OfferLog>,
    /// The trace exporter.
    pub spans: Option<SpanSender>,
}

impl EventSender {
    /// A sender without a worker: every call does nothing.
    #[must_use]
    pub(crate) fn off() -> Self {
        Self {
            queue: None,
            has_log: false,
            has_exporter: false,
            job_spans: JobSpanSender::default(),
            dropped: DroppedCounts::default(),
        }
    }

    /// Both ends of a new queue. Without sinks, the sender is off and there is no worker.
    #[must_use]
    pub(crate) fn new(
        sinks: EventSinks,
        clock: Clock,
        dropped: DroppedCounts,
    ) -> (Self, Option<EventWorker>) {
        let EventSinks { log, spans } = sinks;
        let (has_log, has_exporter) = (log.is_some(), spans.is_some());
        if !has_log && !has_exporter {
            return (Self::off(), None);
        }
        let (sender, queue) = mpsc::channel(OFFER_EVENT_QUEUE);
        let (mut job_sender, mut export) = (JobSpanSender::default(), None);
        if let Some(exporter) = spans {
            let (sender, job_spans) = JobSpanSender::new(clock, dropped.spans.clone());
            (job_sender, export) = (sender, Some(SpanExport { exporter, job_spans }));
        }
        let sender = Self {
            queue: Some(sender),
            has_log,
            has_exporter,
            job_spans: job_sender,
            dropped: dropped.clone(),
        };
        let sighup = log.as_ref().and_then(sighup_signal);
        let worker = EventWorker { queue, log, sighup, spans: export, clock, dropped };
        (sender, Some(worker))
    }

    /// Whether events go to a worker.
    #[must_use]
    pub(crate) const fn is_enabled(&self) -> bool {
        self.queue.is_some()
    }

    /// Where the spans of jobs go.
    #[must_use]
    pub(crate) fn job_spans(&self) -> JobSpanSender {
        self.job_spans.clone()
    }

    /// Puts an event into the queue. When the queue is full, the event is dropped and counted.
    pub(crate) fn send(&self, event: OfferEvent) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(event) | TrySendError::Closed(event)) = queue.try_send(event) {
            self.dropped.lines.inc_by(self.has_log.into());
            self.dropped.spans.inc_by(event.has_span().into());
        }
    }

    /// The trace context of an offer: a child of the supervisor's span, else a new trace when spans are exported.
    #[must_use]
    pub(crate) fn span_context(&self, parent: Option<TraceParent>) -> Option<SpanContext> {
        if self.has_exporter {
            return SpanContext::exported(parent);
        }
        let TraceParent { trace, span, .. } = parent?;
        Some(SpanContext { id: trace, parent: Some(span), span: None })
    }
}

impl EventWorker {
    /// Passes on events until `stop`, and then those that are still in the queue.
    pub(crate) async fn run(mut self, stop: CancellationToken) {
        loop {
            let is_stopping = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(DRAIN_INTERVAL) => false,
                () = sighup_received(&mut self.sighup) => {
                    self.reopen();
                    false
                }
            };
            self.drain().await;
            if is_stopping {
                return;
            }
        }
    }

    fn reopen(&mut self) {
        if let Some(log) = &mut self.log {
            log.reopen();
        }
    }

    async fn drain(&mut self) {
        let mut events = Vec::new();
        while let Ok(event) = self.queue.try_recv() {
            events.push(event);
        }
        if let Some(SpanExport { exporter, job_spans }) = &mut self.spans {
            let jobs = std::iter::from_fn(|| job_spans.try_recv().ok()).collect();
            exporter.send(&events, jobs);
        }
        if events.is_empty() {
            return;
        }
        if let Some(mut log) = self.log.take() {
            let (clock, lines) = (self.clock, self.dropped.lines.clone());
            let written = tokio::task::spawn_blocking(move || {
                log.write(&events, clock, &lines);
                log
            });
            self.log = written.await.ok();
        }
    }
}

/// Makes SIGHUP reopen the log file. Without a file, SIGHUP still ends the process, as is the default.
fn sighup_signal(log: &OfferLog) -> Option<Signal> {
    log.is_file().then(|| signal(SignalKind::hangup()).ok())?
}

async fn sighup_received(sighup: &mut Option<Signal>) {
    match sighup {
        Some(sighup) => _ = sighup.recv().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::telemetry::json_line::tests::{cold, warm};

    #[test]
    fn without_sinks_there_is_no_queue_and_no_trace_is_begun() {
        let dropped = DroppedCounts::default();
        let (sender, worker) = EventSender::new(EventSinks::default(), Clock::start(), dropped);
        assert!(!sender.is_enabled() && worker.is_none());
        assert_eq!(sender.span_context(None), None);
    }

    #[test]
    fn events_that_find_the_queue_full_are_dropped_and_counted() {
        let (sender, mut queue) = mpsc::channel(2);
        let sender =
            EventSender { queue: Some(sender), has_log: true, has_exporter: true, ..EventSender::off() };
        for offer in [cold(), warm(), warm(), cold()] {
            sender.send(OfferEvent::Ended(Arc::new(offer)));
        }
        assert_eq!((sender.dropped.lines.get(), sender.dropped.spans.get()), (2, 1));
        assert!(queue.try_recv().is_ok() && queue.try_recv().is_ok() && queue.try_recv().is_err());
    }

    #[test]
    fn a_span_is_exported_when_the_parent_is_sampled_or_there_is_no_parent() {
        let parent = |flags| {
            TraceParent::parse(
                format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}").as_bytes(),
            )
        };
        let sender = EventSender { has_exporter: true, ..EventSender::off() };
        assert!(
            sender
                .span_context(None)
                .is_some_and(|context| context.parent.is_none() && context.span.is_some())
        );
        for (flags, exported) in [("00", false), ("01", true)] {
            let (parent, context) = (parent(flags).unwrap(), sender.span_context(parent(flags)).unwrap());
            assert_eq!((context.id, context.parent), (parent.trace, Some(parent.span)));
            assert_eq!(context.span.is_some(), exported, "{flags}");
        }
        assert_eq!(EventSender::off().span_context(parent("01")).and_then(|context| context.span), None);
    }
}
