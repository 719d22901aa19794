//! The event stream of the dashboard, read from a raw socket.

use pilotlight_testkit::event_stream::EventStream;
use pilotlight_testkit::http::Connection;
use pilotlight_testkit::run_message::{DEPLOYMENT, VERSION, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

const PATH: &str = "/api/dashboard/events";

/// The limit of open event streams: `MAX_DASHBOARD_STREAMS` in `pilotlight_core::limits`.
const MAX_STREAMS: usize = 32;

/// A subscriber of the dashboard's events.
struct Subscriber(EventStream);

impl Subscriber {
    fn of(server: &TestServer) -> Self {
        Self(EventStream::at(server.connect(), PATH))
    }

    fn snapshot(&mut self) -> Value {
        self.0.until(|(name, data)| (name == "snapshot").then(|| data.clone()))
    }

    /// The value at this JSON pointer in the next update that has one.
    fn update(&mut self, pointer: &str) -> Value {
        self.0.until(|(name, data)| (name == "update").then(|| data.pointer(pointer).cloned())?)
    }
}

#[test]
fn the_first_event_is_a_complete_snapshot() {
    let server = TestServer::start();
    let _waiting = server.park(&Poll::by("waiting"));
    let mut executing = server.park(&Poll::by("executing"));
    // The newest poll gets the run.
    assert!(server.supervisor().offer(&run("run_warm")));
    executing.response().expect("the run");

    let snapshot = Subscriber::of(&server).snapshot();
    assert_eq!(snapshot["stats"], server.dashboard("")["stats"]);
    assert_eq!(snapshot["config"], server.dashboard("")["config"]);
    assert_eq!(
        (&snapshot["ack"], &snapshot["version"]),
        (&json!("kernel"), &json!(env!("CARGO_PKG_VERSION")))
    );
    let rows = |name: &str| snapshot[name].as_array().expect("rows").clone();
    assert_eq!((rows("waiting").len(), rows("executing").len(), rows("offers").len()), (1, 1, 1));
    assert_eq!(snapshot["waiting"][0]["runner"], "waiting");
    assert_eq!(snapshot["executing"][0]["run"], "run_warm");
    assert_eq!((&snapshot["series"][0]["warm"], &snapshot["series"][0]["cold"]), (&json!(1), &json!(0)));
}

#[test]
fn changes_are_sent_as_updates() {
    let server = TestServer::start();
    let mut events = Subscriber::of(&server);
    assert_eq!(events.snapshot()["waiting"], json!([]));

    let mut runner = server.park(&Poll::by("runner"));
    let parked = events.update("/waiting/came/0");
    assert_eq!(
        [
            &parked["runner"],
            &parked["worker"],
            &parked["deployment"],
            &parked["version"],
            &parked["cpu"],
            &parked["memory"]
        ],
        [&json!("runner"), &json!("node-1"), &json!(DEPLOYMENT), &json!(VERSION), &json!(0.5), &json!(0.5)]
    );

    assert!(server.supervisor().offer(&run("run_1")));
    runner.response().expect("the run");
    let offer = events.update("/offers/0");
    assert_eq!(
        [&offer["run"], &offer["runner"], &offer["outcome"], &offer["dispatches"], &offer["deployment"]],
        [&json!("run_1"), &json!("runner"), &json!("acknowledged"), &json!(1), &json!(DEPLOYMENT)]
    );
    assert!(offer["answeredInUs"].as_u64().expect("a number") > 0);

    runner.send(Poll::by("runner").request());
    let second = events.update("/waiting/came/0");
    assert!(second["id"].as_u64() > parked["id"].as_u64(), "a later poll has a higher id");
    drop(runner);
    assert_eq!(events.update("/waiting/left/0"), second["id"]);
}

#[test]
fn an_offer_that_turns_out_unread_is_sent_to_the_dashboard_again() {
    let server = TestServer::start();
    let runner = server.park(&Poll::by("runner"));
    assert!(server.supervisor().offer(&run("run_1")));
    let mut events = Subscriber::of(&server);
    let offer = events.snapshot()["offers"][0].clone();
    assert_eq!(offer["outcome"], "acknowledged");
    // The runner closes its socket before it has read the run, so its kernel resets the connection.
    runner.wait_until_readable();
    drop(runner);
    let updated = events.update("/offers/0");
    assert_eq!((&updated["id"], &updated["outcome"]), (&offer["id"], &json!("unread")));
}

#[test]
fn clearing_the_history_sends_a_new_snapshot() {
    let server = TestServer::start();
    assert!(!server.supervisor().offer(&run("run_cold")));
    let mut events = Subscriber::of(&server);
    assert_eq!(events.snapshot()["offers"][0]["outcome"], "cold");
    let mut caller = server.connect();
    caller.send("DELETE /api/dashboard HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(caller.response().expect("an answer").status, 200);
    let snapshot = events.snapshot();
    assert_eq!((&snapshot["offers"], &snapshot["series"]), (&json!([]), &json!([])));
    assert_eq!(snapshot["stats"]["totalMatches"], 0);
}

#[test]
fn an_event_stream_beyond_the_limit_is_refused_until_another_closes() {
    let server = TestServer::start();
    let mut subscribers: Vec<_> = (0..MAX_STREAMS).map(|_| Subscriber::of(&server)).collect();
    let subscribe = |connection: &mut Connection| {
        connection.send(format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        connection.response().expect("an answer")
    };
    let answer = subscribe(&mut server.connect());
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["error"], "too many dashboards are open; close one");
    subscribers.pop();
    wait_until("another subscriber is accepted", || {
        let mut connection = server.connect();
        connection.send(format!("GET {PATH} HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        connection.wait_until_readable();
        let mut status_line = [0; 12];
        connection.stream().peek(&mut status_line).expect("bytes");
        &status_line == b"HTTP/1.1 200"
    });
}

#[test]
fn an_open_event_stream_does_not_delay_the_exit() {
    let mut server = TestServer::with(&[("PILOTLIGHT_SERVER_GRACE", "10m")]);
    let mut events = Subscriber::of(&server);
    events.snapshot();
    server.signal("TERM");
    while events.0.next().is_some() {}
    assert!(server.wait_for_exit().success());
}

#[test]
fn remote_callers_get_no_events() {
    let server = TestServer::start();
    // A request counts as remote when its host is not this machine or a proxy has forwarded it.
    for header in ["host: pilotlight.example", "host: localhost\r\nx-forwarded-for: 10.0.0.1"] {
        let mut caller = server.connect();
        caller.send(format!("GET /api/dashboard/events HTTP/1.1\r\n{header}\r\n\r\n"));
        assert_eq!(caller.response().expect("an answer").status, 403, "{header}");
    }
}
