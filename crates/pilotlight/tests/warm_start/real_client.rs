//! The unchanged client of Trigger.dev's runners (`@trigger.dev/core` 4.8.3) against the service.

use pilotlight_testkit::need;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::run_message::{self, DEPLOYMENT, VERSION, changed, large_run, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{wait_for, wait_until};
use serde_json::{Value, json};

/// The options of `runners.mjs` for one runner that waits for one run and reports its whole message.
fn options(server: &TestServer) -> Value {
    json!({
        "url": server.url(), "runners": ["runner-1"], "deployment": DEPLOYMENT, "version": VERSION,
        "cpu": "0.5", "memory": "0.5", "rounds": 1, "tells": "message",
    })
}

#[test]
fn the_client_gets_the_configured_times() {
    need!("node", "clients");
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "1234"), ("KEEPALIVE_MS", "56789")]);
    let runner = NodeRunners::start(&options(&server));
    assert_eq!(
        runner.wait_for_event("connected")["data"],
        json!({ "connectionTimeoutMs": 1234, "keepaliveMs": 56789 })
    );
}

#[test]
fn a_waiting_client_receives_the_whole_message() {
    need!("node", "clients");
    let server = TestServer::start();
    let runner = NodeRunners::start(&options(&server));
    server.wait_for_parked(1);
    let run = run("run_whole");
    assert!(server.supervisor().offer(&run));
    assert_eq!(runner.wait_for_event("received")["message"], run);
}

#[test]
fn a_message_of_five_megabytes_arrives_complete() {
    need!("node", "clients");
    let server = TestServer::start();
    let runner = NodeRunners::start(&options(&server));
    server.wait_for_parked(1);
    let run = large_run("run_large", 5_000_000);
    assert!(run_message::offer(&run).len() > 4_900_000);
    assert!(server.supervisor().offer(&run));
    assert!(
        runner.wait_for_event("received")["message"] == run,
        "the received message differs from the offered one"
    );
}

#[test]
fn a_run_is_matched_only_with_a_runner_of_its_deployment_version_and_machine() {
    need!("node", "clients");
    let server = TestServer::start();
    let runner = NodeRunners::start(&options(&server));
    server.wait_for_parked(1);
    let mut supervisor = server.supervisor();
    for (path, other) in [
        ("/deployment/friendlyId", json!("deployment_other")),
        ("/backgroundWorker/version", json!("20240101.2")),
        ("/run/machine/cpu", json!(1)),
        ("/run/machine/memory", json!(0.25)),
    ] {
        assert!(!supervisor.offer(&changed(run("run_elsewhere"), path, other)), "{path}");
    }
    assert!(supervisor.offer(&run("run_fits")));
    assert_eq!(runner.wait_for_event("received")["message"], run("run_fits"));
}

#[test]
fn machines_are_compared_as_numbers() {
    need!("node", "clients");
    let server = TestServer::start();
    let mut options = options(&server);
    options["memory"] = json!("2.0");
    let runner = NodeRunners::start(&options);
    server.wait_for_parked(1);
    let offer = run_message::offer(&run("run_spelled"))
        .replace(r#""cpu":0.5,"memory":0.5"#, r#""cpu":0.50,"memory":20e-1"#);
    assert!(offer.contains("20e-1"));
    assert!(server.supervisor().offer_text(&offer));
    assert_eq!(runner.wait_for_event("received")["message"]["run"]["machine"]["memory"], 2);
}

#[test]
fn an_aborted_client_leaves_nothing_open() {
    need!("node", "clients");
    let server = TestServer::start();
    let mut runner = NodeRunners::start(&options(&server));
    server.wait_for_parked(1);
    runner.abort();
    runner.wait_for_event("ended");
    server.wait_for_parked(0);
    assert!(!server.supervisor().offer(&run("run_late")));
    assert!(runner.wait_for_exit().success());
    wait_until("only this connection is open", || server.health()["connections"] == 1);
}

#[test]
fn a_client_polls_again_after_many_timeouts_and_receives_a_run() {
    need!("node", "clients");
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "100")]);
    let runner = NodeRunners::start(&options(&server));
    runner.wait_for_events("timed-out", 10);
    let mut supervisor = server.supervisor();
    // An offer is cold when no poll is parked, or the poll is not selectable any more.
    let warm_run = wait_for("a run is reported warm", || {
        let run = run(&format!("run_{}", server.health()["uptimeMs"]));
        supervisor.offer(&run).then_some(run)
    });
    assert_eq!(runner.wait_for_event("received")["message"], warm_run);
}

#[test]
fn a_client_that_exits_after_its_keepalive_leaves_nothing_open() {
    need!("node", "clients");
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "100"), ("KEEPALIVE_MS", "2000")]);
    let mut runner = NodeRunners::start(&options(&server));
    assert_eq!(runner.wait_for_event("ended")["why"], "no run");
    assert!(runner.wait_for_exit().success());
    assert!(runner.events("timed-out").len() >= 2, "it polled several times before");
    server.assert_healthy();
}

#[test]
fn a_retired_client_gets_no_run_and_exits() {
    need!("node", "clients");
    let server = TestServer::start();
    let mut runner = NodeRunners::start(&options(&server));
    server.wait_for_parked(1);
    let retired =
        server.connect().post("/api/admin/retire", json!({ "version": VERSION }).to_string()).json();
    assert_eq!(retired["retired"], 1);
    assert_eq!(runner.wait_for_event("ended")["why"], "no run");
    assert!(runner.wait_for_exit().success());
    assert_eq!(
        NodeRunners::start(&options(&server)).wait_for_event("ended")["why"],
        "no run",
        "later polls are refused too"
    );
}

#[test]
fn a_client_with_a_time_of_zero_does_not_poll() {
    need!("node", "clients");
    for (name, expected) in [
        ("CONNECTION_TIMEOUT_MS", json!({ "connectionTimeoutMs": 0, "keepaliveMs": 300_000 })),
        ("KEEPALIVE_MS", json!({ "connectionTimeoutMs": 30_000, "keepaliveMs": 0 })),
    ] {
        let server = TestServer::with(&[(name, "0")]);
        let runner = NodeRunners::start(&options(&server));
        assert_eq!(runner.wait_for_event("connected")["data"], expected);
        assert_eq!(runner.wait_for_event("ended")["why"], "told to exit");
    }
}

#[test]
fn a_client_survives_a_restart_of_the_service() {
    need!("node", "clients");
    let mut server = TestServer::start();
    let port = server.address().port().to_string();
    let runner = NodeRunners::start(&options(&server));
    server.wait_for_parked(1);
    server.signal("TERM");
    assert!(server.wait_for_exit().success());
    let server = TestServer::with(&[("PILOTLIGHT_SERVER_PORT", &port)]);
    server.wait_for_parked(1);
    assert!(server.supervisor().offer(&run("run_after")));
    assert_eq!(runner.wait_for_event("received")["message"], run("run_after"));
}
