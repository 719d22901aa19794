//! Composes the service from the configuration, starts its tasks and stops them. It is the only place that spawns
//! long-lived tasks.

mod jobs;
pub use jobs::{https_client_builder, open_store};

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pilotlight_core::delivery::AckMode;
use pilotlight_core::pool;
use pilotlight_wire::dashboard_events::ServedCapabilities;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::config::{
    self, AckSetting, Config, OfferLogTarget, OnOff, PollOrder, ServerConfig, WarmStartConfig,
};
use crate::dispatch::dispatcher::{Dispatcher, Settings};
use crate::http::auth::Auth;
use crate::http::body_budget::BodyBudget;
use crate::http::body_limits::BodyLimits;
use crate::http::dashboard_stream::broadcaster::Broadcaster;
use crate::http::dashboard_stream::state::DashboardInfo;
use crate::http::jobs::events::JobStreamLimit;
use crate::http::rate_limit::RateLimits;
use crate::http::router::{ConnectTimeouts, HttpState, RouteGroups, Service};
use crate::http::token::Tokens;
use crate::jobs::JobService;
use crate::net::ack;
use crate::net::listener::{self, Connections};
use crate::net::sockets::{self, BoundListener, InheritedSockets, ReusePort};
use crate::net::tls::Tls;
use crate::telemetry::event_queue::{EventSender, EventSinks};
use crate::telemetry::jobs::JobTelemetry;
use crate::telemetry::metrics::Metrics;
use crate::telemetry::offer_log;
use crate::telemetry::otlp;

/// One connection in this many is reserved for supervisors and people, so that polls of runners cannot use all of
/// them.
const RESERVED_CONNECTIONS_DIVISOR: usize = 16;

/// How long writing the last offer events may take at the end. A local disk or a near collector takes milliseconds; a
/// slower one must not delay the exit.
const TELEMETRY_FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The running service.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    control: Option<SocketAddr>,
    tls: bool,
    grace: Duration,
    dispatcher: Arc<Dispatcher>,
    dashboard_broadcaster: Arc<Broadcaster>,
    jobs: Option<Arc<JobService>>,
    connections: Connections,
    tasks: JoinSet<()>,
    telemetry_tasks: TelemetryTasks,
}

/// The tasks that write and export offer events. They stop last.
#[derive(Debug)]
struct TelemetryTasks {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl App {
    /// Starts the service, all of it or `only` these capabilities. Once this returns, it accepts requests.
    ///
    /// # Errors
    /// When an address cannot be listened on, or a setting needs what this machine does not have.
    pub async fn start(config: &Config, only: Option<&[CapabilityName]>) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let ack_mode = ack_mode(config.warm_start.ack).await?;
        let metrics = Metrics::new(ack_mode);
        let max_connections = listener::max_connections(config.server.max_connections)?;
        let connections = Connections::new(max_connections, metrics.connections());
        let server = &config.server;
        let tls = load_tls(server)?;
        let (main, control) = open_listeners(server)?;
        let (address, control_address) = (main.address, control.as_ref().map(|listener| listener.address));
        let (event_sender, telemetry_tasks) = TelemetryTasks::start(config, clock, &metrics)?;
        let settings = settings(&config.warm_start, ack_mode, connections.max_open());
        let dispatcher = Dispatcher::new(settings, clock, Arc::clone(&metrics), event_sender.clone());
        let connect_timeouts = connect_timeouts(&config.warm_start);
        let is_enabled = |name| only.is_none_or(|only| only.contains(&name));
        let mut tasks = JoinSet::new();
        let jobs = if is_enabled(CapabilityName::Jobs) {
            let telemetry = JobTelemetry { metrics: metrics.jobs(), spans: event_sender.job_spans() };
            Some(jobs::start(config, (ack_mode, clock), telemetry, &mut tasks).await?)
        } else {
            None
        };
        let served =
            ServedCapabilities { warm_starts: is_enabled(CapabilityName::WarmStart), jobs: jobs.is_some() };
        let info = DashboardInfo::new(ack_mode, served, connect_timeouts, address);
        let dashboard_broadcaster = Broadcaster::new(Arc::clone(&dispatcher), jobs.clone(), clock, info);
        let state = HttpState {
            dispatcher: Arc::clone(&dispatcher),
            jobs: jobs.clone(),
            job_streams: JobStreamLimit::default(),
            body_limits: body_limits(&config.jobs),
            auth: Auth::new(&config.auth, server),
            rate_limits: RateLimits::new(config.jobs.rates()),
            body_budget: BodyBudget::default(),
            tokens: Tokens::new(&config.warm_start, metrics.tokens()),
            dashboard_broadcaster: Arc::clone(&dashboard_broadcaster),
            metrics,
            connections: connections.clone(),
            clock,
            connect_timeouts,
            listen_address: address,
        };
        tasks.spawn(Arc::clone(&dispatcher).expire_polls());
        tasks.spawn(Arc::clone(&dashboard_broadcaster).run_updates());
        if let Some(jobs) = &jobs {
            tasks.spawn(Arc::clone(&dashboard_broadcaster).run_counts(Arc::clone(jobs)));
        }
        tasks.spawn(connections.clone().watch());
        if let Some(tls) = &tls {
            tasks.spawn(Arc::clone(tls).reload_certificates());
        }
        let state = Arc::new(state);
        let (clients, operators) = route_groups(is_enabled);
        let main_routes = if control.is_some() { clients } else { clients.union(operators) };
        let service = Service::new(Arc::clone(&state), main_routes);
        tasks.spawn(connections.clone().accept(main, tls.clone(), service));
        if let Some(control) = control {
            let service = Service::new(state, operators);
            tasks.spawn(connections.clone().accept(control, tls.clone(), service));
        }
        let (control, tls) = (control_address, tls.is_some());
        Ok(Self {
            address,
            control,
            tls,
            grace: server.grace,
            dispatcher,
            dashboard_broadcaster,
            jobs,
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

    /// Stops the service: parked polls are closed without a byte, and requests under way may finish within
    /// `server.grace`.
    pub async fn stop(mut self) {
        self.connections.stop();
        self.dashboard_broadcaster.stop();
        let closed = self.dispatcher.drain() + self.jobs.as_ref().map_or(0, |jobs| jobs.drain());
        tracing::info!(polls = closed, "stopping");
        let drained = async {
            self.connections.wait_closed().await;
            if let Some(jobs) = &self.jobs {
                jobs.wait_idle().await;
            }
        };
        if tokio::time::timeout(self.grace, drained).await.is_err() {
            tracing::warn!(
                open = self.connections.open(),
                "the grace period is over; closing the open connections"
            );
        }
        self.tasks.shutdown().await;
        self.telemetry_tasks.flush().await;
    }
}

impl TelemetryTasks {
    fn start(config: &Config, clock: Clock, metrics: &Metrics) -> anyhow::Result<(EventSender, Self)> {
        let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
        let log = open_offer_log(&config.log.offers)?;
        let spans = config.telemetry.otlp_endpoint.as_deref().map(|endpoint| {
            let exporter = otlp::new(https_client_builder()?, endpoint, clock, metrics.dropped().spans);
            let (spans, exporter) =
                exporter.context("failed to set up the export of spans (telemetry.otlp_endpoint)")?;
            tasks.spawn(exporter.run(stop.clone()));
            anyhow::Ok(spans)
        });
        let sinks = EventSinks { log, spans: spans.transpose()? };
        let (event_sender, event_worker) = EventSender::new(sinks, clock, metrics.dropped());
        if let Some(event_worker) = event_worker {
            tasks.spawn(event_worker.run(stop.clone()));
        }
        Ok((event_sender, Self { tasks, stop }))
    }

    /// Writes the offer events that are left, within [`TELEMETRY_FLUSH_TIMEOUT`].
    async fn flush(mut self) {
        self.stop.cancel();
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(TELEMETRY_FLUSH_TIMEOUT, finish).await.is_err() {
            tracing::warn!("gave up on writing the last offer events (log.offers, telemetry)");
        }
    }
}

/// A capability of the service that a process can run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CapabilityName {
    /// Warm starts: the routes for Trigger.dev's runners and supervisors.
    WarmStart,
    /// Jobs: the routes for callers and runners, and the store.
    Jobs,
    /// The dashboard, the metrics and the routes for operators.
    Dashboard,
}

/// The routes for clients and the routes for operators. With the dashboard, operators also get the job routes,
/// because its page submits and watches jobs.
fn route_groups(is_enabled: impl Fn(CapabilityName) -> bool) -> (RouteGroups, RouteGroups) {
    let (warm_start, jobs, control) = (
        is_enabled(CapabilityName::WarmStart),
        is_enabled(CapabilityName::Jobs),
        is_enabled(CapabilityName::Dashboard),
    );
    let clients = RouteGroups { warm_start, jobs, job_runners: jobs, ..RouteGroups::default() };
    let operators =
        RouteGroups { control, jobs_admin: jobs, jobs: jobs && control, ..RouteGroups::default() };
    (clients, operators)
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

fn load_tls(server: &ServerConfig) -> anyhow::Result<Option<Arc<Tls>>> {
    let (Some(certificate), Some(key)) = (&server.tls_cert, &server.tls_key) else { return Ok(None) };
    Ok(Some(Tls::read(certificate, key)?))
}

/// The main listener and the operators' listener. Inherited sockets are used in this order; missing ones are opened.
fn open_listeners(server: &ServerConfig) -> anyhow::Result<(BoundListener, Option<BoundListener>)> {
    let reuse_port = match server.reuse_port {
        OnOff::On => ReusePort::On,
        OnOff::Off => ReusePort::Off,
    };
    let mut inherited = InheritedSockets::from_environment();
    let mut open = |index, address: SocketAddr| match inherited.take(index) {
        Ok(Some(listener)) => {
            tracing::info!(address = %listener.address, "took over a listening socket");
            Ok(listener)
        }
        Ok(None) => {
            sockets::bind(address, reuse_port).with_context(|| format!("failed to listen on {address}"))
        }
        Err(error) => Err(error).context("failed to use an inherited socket (LISTEN_FDS)"),
    };
    let main = open(0, SocketAddr::new(server.host, server.port))?;
    let control = server.control.map(|address| open(1, address)).transpose()?;
    Ok((main, control))
}

async fn ack_mode(ack: AckSetting) -> anyhow::Result<AckMode> {
    if ack == AckSetting::Off {
        return Ok(AckMode::Written);
    }
    if ack::kernel_reports_acks().await {
        return Ok(AckMode::Kernel);
    }
    let reason = "this kernel does not report TCP acknowledgements";
    if ack == AckSetting::On {
        anyhow::bail!("{reason}, and warm_start.ack is on; set it to auto or off");
    }
    tracing::warn!("{reason}: warm starts are unconfirmed");
    Ok(AckMode::Written)
}

fn settings(config: &WarmStartConfig, ack_mode: AckMode, connections: usize) -> Settings {
    Settings {
        order: match config.order {
            PollOrder::Newest => pool::Order::Newest,
            PollOrder::Oldest => pool::Order::Oldest,
        },
        connection_timeout: config.connection_timeout,
        max_polls: connections - connections / RESERVED_CONNECTIONS_DIVISOR,
        ack_mode,
        ack_deadline: config.ack_deadline,
    }
}

const fn connect_timeouts(config: &WarmStartConfig) -> ConnectTimeouts {
    ConnectTimeouts { connection_timeout: config.connection_timeout, keepalive: config.keepalive }
}

const fn body_limits(config: &config::JobsConfig) -> BodyLimits {
    let limits = &config.limits;
    BodyLimits {
        input: limits.input_bytes,
        output: limits.output_bytes,
        console: limits.console_bytes,
        error: limits.error_bytes,
    }
}
