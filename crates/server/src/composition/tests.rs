//! Tests of what is computed from the capabilities: with the real ones, and with one that exists only in these tests.

mod greeter;

use std::net::SocketAddr;
use std::path::Path;

use pilotlight_testkit::event_stream::EventStream;
use pilotlight_testkit::http::{Connection, Response};
use pilotlight_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

use crate::capability::Builder;
use crate::composition::{App, CAPABILITIES};
use crate::config::load;

/// The list of all capabilities, with one line more: that is all that adds a capability to the service.
fn with_greeter() -> Vec<Builder> {
    [&[greeter::BUILDER], CAPABILITIES].concat()
}

/// A running service with a store in a temporary folder, on a free port.
struct Service {
    app: App,
    _folder: TempDir,
}

impl Service {
    async fn start(builders: &[Builder], settings: &[(&str, &str)]) -> Self {
        let folder = TempDir::new();
        let data = folder.path().to_str().expect("a temporary path is text").to_owned();
        let fixed = [("PORT", "0".to_owned()), ("PILOTLIGHT_SERVER_DATA_DIR", data)];
        let given = settings.iter().map(|(name, value)| (*name, (*value).to_owned()));
        let env = fixed.into_iter().chain(given).map(|(name, value)| (name.into(), value.into()));
        let config = load(None, env).expect("valid settings").config;
        let app = App::start_capabilities(&config, builders.iter()).await.expect("the service starts");
        Self { app, _folder: folder }
    }

    /// Calls the service from another thread, because the test's connection blocks.
    async fn call<T: Send + 'static>(&self, call: impl FnOnce(SocketAddr) -> T + Send + 'static) -> T {
        let address = self.app.address();
        tokio::task::spawn_blocking(move || call(address)).await.expect("the call does not panic")
    }

    async fn request(&self, method: &'static str, path: &'static str, key: Option<&'static str>) -> Response {
        self.call(move |address| {
            let mut connection = Connection::open(address);
            connection.send(request_text(method, path, key));
            connection.response().expect("a response")
        })
        .await
    }
}

fn request_text(method: &str, path: &str, key: Option<&str>) -> String {
    let key = key.map(|key| format!("authorization: Bearer {key}\r\n")).unwrap_or_default();
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\n{key}\r\n")
}

/// Regenerate the document with `PILOTLIGHT_BLESS=1 cargo test -p pilotlight-server openapi`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_committed_openapi_document_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let service = Service::start(CAPABILITIES, &[]).await;
    let document = service.request("GET", "/api/openapi.json", None).await.json();
    let text = serde_json::to_string_pretty(&document).expect("a value can be written") + "\n";
    if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
        std::fs::write(path, text).expect("the document can be written");
    } else {
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == text, "docs/openapi.json is out of date; PILOTLIGHT_BLESS=1 regenerates it");
    }
    service.app.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_capability_is_in_everything_that_is_computed_from_its_parts() {
    const KEY: &str = "an admin key of a test";
    const PATH: &str = "/api/greeter/greeting";
    let service = Service::start(&with_greeter(), &[("ADMIN_API_KEY", KEY)]).await;

    // Permission, and CORS for a documented route.
    let refused = service.request("GET", PATH, None).await;
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some("*")));
    assert_eq!(service.request("OPTIONS", PATH, None).await.status, 204);
    let greeted = service.request("GET", PATH, Some(KEY)).await;
    assert_eq!((greeted.status, greeted.text().as_str()), (200, "hello"));

    // The OpenAPI document.
    let document = service.request("GET", "/api/openapi.json", Some(KEY)).await.json();
    assert_eq!(document["paths"][PATH]["get"]["security"][0], json!({ "admin_key": [] }));

    // Background tasks and their last results.
    let tasks = service.request("GET", "/api/admin/background", Some(KEY)).await.json();
    let is_greeter = |task: &&Value| task["capability"] == "greeter";
    let task = tasks["tasks"].as_array().and_then(|tasks| tasks.iter().find(is_greeter)).expect("the task");
    assert_eq!((&task["name"], &task["last_result"]), (&json!("greet"), &json!("greeted")));

    // The stop.
    service.app.stop().await;
    assert!(greeter::has_stopped());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_capability_adds_its_fields_to_the_dashboard_events() {
    let service = Service::start(&with_greeter(), &[]).await;
    let first = |address| EventStream::at(Connection::open(address), "/api/dashboard/events").next();
    let (event, data) = service.call(first).await.expect("an event");
    assert_eq!((event.as_str(), &data["greetings"]), ("snapshot", &json!(1)));
    assert!(data["waiting"].is_array() && data["jobs"].is_object() && data["version"].is_string(), "{data}");
    service.app.stop().await;
}

#[test]
fn the_dashboard_is_built_last_because_it_shows_the_others() {
    assert_eq!(CAPABILITIES.last().map(|builder| builder.name), Some("dashboard"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_selected_capabilities_are_served() {
    let only_greeter: Vec<_> =
        with_greeter().into_iter().filter(|builder| builder.name == "greeter").collect();
    let service = Service::start(&only_greeter, &[]).await;
    for (path, status) in
        [("/api/greeter/greeting", 200), ("/health", 200), ("/api/jobs/check", 404), ("/", 404)]
    {
        assert_eq!(service.request("GET", path, None).await.status, status, "{path}");
    }
    service.app.stop().await;
}
