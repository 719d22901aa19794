//! Which runner gets a run, tested with real sockets.

use std::time::{Duration, Instant};

use pilotlight_testkit::http::NoResponse;
use pilotlight_testkit::run_message::{self, changed, large_run, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::{Poll, is_warm};

/// Parks the polls of three runners one after the other, and then offers three runs. Returns the run of each runner.
fn matched_runs(settings: &[(&str, &str)]) -> Vec<String> {
    let server = TestServer::with(settings);
    let mut runners: Vec<_> = ["a", "b", "c"].map(|runner| server.park(&Poll::by(runner))).into();
    let mut supervisor = server.supervisor();
    for id in ["run_1", "run_2", "run_3"] {
        assert!(supervisor.offer(&run(id)));
    }
    let runs = runners.iter_mut().map(|runner| runner.response().expect("a run").json());
    runs.map(|run| run_message::id(&run).to_owned()).collect()
}

#[test]
fn the_newest_poll_is_selected_first() {
    assert_eq!(matched_runs(&[]), ["run_3", "run_2", "run_1"]);
}

#[test]
fn the_oldest_poll_is_selected_first_when_configured() {
    assert_eq!(matched_runs(&[("PILOTLIGHT_WARM_START_ORDER", "oldest")]), ["run_1", "run_2", "run_3"]);
}

#[test]
fn a_message_is_passed_on_byte_for_byte() {
    let server = TestServer::start();
    let mut runner = server.park(&Poll::by("runner-1"));
    let message = run("run_1")
        .to_string()
        .replace(r#","image":"#, " ,\n\t\"b\": 1.50e+1, \"a\":\"\\u00e9\\/\" , \"image\" :");
    assert!(
        server
            .supervisor()
            .offer_text(&format!("{{ \"x\": [1], \"dequeuedMessage\" :  {message}  , \"y\":0}}"))
    );
    let answer = runner.response().expect("the run");
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.text(), message);
}

#[test]
fn an_older_poll_of_the_same_runner_is_closed_without_a_byte() {
    let server = TestServer::start();
    let mut older = server.park(&Poll::by("runner-1"));
    let mut newer = Poll::by("runner-1").send_to(server.address());
    assert_eq!(older.response(), Err(NoResponse::Closed));
    server.wait_for_parked(1);
    assert!(server.supervisor().offer(&run("run_1")));
    assert_eq!(newer.response().expect("the run").json(), run("run_1"));
}

#[test]
fn a_poll_in_the_last_quarter_of_its_clients_timeout_is_not_selected() {
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "2000")]);
    let mut supervisor = server.supervisor();
    let mut runner = server.park(&Poll::by("runner-1"));
    assert!(supervisor.offer(&run("run_1")), "a poll is selected before the last quarter");
    runner.response().expect("the run");
    let _unselectable = server.park(&Poll::by("runner-1"));
    wait_until("the poll is in its last quarter", || {
        server.dashboard("")["runners"][0]["waitingDurationMs"].as_u64().is_some_and(|waited| waited >= 1500)
    });
    assert!(!supervisor.offer(&run("run_2")));
    assert_eq!(server.health()["waitingRunners"], 1, "the poll is still parked");
    let mut newer = server.park(&Poll::by("runner-2"));
    assert!(supervisor.offer(&run("run_3")), "a newer poll is selected instead");
    assert_eq!(newer.response().expect("the run").json(), run("run_3"));
}

#[test]
fn a_poll_of_a_client_without_timeouts_expires_without_a_byte() {
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "100")]);
    let parked = Instant::now();
    let mut runner = server.park(&Poll::by("runner-1"));
    assert_eq!(runner.response(), Err(NoResponse::Closed));
    assert!(parked.elapsed() >= Duration::from_millis(5100), "expired after {:?}", parked.elapsed());
    assert_eq!(server.health()["waitingRunners"], 0);
    assert_eq!(server.metric("pilotlight_polls_let_go_total"), 1.0);
}

#[test]
fn a_connection_is_used_for_many_polls() {
    let server = TestServer::start();
    let mut runner = server.connect();
    let mut supervisor = server.supervisor();
    for number in 0..50 {
        let run = run(&format!("run_{number}"));
        runner.send(Poll::by("runner-1").request());
        wait_until("the poll is parked", || supervisor.parked() == 1);
        assert!(supervisor.offer(&run));
        assert_eq!(runner.response().expect("a run").json(), run);
    }
    assert_eq!(server.metric(r#"pilotlight_deliveries_total{delivery="acknowledged"}"#), 50.0);
    assert_eq!(server.metric("pilotlight_unread_total"), 0.0);
}

#[test]
fn a_run_is_dispatched_again_when_its_first_runner_does_not_read() {
    let server = TestServer::start();
    let mut healthy = server.park(&Poll::by("healthy"));
    // This runner never reads, so a run that does not fit into its socket buffer is never acknowledged completely.
    let mut stuck = server.park(&Poll::by("stuck"));
    let run = large_run("run_1", 9_500_000);
    let mut supervisor = server.connect();
    supervisor.send(pilotlight_testkit::http::post_request("/warm-start", run_message::offer(&run)));
    assert!(
        healthy.response().expect("the run").json() == run,
        "the received message differs from the offered one"
    );
    assert!(is_warm(&supervisor.response().expect("an answer")));
    assert!(
        matches!(stuck.response(), Err(NoResponse::Incomplete(_))),
        "the connection is reset during the run"
    );
    let offer = server.offers().swap_remove(0);
    assert_eq!((&offer["controllerId"], &offer["dispatches"]), (&"healthy".into(), &2.into()));
    assert_eq!(server.metric("pilotlight_offers_cascaded_total"), 1.0);
}

#[test]
fn an_offer_is_dispatched_to_at_most_three_polls() {
    let server = TestServer::start();
    let _stuck = ["a", "b", "c", "d"].map(|runner| server.park(&Poll::by(runner)));
    assert!(!server.supervisor().offer(&large_run("run_1", 9_500_000)));
    assert_eq!(server.offers()[0]["dispatches"], 3);
    assert_eq!(server.health()["waitingRunners"], 1);
}

#[test]
fn a_run_without_a_deployment_is_cold() {
    let server = TestServer::start();
    let _waiting = server.park(&Poll::by("runner-1"));
    let mut undeployed = run("run_1");
    undeployed["deployment"].as_object_mut().expect("an object").remove("friendlyId");
    assert!(!server.supervisor().offer(&undeployed));
    assert!(!server.supervisor().offer(&changed(undeployed, "/deployment", serde_json::json!({}))));
    server.wait_for_parked(1);
}

#[test]
fn a_missing_machine_counts_as_zero() {
    let server = TestServer::start();
    let mut poll = Poll::by("runner-1");
    poll.cpu = "0".to_owned();
    poll.memory = "0.0".to_owned();
    let mut runner = server.park(&poll);
    let mut without_machine = run("run_1");
    without_machine["run"].as_object_mut().expect("an object").remove("machine");
    assert!(server.supervisor().offer(&without_machine));
    assert_eq!(runner.response().expect("the run").json(), without_machine);
}

#[test]
fn polls_of_a_retired_runner_are_answered_410() {
    let server = TestServer::start();
    let mut waiting = server.park(&Poll::by("runner-1"));
    let _other = server.park(&Poll::by("runner-2"));
    server.connect().post("/api/admin/retire", r#"{"runner":"runner-1","for_ms":600000}"#).json();
    assert_eq!(waiting.response().expect("an answer").status, 410);
    let second = Poll::by("runner-1").send_to(server.address()).response().expect("an answer");
    assert_eq!((second.status, second.error_text().is_empty()), (410, false));
    server.wait_for_parked(1);
}
