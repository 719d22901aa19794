//! Composes the dashboard from the panels of the capabilities that were built before it.

use std::sync::Arc;

use axum::routing::{MethodRouter, get, post};
use pilotlight_core::access::Permission;
use pilotlight_core::limits::{DASHBOARD_OFFERS, SMALL_BODY_BYTES, STATS_BUCKET_WIDTH, STATS_BUCKETS};
use pilotlight_core::time::Moment;
use pilotlight_wire::dashboard_events::{ServedCapabilities, ServiceInfo};

use crate::background::TaskInfo;
use crate::capability::{Builder, Capability, Drain};
use crate::composition::Context;
use crate::dashboard::broadcaster::Broadcaster;
use crate::dashboard::metrics::Metrics;
use crate::dashboard::{assets, events, metrics};
use crate::http::route::{Audience, Route};
use crate::http::session;

/// The dashboard, the metrics and the routes for operators.
pub(crate) const BUILDER: Builder = Builder {
    name: "dashboard",
    summary: "The dashboard, the metrics and the routes for operators",
    build: |context| Box::pin(async { Ok(build(context)) }),
};

fn build(context: &Context<'_>) -> Capability {
    let broadcaster = Broadcaster::new(service_info(context), context.built.panels(), context.clock);
    let metrics = Metrics {
        registry: Arc::clone(&context.registry),
        process: context.process_metrics.clone(),
        connections: context.connections.clone(),
        statuses: context.built.statuses(),
    };
    let updates = TaskInfo { name: "updates", description: "Sends what changed to open dashboards" };
    let updates = updates.task(context.clock, &broadcaster, Broadcaster::run_updates);
    Capability {
        name: BUILDER.name,
        routes: routes(context, &broadcaster, metrics),
        tasks: vec![updates],
        panel: None,
        status: None,
        fast_path: None,
        drain: Drain::new(move || {
            broadcaster.stop();
            0
        }),
    }
}

fn routes(context: &Context<'_>, broadcaster: &Arc<Broadcaster>, metrics: Metrics) -> Vec<Route> {
    let route = |path, methods: MethodRouter, permission| {
        Route::new(path, methods, permission).audience(Audience::Operators)
    };
    let edge = || Arc::clone(&context.edge);
    let session = get(session::read).delete(session::sign_out).with_state(edge());
    let events = get(events::watch).with_state(Arc::clone(broadcaster));
    let metrics = get(metrics::read).with_state(Arc::new(metrics));
    vec![
        route("/api/dashboard/events", events, Permission::DashboardRead),
        route("/metrics", metrics, Permission::DashboardRead),
        // The page and its sign-in contain no data about runs or runners.
        route("/api/session", session, Permission::DashboardPage),
        route("/api/session", post(session::sign_in).with_state(edge()), Permission::DashboardPage)
            .body(SMALL_BODY_BYTES),
        route("/", get(assets::index), Permission::DashboardPage),
        route("/assets/{name}", get(assets::asset), Permission::DashboardPage),
    ]
}

/// The part of the state that does not change while the service runs.
fn service_info(context: &Context<'_>) -> ServiceInfo {
    ServiceInfo {
        version: env!("CARGO_PKG_VERSION"),
        ack: context.ack_mode.as_str(),
        serves: ServedCapabilities {
            warm_starts: context.built.has("warm-start"),
            jobs: context.built.has("jobs"),
        },
        config: context.shown_settings(),
        started_at: context.clock.epoch_ms(Moment::from_micros(0)),
        bucket_ms: STATS_BUCKET_WIDTH.as_secs() * 1000,
        buckets: STATS_BUCKETS,
        offers_shown: DASHBOARD_OFFERS,
    }
}
