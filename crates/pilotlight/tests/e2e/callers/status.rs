//! `pilotlight status`: what the service does, on one screen.

use serde_json::{Value, json};

use crate::support::commands::{Running, about, at, ran};
use crate::support::jobs::Party;
use crate::support::server::Server;
use crate::support::wait;

#[test]
fn a_screen_tells_what_the_service_does() {
    let server = Server::start();
    Party::at(server.address()).submit("t", &json!({}));
    let screen = ran(&mut about(&server, &["status"])).is(0).stdout;
    let version = format!("ok, version {}", env!("CARGO_PKG_VERSION"));
    for told in [
        &server.url(),
        version.as_str(),
        "pending             1",
        "all jobs            1",
        "store        answers",
    ] {
        assert!(screen.contains(told), "no {told} in\n{screen}");
    }
    assert!(screen.lines().count() <= 24 && !screen.contains('\u{1b}'), "{screen:?}");
}

#[test]
fn runners_that_wait_for_a_job_are_counted() {
    let server = Server::start();
    let mut runner = Party::at(server.address()).of_runner("r");
    runner.send("GET", "/api/runner/jobs/next?types[]=t&wait_ms=30000", b"").expect("it is there");
    let waiting =
        || ran(&mut about(&server, &["status", "--json"])).is(0).json()["health"]["waitingForJobs"].clone();
    wait::until("the runner is counted", || waiting() == 1);
}

#[test]
fn it_is_shown_again_and_again() {
    let server = Server::start();
    let watching = Running::start(&mut about(&server, &["status", "--json", "--watch=100ms"]));
    wait::until("two lines", || watching.said().len() >= 2);
    let told: Value = serde_json::from_str(&watching.said()[1]).expect("JSON");
    assert_eq!((&told["store"], &told["jobs"]["total"]), (&json!("answers"), &json!(0)));
    ran(&mut about(&server, &["status", "--watch=0s"])).is(2);
}

#[test]
fn without_jobs_or_the_key_for_them_it_tells_the_rest() {
    let server = Server::with(&[("ADMIN_API_KEY", "a")]);
    let screen = ran(&mut about(&server, &["status"])).is(0).stdout;
    assert!(screen.contains("ok, version") && screen.contains("PILOTLIGHT_KEY"), "{screen}");
    let told = ran(at(&server.url(), &["status", "--json"]).env("PILOTLIGHT_KEY", "a")).is(0).json();
    assert_eq!(told["jobs"]["total"], 0);
    let alone = Server::serving(&["--only", "warm-start"], &[]);
    assert_eq!(ran(&mut about(&alone, &["status", "--json"])).is(0).json()["jobs"], Value::Null);
}
