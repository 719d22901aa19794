//! What a capability is built from.

use std::net::SocketAddr;
use std::sync::Arc;

use pilotlight_core::delivery::AckMode;
use pilotlight_core::time::millis;
use pilotlight_net::clock::Clock;
use pilotlight_net::listener::Connections;
use pilotlight_wire::dashboard::Config as ShownSettings;

use crate::capability::{Capability, DashboardPanel, Status};
use crate::config::Config;
use crate::http::edge::Edge;
use crate::telemetry::event_queue::EventSender;
use crate::telemetry::metrics::{MetricsRegistry, ProcessMetrics};

/// What a capability is built from. It holds no state of another capability.
#[derive(Debug)]
pub(crate) struct Context<'a> {
    pub(crate) config: &'a Config,
    pub(crate) clock: Clock,
    /// What proves a dispatch: the acknowledgement of the runner's kernel, or only the completed write.
    pub(crate) ack_mode: AckMode,
    pub(crate) edge: Arc<Edge>,
    /// Where offers and jobs are reported, for the offer log and for spans.
    pub(crate) events: EventSender,
    pub(crate) registry: Arc<MetricsRegistry>,
    pub(crate) process_metrics: ProcessMetrics,
    pub(crate) connections: Connections,
    /// The address of the main listener.
    pub(crate) listen_address: SocketAddr,
    /// The capabilities that were built before.
    pub(crate) built: Built,
}

impl Context<'_> {
    /// The settings that the dashboard shows.
    pub(crate) fn shown_settings(&self) -> ShownSettings {
        let (config, address) = (&self.config.warm_start, self.listen_address);
        ShownSettings {
            connection_timeout_ms: millis(config.connection_timeout),
            keepalive_ms: millis(config.keepalive),
            port: address.port(),
            host: address.ip().to_string(),
        }
    }
}

/// The capabilities that are built, in the order of the list.
#[derive(Debug, Default)]
pub(crate) struct Built(pub(super) Vec<Capability>);

impl Built {
    /// Whether there is a capability with this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|capability| capability.name == name)
    }

    /// What the capabilities add to the dashboard.
    pub(crate) fn panels(&self) -> Vec<Arc<dyn DashboardPanel>> {
        self.0.iter().filter_map(|capability| capability.panel.clone()).collect()
    }

    /// What the capabilities report.
    pub(crate) fn statuses(&self) -> Vec<Arc<dyn Status>> {
        self.0.iter().filter_map(|capability| capability.status.clone()).collect()
    }
}
