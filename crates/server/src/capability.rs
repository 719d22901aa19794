//! A capability is one thing that the service does, as one value: its routes, its background tasks, what it adds to the
//! dashboard, and how it stops. Access control, rate limits, CORS, the OpenAPI document, `serve --only`, the
//! dashboard's stream, `GET /api/admin/background` and shutdown are computed from these values. There is no second
//! list.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_net::conn::Conn;
use pilotlight_net::io::Io;
use pilotlight_net::listener::FastPathExit;
use pilotlight_wire::warm_start::Health;
use tokio::time::{Instant, timeout_at};

use crate::background::BackgroundTask;
use crate::composition::Context;
use crate::http::route::Route;

/// How a capability is built, and how `serve --only` names it.
#[derive(Debug, Clone, Copy)]
pub struct Builder {
    /// The name, as in `serve --only jobs`.
    pub name: &'static str,
    /// One line for `serve --help`.
    pub summary: &'static str,
    pub(crate) build: for<'a> fn(&'a Context<'_>) -> BuildFuture<'a>,
}

/// The capability that is being built.
pub(crate) type BuildFuture<'a> = Pin<Box<dyn Future<Output = anyhow::Result<Capability>> + Send + 'a>>;

/// One thing that the service does.
#[derive(Debug)]
pub(crate) struct Capability {
    pub(crate) name: &'static str,
    pub(crate) routes: Vec<Route>,
    pub(crate) tasks: Vec<BackgroundTask>,
    /// What it adds to the dashboard's event stream.
    pub(crate) panel: Option<Arc<dyn DashboardPanel>>,
    /// What it adds to `GET /health` and to the gauges of `GET /metrics`.
    pub(crate) status: Option<Arc<dyn Status>>,
    /// Serves simple requests of a connection before the HTTP library does.
    pub(crate) fast_path: Option<Arc<dyn FastPath>>,
    pub(crate) drain: Drain,
}

/// Serves simple requests without the HTTP library (docs/decisions/0003).
pub(crate) trait FastPath: fmt::Debug + Send + Sync {
    /// Serves requests of the connection until it ends, or until another request arrives.
    fn serve<'a>(&'a self, conn: &'a Arc<Conn>, io: &'a mut Io) -> FastPathFuture<'a>;
}

pub(crate) type FastPathFuture<'a> = Pin<Box<dyn Future<Output = FastPathExit> + Send + 'a>>;

/// The counts that a capability reports when it is asked.
pub(crate) trait Status: fmt::Debug + Send + Sync {
    /// Adds its counts to the answer of `GET /health`.
    fn add_to_health(&self, health: &mut Health);

    /// Sets its gauges; called before the metrics are read.
    fn set_gauges(&self);
}

/// What a capability adds to the dashboard's event stream (`docs/protocols/event-streams.md`). All methods return at
/// once; `sample` and `snapshot` are called only while a dashboard is open, and `forget` when the last one has closed.
pub(crate) trait DashboardPanel: fmt::Debug + Send + Sync {
    /// Compares its present state with that of the last call.
    fn sample(&self) -> PanelUpdate;

    /// Its complete state as of the last sample: the fields that it adds to the event `snapshot`, as a JSON object.
    fn snapshot(&self) -> String;

    /// Drops the state of the last sample, because there are no subscribers.
    fn forget(&self);
}

/// What changed in a panel since the last sample.
pub(crate) struct PanelUpdate {
    pub(crate) change: PanelChange,
    /// Writes the fields that it adds to the event `update`, as a JSON object. It is called only when there is an
    /// event.
    pub(crate) fields: Box<dyn FnOnce() -> String>,
}

/// Whether subscribers of the dashboard need an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PanelChange {
    /// Nothing changed.
    Unchanged,
    /// The fields of the update changed.
    Changed,
    /// Subscribers need a new snapshot: this was the first sample, or earlier data was deleted.
    Reset,
}

/// How a capability stops.
pub(crate) struct Drain {
    /// Stops accepting work, and ends the requests that wait for it. Returns how many parked polls it closed.
    begin: Box<dyn Fn() -> usize + Send + Sync>,
    /// Ends when the work under way has ended.
    finish: Pin<Box<dyn Future<Output = ()> + Send + Sync>>,
    /// How long the work under way may go on; `None` for `server.grace`.
    grace: Option<Duration>,
}

impl Drain {
    /// `begin` stops accepting work and returns how many parked polls it closed.
    pub(crate) fn new(begin: impl Fn() -> usize + Send + Sync + 'static) -> Self {
        Self { begin: Box::new(begin), finish: Box::pin(async {}), grace: None }
    }

    /// `finish` ends when the work under way has ended.
    pub(crate) fn then_wait(self, finish: impl Future<Output = ()> + Send + Sync + 'static) -> Self {
        Self { finish: Box::pin(finish), ..self }
    }

    /// The work under way may go on for this long, instead of `server.grace`.
    #[cfg_attr(not(test), expect(dead_code, reason = "so far all capabilities stop within server.grace"))]
    pub(crate) fn within(self, grace: Duration) -> Self {
        Self { grace: Some(grace), ..self }
    }

    pub(crate) const fn grace(&self) -> Option<Duration> {
        self.grace
    }

    pub(crate) fn begin(&self) -> usize {
        (self.begin)()
    }

    /// Waits until the work under way has ended, until the grace since `begun_at` is over. Returns whether it has.
    pub(crate) async fn finish(self, begun_at: Instant, default_grace: Duration) -> bool {
        let until = begun_at + self.grace.unwrap_or(default_grace);
        timeout_at(until, self.finish).await.is_ok()
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Drain").field("grace", &self.grace).finish_non_exhaustive()
    }
}
