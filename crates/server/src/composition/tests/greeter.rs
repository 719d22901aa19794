//! A capability with one of everything: the example of CONTRIBUTING, "How to add a capability".

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use axum::extract::State;
use pilotlight_core::access::Permission;
use utoipa_axum::routes;

use crate::background::{TaskInfo, TaskResults};
use crate::capability::{Builder, Capability, DashboardPanel, Drain, PanelChange, PanelUpdate};
use crate::composition::Context;
use crate::http::route::{Audience, Route};

/// The capability.
pub(super) const BUILDER: Builder =
    Builder { name: "greeter", summary: "Greets", build: |context| Box::pin(async { Ok(build(context)) }) };

/// What its parts share.
#[derive(Debug, Default)]
struct Greeter {
    greetings: AtomicU64,
}

static STOPPED: AtomicBool = AtomicBool::new(false);

/// Whether the capability was drained.
pub(super) fn has_stopped() -> bool {
    STOPPED.load(Relaxed)
}

fn build(context: &Context<'_>) -> Capability {
    let greeter = Arc::new(Greeter::default());
    let greet = TaskInfo { name: "greet", description: "Counts its only run" };
    let route = Route::documented(routes!(greeting), Permission::AdminWrite);
    Capability {
        name: BUILDER.name,
        routes: vec![route.audience(Audience::Operators).any_origin().with_state(Arc::clone(&greeter))],
        tasks: vec![greet.task(context.clock, &greeter, Greeter::greet)],
        status: None,
        fast_path: None,
        panel: Some(greeter),
        drain: Drain::new(|| {
            STOPPED.store(true, Relaxed);
            0
        })
        .within(Duration::from_secs(1)),
    }
}

/// `GET /api/greeter/greeting`: a greeting.
#[utoipa::path(get, path = "/api/greeter/greeting", tag = "greeter", responses((status = OK, body = String)))]
async fn greeting(State(_): State<Arc<Greeter>>) -> &'static str {
    "hello"
}

impl Greeter {
    async fn greet(self: Arc<Self>, results: TaskResults) {
        self.greetings.fetch_add(1, Relaxed);
        results.succeeded("greeted");
        std::future::pending().await
    }
}

impl DashboardPanel for Greeter {
    fn sample(&self) -> PanelUpdate {
        PanelUpdate { change: PanelChange::Unchanged, fields: Box::new(|| "{}".to_owned()) }
    }

    fn snapshot(&self) -> String {
        format!(r#"{{"greetings":{}}}"#, self.greetings.load(Relaxed))
    }

    fn forget(&self) {}
}
