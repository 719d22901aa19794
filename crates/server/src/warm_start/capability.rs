//! Composes the warm-start capability: the dispatcher, its routes, and its fast path.

use std::sync::Arc;

use pilotlight_core::pool;

use crate::background::TaskInfo;
use crate::capability::{Builder, Capability, Drain};
use crate::composition::Context;
use crate::config::PollOrder;
use crate::warm_start::dispatcher::{Dispatcher, Settings};
use crate::warm_start::http::token::Tokens;
use crate::warm_start::http::{self, ConnectTimeouts, WarmStartState};
use crate::warm_start::metrics::WarmStartMetrics;
use crate::warm_start::panel::WarmStartPanel;
use crate::warm_start::status::WarmStartStatus;

/// Warm starts: the routes for Trigger.dev's runners and supervisors.
pub(crate) const BUILDER: Builder = Builder {
    name: "warm-start",
    summary: "Warm starts: the routes for Trigger.dev's runners and supervisors",
    build: |context| Box::pin(async { Ok(build(context)) }),
};

/// One connection in this many is reserved for supervisors and people, so that polls of runners cannot use all of
/// them.
const RESERVED_CONNECTIONS_DIVISOR: usize = 16;

fn build(context: &Context<'_>) -> Capability {
    let (config, clock) = (&context.config.warm_start, context.clock);
    let metrics = Arc::new(context.registry.register(WarmStartMetrics::register));
    let dispatcher = Dispatcher::new(settings(context), clock, Arc::clone(&metrics), context.events.clone());
    let state = Arc::new(WarmStartState {
        edge: Arc::clone(&context.edge),
        dispatcher: Arc::clone(&dispatcher),
        tokens: Tokens::new(config, metrics.tokens()),
        connect_timeouts: ConnectTimeouts {
            connection_timeout: config.connection_timeout,
            keepalive: config.keepalive,
        },
        shown_settings: context.shown_settings(),
    });
    let draining = Arc::clone(&dispatcher);
    let description = "Closes polls that their clients should have ended, and forgets lost runners";
    let expiry = TaskInfo { name: "expiry", description };
    let expiry = expiry.task(clock, &dispatcher, Dispatcher::expire_polls);
    Capability {
        name: BUILDER.name,
        routes: http::routes(&state),
        tasks: vec![expiry],
        panel: Some(Arc::new(WarmStartPanel::new(Arc::clone(&dispatcher), clock))),
        status: Some(Arc::new(WarmStartStatus::new(dispatcher, metrics))),
        fast_path: Some(state),
        drain: Drain::new(move || draining.drain()),
    }
}

fn settings(context: &Context<'_>) -> Settings {
    let (config, connections) = (&context.config.warm_start, context.connections.max_open());
    Settings {
        order: match config.order {
            PollOrder::Newest => pool::Order::Newest,
            PollOrder::Oldest => pool::Order::Oldest,
        },
        connection_timeout: config.connection_timeout,
        max_polls: connections - connections / RESERVED_CONNECTIONS_DIVISOR,
        ack_mode: context.ack_mode,
        ack_deadline: config.ack_deadline,
    }
}
