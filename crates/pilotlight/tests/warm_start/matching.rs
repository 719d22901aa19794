//! Who gets a run, seen from the sockets.

use std::time::{Duration, Instant};

use pilotlight_testkit::http::NoResponse;
use pilotlight_testkit::run_message::{self, changed, large_run, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::{Poll, is_warm};

/// The runs that three runners, parked one after the other, get of three runs, offered one after the other.
fn takers(settings: &[(&str, &str)]) -> Vec<String> {
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
fn the_newest_poll_is_first() {
    assert_eq!(takers(&[]), ["run_3", "run_2", "run_1"]);
}

#[test]
fn the_oldest_poll_is_first_when_so_configured() {
    assert_eq!(takers(&[("PILOTLIGHT_WARM_START_ORDER", "oldest")]), ["run_1", "run_2", "run_3"]);
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
fn the_same_runners_older_poll_is_closed_without_a_byte() {
    let server = TestServer::start();
    let mut older = server.park(&Poll::by("runner-1"));
    let mut newer = Poll::by("runner-1").send_to(server.address());
    assert_eq!(older.response(), Err(NoResponse::Closed));
    server.wait_for_parked(1);
    assert!(server.supervisor().offer(&run("run_1")));
    assert_eq!(newer.response().expect("the run").json(), run("run_1"));
}

#[test]
fn a_poll_in_the_last_quarter_of_its_clients_time_out_is_not_chosen() {
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "2000")]);
    let mut supervisor = server.supervisor();
    let mut taker = server.park(&Poll::by("runner-1"));
    assert!(supervisor.offer(&run("run_1")), "before that it is");
    taker.response().expect("the run");
    let _resting = server.park(&Poll::by("runner-1"));
    wait_until("the poll is in its last quarter", || {
        server.dashboard("")["runners"][0]["waitingDurationMs"].as_u64().is_some_and(|waited| waited >= 1500)
    });
    assert!(!supervisor.offer(&run("run_2")));
    assert_eq!(server.health()["waitingRunners"], 1, "it still waits");
    let mut fresh = server.park(&Poll::by("runner-2"));
    assert!(supervisor.offer(&run("run_3")), "a fresh one is chosen beside it");
    assert_eq!(fresh.response().expect("the run").json(), run("run_3"));
}

#[test]
fn a_poll_of_a_client_without_time_outs_is_let_go_without_a_byte() {
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "100")]);
    let parked = Instant::now();
    let mut runner = server.park(&Poll::by("runner-1"));
    assert_eq!(runner.response(), Err(NoResponse::Closed));
    assert!(parked.elapsed() >= Duration::from_millis(5100), "let go after {:?}", parked.elapsed());
    assert_eq!(server.health()["waitingRunners"], 0);
    assert_eq!(server.metric("pilotlight_polls_let_go_total"), 1.0);
}

#[test]
fn a_connection_carries_poll_after_poll() {
    let server = TestServer::start();
    let mut runner = server.connect();
    let mut supervisor = server.supervisor();
    for number in 0..50 {
        let run = run(&format!("run_{number}"));
        runner.send(Poll::by("runner-1").request());
        wait_until("the runner waits", || supervisor.parked() == 1);
        assert!(supervisor.offer(&run));
        assert_eq!(runner.response().expect("a run").json(), run);
    }
    assert_eq!(server.metric(r#"pilotlight_deliveries_total{delivery="acknowledged"}"#), 50.0);
    assert_eq!(server.metric("pilotlight_unread_total"), 0.0);
}

#[test]
fn a_run_whose_first_poll_does_not_take_it_goes_to_the_next() {
    let server = TestServer::start();
    let mut healthy = server.park(&Poll::by("healthy"));
    // It never reads, so a run that does not fit into its kernel is never acknowledged whole.
    let mut stuck = server.park(&Poll::by("stuck"));
    let run = large_run("run_1", 9_500_000);
    let mut supervisor = server.connect();
    supervisor.send(pilotlight_testkit::http::post_request("/warm-start", run_message::offer(&run)));
    assert!(healthy.response().expect("the run").json() == run, "the message differs from what was offered");
    assert!(is_warm(&supervisor.response().expect("an answer")));
    assert!(matches!(stuck.response(), Err(NoResponse::Incomplete(_))), "it was reset in the middle");
    let offer = server.offers().swap_remove(0);
    assert_eq!((&offer["controllerId"], &offer["dispatches"]), (&"healthy".into(), &2.into()));
    assert_eq!(server.metric("pilotlight_offers_cascaded_total"), 1.0);
}

#[test]
fn an_offer_asks_at_most_three_polls() {
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
fn a_machine_that_is_not_named_is_zero() {
    let server = TestServer::start();
    let mut poll = Poll::by("runner-1");
    poll.cpu = "0".to_owned();
    poll.memory = "0.0".to_owned();
    let mut runner = server.park(&poll);
    let mut bare = run("run_1");
    bare["run"].as_object_mut().expect("an object").remove("machine");
    assert!(server.supervisor().offer(&bare));
    assert_eq!(runner.response().expect("the run").json(), bare);
}

#[test]
fn polls_of_a_retired_runner_are_answered_410() {
    let server = TestServer::start();
    let mut waiting = server.park(&Poll::by("runner-1"));
    let _other = server.park(&Poll::by("runner-2"));
    server.connect().post("/api/admin/retire", r#"{"runner":"runner-1","for_ms":600000}"#).json();
    assert_eq!(waiting.response().expect("a refusal").status, 410);
    let again = Poll::by("runner-1").send_to(server.address()).response().expect("a refusal");
    assert_eq!((again.status, again.error_text().is_empty()), (410, false));
    server.wait_for_parked(1);
}
