//! The tasks that write and export offer events.

use std::time::Duration;

use anyhow::Context as _;
use pilotlight_net::clock::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::config::{Config, OfferLogTarget};
use crate::https_client::https_client_builder;
use crate::telemetry::event_queue::{EventSender, EventSinks};
use crate::telemetry::metrics::DroppedCounts;
use crate::telemetry::{offer_log, otlp};

/// How long writing the last offer events may take at the end. A local disk or a near collector takes milliseconds; a
/// slower one must not delay the exit.
const TELEMETRY_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The tasks that write and export offer events. They stop last.
#[derive(Debug)]
pub(super) struct TelemetryTasks {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl TelemetryTasks {
    pub(super) fn start(
        config: &Config,
        clock: Clock,
        dropped: DroppedCounts,
    ) -> anyhow::Result<(EventSender, Self)> {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let log = open_offer_log(&config.log.offers)?;
        let spans = config.telemetry.otlp_endpoint.as_deref().map(|endpoint| {
            let exporter = otlp::new(https_client_builder()?, endpoint, clock, dropped.spans.clone());
            let (spans, exporter) =
                exporter.context("failed to set up the export of spans (telemetry.otlp_endpoint)")?;
            tasks.spawn(exporter.run(stop.clone()));
            anyhow::Ok(spans)
        });
        let sinks = EventSinks { log, spans: spans.transpose()? };
        let (event_sender, event_worker) = EventSender::new(sinks, clock, dropped);
        if let Some(event_worker) = event_worker {
            tasks.spawn(event_worker.run(stop.clone()));
        }
        Ok((event_sender, Self { tasks, stop }))
    }

    /// Writes the offer events that are left, within [`TELEMETRY_FLUSH_TIMEOUT`].
    pub(super) async fn flush(mut self) {
        self.stop.cancel();
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(TELEMETRY_FLUSH_TIMEOUT, finish).await.is_err() {
            tracing::warn!("gave up on writing the last offer events (log.offers, telemetry)");
        }
    }
}

fn open_offer_log(target: &OfferLogTarget) -> anyhow::Result<Option<offer_log::OfferLog>> {
    Ok(match target {
        OfferLogTarget::None => None,
        OfferLogTarget::Stdout => Some(offer_log::OfferLog::stdout()),
        OfferLogTarget::File(path) => {
            let log = offer_log::OfferLog::file(path);
            Some(log.with_context(|| format!("failed to open {} (log.offers)", path.display()))?)
        }
    })
}
