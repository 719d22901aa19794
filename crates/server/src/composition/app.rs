//! The running service, from its start to its stop.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use pilotlight_net::clock::Clock;
use pilotlight_net::listener::{self, Connections};
use pilotlight_net::sockets::BoundListener;
use pilotlight_net::tls::Tls;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::background::{BackgroundTask, TaskRow};
use crate::capability::{Builder, Capability, Drain, FastPath};
use crate::composition::CAPABILITIES;
use crate::composition::context::{Built, Context};
use crate::composition::listeners::{ack_mode, load_tls, open_listeners};
use crate::composition::service::Service;
use crate::composition::telemetry::TelemetryTasks;
use crate::config::Config;
use crate::dashboard;
use crate::http::edge::Edge;
use crate::http::health::HealthState;
use crate::http::route::{PageServed, Route};
use crate::http::router::router;
use crate::http::{background, health, openapi};
use crate::telemetry::metrics::{MetricsRegistry, ProcessMetrics};
use crate::warm_start::http::closing_routes;

/// The running service.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    control: Option<SocketAddr>,
    tls: bool,
    grace: Duration,
    drains: Vec<(&'static str, Drain)>,
    connections: Connections,
    tasks: JoinSet<()>,
    telemetry_tasks: TelemetryTasks,
}

impl App {
    /// Starts the service, all of it or `only` the capabilities with these names. Once this returns, it accepts
    /// requests.
    ///
    /// # Errors
    /// When an address cannot be listened on, or a setting needs what this machine does not have.
    pub async fn start(config: &Config, only: Option<&[&str]>) -> anyhow::Result<Self> {
        let is_enabled = |builder: &&Builder| only.is_none_or(|only| only.contains(&builder.name));
        Self::start_capabilities(config, CAPABILITIES.iter().filter(is_enabled)).await
    }

    /// Starts the service with these capabilities.
    pub(super) async fn start_capabilities(
        config: &Config,
        builders: impl Iterator<Item = &Builder>,
    ) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let ack_mode = ack_mode(config.warm_start.ack).await?;
        let registry = Arc::new(MetricsRegistry::new(ack_mode));
        let process_metrics = registry.register(ProcessMetrics::register);
        let max_connections = listener::max_connections(config.server.max_connections)?;
        let connections = Connections::new(max_connections, process_metrics.connections.clone());
        let tls = load_tls(&config.server)?;
        let (main, control) = open_listeners(&config.server)?;
        let (address, control_address) = (main.address, control.as_ref().map(|listener| listener.address));
        let (events, telemetry_tasks) =
            TelemetryTasks::start(config, clock, process_metrics.dropped.clone())?;
        let edge = Arc::new(Edge::new(config, clock, process_metrics.refused_sign_ins.clone()));
        let mut context = Context {
            config,
            clock,
            ack_mode,
            edge: Arc::clone(&edge),
            events,
            registry,
            process_metrics,
            connections: connections.clone(),
            listen_address: address,
            built: Built::default(),
        };
        for builder in builders {
            let capability = (builder.build)(&context).await?;
            context.built.0.push(capability);
        }
        let mut parts = Parts::of(&context);
        for capability in context.built.0 {
            parts.add(capability);
        }
        let mut tasks = JoinSet::new();
        parts.tasks.into_iter().for_each(|task| _ = tasks.spawn(task.run()));
        tasks.spawn(connections.clone().watch());
        if let Some(tls) = &tls {
            tasks.spawn(Arc::clone(tls).reload_certificates());
        }
        let listeners = Listeners { main, control, tls: tls.clone() };
        listeners.accept(&edge, parts.served, &connections, &mut tasks);
        Ok(Self {
            address,
            control: control_address,
            tls: tls.is_some(),
            grace: config.server.grace,
            drains: parts.drains,
            connections,
            tasks,
            telemetry_tasks,
        })
    }

    /// The address of the operators' listener, if `server.control` sets one.
    #[must_use]
    pub const fn control(&self) -> Option<SocketAddr> {
        self.control
    }

    /// The URL scheme: `http` or `https`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.tls { "https" } else { "http" }
    }

    /// The address of the main listener.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until a task of the service ends, and returns why. No task should end while the service runs.
    pub async fn wait_for_failure(&mut self) -> anyhow::Error {
        match self.tasks.join_next().await {
            Some(Err(error)) => anyhow::Error::new(error).context("a background task failed"),
            Some(Ok(())) | None => anyhow::anyhow!("a background task ended unexpectedly"),
        }
    }

    /// Stops the service: parked polls are closed without a byte, and what is under way may finish within the grace of
    /// its capability (`server.grace` where it has none of its own). Connections do not belong to one capability: they
    /// may stay open for the longest grace.
    pub async fn stop(mut self) {
        self.connections.stop();
        let closed: usize = self.drains.iter().map(|(_, drain)| drain.begin()).sum();
        tracing::info!(polls = closed, "stopping");
        let (started, grace) = (Instant::now(), self.grace);
        let longest = self.drains.iter().filter_map(|(_, drain)| drain.grace()).fold(grace, Duration::max);
        if timeout_at(started + longest, self.connections.wait_closed()).await.is_err() {
            tracing::warn!(
                open = self.connections.open(),
                "the grace period is over; closing the open connections"
            );
        }
        // After the connections, because their requests may have begun work that must finish too.
        for (capability, drain) in self.drains {
            if !drain.finish(started, grace).await {
                tracing::warn!(
                    capability,
                    "the grace period is over; work of this capability is not finished"
                );
            }
        }
        self.tasks.shutdown().await;
        self.telemetry_tasks.flush().await;
    }
}

/// The parts of all capabilities.
#[derive(Debug)]
struct Parts {
    served: Served,
    tasks: Vec<BackgroundTask>,
    drains: Vec<(&'static str, Drain)>,
}

/// What the listeners serve.
#[derive(Debug)]
struct Served {
    routes: Vec<Route>,
    page: PageServed,
    fast_path: Option<Arc<dyn FastPath>>,
}

impl Parts {
    /// The routes that belong to no capability; the capabilities follow by `add`.
    fn of(context: &Context<'_>) -> Self {
        let health = HealthState {
            statuses: context.built.statuses(),
            connections: context.connections.clone(),
            ack_mode: context.ack_mode,
            clock: context.clock,
        };
        let capabilities = &context.built.0;
        let all_routes = || capabilities.iter().flat_map(|capability| &capability.routes);
        let row = |capability: &Capability| {
            let name = capability.name;
            capability.tasks.iter().map(move |task| TaskRow::of(name, task)).collect::<Vec<_>>()
        };
        let mut routes = health::routes(health);
        routes.push(openapi::route(all_routes()));
        routes.push(background::route(capabilities.iter().flat_map(row).collect()));
        let page = if context.built.has(dashboard::BUILDER.name) { PageServed::Yes } else { PageServed::No };
        let served = Served { routes, page, fast_path: None };
        Self { served, tasks: Vec::new(), drains: Vec::new() }
    }

    fn add(&mut self, capability: Capability) {
        self.served.routes.extend(capability.routes);
        self.served.fast_path = self.served.fast_path.take().or(capability.fast_path);
        self.tasks.extend(capability.tasks);
        self.drains.push((capability.name, capability.drain));
    }
}

/// The listeners: one for all, or one for clients and one for operators.
struct Listeners {
    main: BoundListener,
    control: Option<BoundListener>,
    tls: Option<Arc<Tls>>,
}

impl Listeners {
    /// Starts to accept connections.
    fn accept(self, edge: &Arc<Edge>, served: Served, connections: &Connections, tasks: &mut JoinSet<()>) {
        let Self { main, control, tls } = self;
        let Served { routes, page, fast_path } = served;
        let is_operator = |route: &Route| route.audience.is_operator(page);
        let is_client = |route: &Route| route.audience.is_client();
        let router = |is_served: &dyn Fn(&Route) -> bool| {
            let served: Vec<_> = routes.iter().filter(|route| is_served(route)).collect();
            router(edge, &with_closing_routes(served, &closing_routes()))
        };
        let mut serve = |listener, router: Router, fast_path| {
            let service = Service::new(router, fast_path);
            tasks.spawn(connections.clone().accept(listener, tls.clone(), service));
        };
        match control {
            Some(control) => {
                serve(main, router(&is_client), fast_path);
                serve(control, router(&is_operator), None);
            }
            None => {
                serve(main, router(&|route| is_client(route) || is_operator(route)), fast_path);
            }
        }
    }
}

/// These routes, and where polls of runners are not among them, the routes that close such polls.
fn with_closing_routes<'a>(mut served: Vec<&'a Route>, closing: &'a [Route]) -> Vec<&'a Route> {
    if !closing.iter().any(|closing| served.iter().any(|route| route.path == closing.path)) {
        served.extend(closing);
    }
    served
}
