//! From the match path to those who watch it. The path puts what it saw into a bounded queue and wakes nobody; what
//! finds the queue full is dropped and counted. One task empties it a few times a second.

use std::time::Duration;

use pilotlight_core::limits::SEEN;
use pilotlight_core::trace_context::{SpanId, TraceId, TraceParent};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, error::TrySendError};
use tokio_util::sync::CancellationToken;

use super::metrics::DroppedCounts;
use super::offer_log::OfferLog;
#[cfg(feature = "otlp")]
use super::otlp::Spans;
use super::seen::{Seen, Traced};
use crate::clock::Clock;

/// Soon enough for people, and nobody has to be woken.
const EMPTIED_EVERY: Duration = Duration::from_millis(100);

/// The path's end.
#[derive(Debug, Clone)]
pub struct Watch {
    queue: Option<mpsc::Sender<Seen>>,
    /// Whether there is a line for each.
    logs: bool,
    /// Whether there is a span for each.
    exports: bool,
    dropped: DroppedCounts,
}

/// The other end: the reconciler that passes on what was seen.
#[derive(Debug)]
pub struct Watcher {
    queue: mpsc::Receiver<Seen>,
    log: Option<OfferLog>,
    hangup: Option<Signal>,
    #[cfg(feature = "otlp")]
    spans: Option<Spans>,
    clock: Clock,
    dropped: DroppedCounts,
}

/// To whom it is passed on.
#[derive(Debug, Default)]
pub struct Readers {
    /// A line each.
    pub log: Option<OfferLog>,
    /// A span each.
    #[cfg(feature = "otlp")]
    pub spans: Option<Spans>,
}

impl Watch {
    /// One that nobody reads; it costs nothing.
    #[must_use]
    pub fn off() -> Self {
        Self { queue: None, logs: false, exports: false, dropped: DroppedCounts::default() }
    }

    /// Both ends; nothing to do when nobody reads.
    #[must_use]
    pub fn new(readers: Readers, clock: Clock, dropped: DroppedCounts) -> (Self, Option<Watcher>) {
        #[cfg(feature = "otlp")]
        let exports = readers.spans.is_some();
        #[cfg(not(feature = "otlp"))]
        let exports = false;
        if readers.log.is_none() && !exports {
            return (Self::off(), None);
        }
        let (sender, queue) = mpsc::channel(SEEN);
        let logs = readers.log.is_some();
        let watch = Self { queue: Some(sender), logs, exports, dropped: dropped.clone() };
        let hangup = readers.log.as_ref().and_then(hangup_of);
        let watcher = Watcher {
            queue,
            log: readers.log,
            hangup,
            #[cfg(feature = "otlp")]
            spans: readers.spans,
            clock,
            dropped,
        };
        (watch, Some(watcher))
    }

    /// Whether anybody reads.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Passes it on, unless the queue is full.
    pub fn tell(&self, seen: Seen) {
        let Some(queue) = &self.queue else { return };
        if let Err(TrySendError::Full(seen) | TrySendError::Closed(seen)) = queue.try_send(seen) {
            self.dropped.lines.inc_by(self.logs.into());
            self.dropped.spans.inc_by(seen.has_span().into());
        }
    }

    /// An offer's place among the traces: where its supervisor says, else in one of its own when spans are exported.
    #[must_use]
    pub fn trace(&self, parent: Option<TraceParent>) -> Option<Traced> {
        match parent {
            Some(TraceParent { trace, span, is_sampled }) => {
                let ours = (self.exports && is_sampled).then(new_span);
                Some(Traced { id: trace, parent: Some(span), span: ours.flatten() })
            }
            None if self.exports => {
                let id = TraceId::new(random())?;
                Some(Traced { id, parent: None, span: new_span() })
            }
            None => None,
        }
    }
}

impl Watcher {
    /// Passes on what was seen until asked to stop, and then the rest of it.
    pub async fn keep(mut self, stop: CancellationToken) {
        loop {
            let is_over = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(EMPTIED_EVERY) => false,
                () = hung_up(&mut self.hangup) => {
                    self.reopen();
                    false
                }
            };
            self.empty().await;
            if is_over {
                return;
            }
        }
    }

    fn reopen(&mut self) {
        if let Some(log) = &mut self.log {
            log.reopen();
        }
    }

    async fn empty(&mut self) {
        let mut seen = Vec::new();
        while let Ok(one) = self.queue.try_recv() {
            seen.push(one);
        }
        if seen.is_empty() {
            return;
        }
        #[cfg(feature = "otlp")]
        if let Some(spans) = &self.spans {
            spans.pass_on(&seen);
        }
        if let Some(mut log) = self.log.take() {
            let (clock, lines) = (self.clock, self.dropped.lines.clone());
            let written = tokio::task::spawn_blocking(move || {
                log.write(&seen, clock, &lines);
                log
            });
            self.log = written.await.ok();
        }
    }
}

/// From now on SIGHUP opens the file anew; without a file it ends the process as ever.
fn hangup_of(log: &OfferLog) -> Option<Signal> {
    log.is_file().then(|| signal(SignalKind::hangup()).ok())?
}

async fn hung_up(hangup: &mut Option<Signal>) {
    match hangup {
        Some(hangup) => _ = hangup.recv().await,
        None => std::future::pending().await,
    }
}

/// `None` in the one of 2^64 cases that is no id.
fn new_span() -> Option<SpanId> {
    SpanId::new(random())
}

fn random<const BYTES: usize>() -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes).expect("the system has random bytes once it runs");
    bytes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::line::tests::{cold, warm};
    use super::*;

    #[test]
    fn when_nobody_reads_there_is_no_queue_and_no_trace_is_begun() {
        let dropped = DroppedCounts::default();
        let (watch, watcher) = Watch::new(Readers::default(), Clock::start(), dropped);
        assert!(!watch.is_on() && watcher.is_none());
        assert_eq!(watch.trace(None), None);
    }

    #[test]
    fn what_finds_the_queue_full_is_dropped_and_counted() {
        let (sender, mut queue) = mpsc::channel(2);
        let watch = Watch { queue: Some(sender), logs: true, exports: true, ..Watch::off() };
        for offer in [cold(), warm(), warm(), cold()] {
            watch.tell(Seen::Offer(Arc::new(offer)));
        }
        assert_eq!((watch.dropped.lines.get(), watch.dropped.spans.get()), (2, 1));
        assert!(queue.try_recv().is_ok() && queue.try_recv().is_ok() && queue.try_recv().is_err());
    }

    #[test]
    fn a_span_is_exported_where_the_supervisor_records_or_says_nothing() {
        let parent = |flags| {
            TraceParent::parse(
                format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}").as_bytes(),
            )
        };
        let watch = Watch { exports: true, ..Watch::off() };
        assert!(watch.trace(None).is_some_and(|traced| traced.parent.is_none() && traced.span.is_some()));
        for (flags, exported) in [("00", false), ("01", true)] {
            let (parent, traced) = (parent(flags).unwrap(), watch.trace(parent(flags)).unwrap());
            assert_eq!((traced.id, traced.parent), (parent.trace, Some(parent.span)));
            assert_eq!(traced.span.is_some(), exported, "{flags}");
        }
        assert_eq!(Watch::off().trace(parent("01")).and_then(|traced| traced.span), None);
    }
}
