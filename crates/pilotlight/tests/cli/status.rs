//! `pilotlight status`: the state of the service, its jobs and its runners on one screen.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{RunningCommand, command_for, command_for_url, run_to_end};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

#[test]
fn status_shows_the_version_the_store_and_the_number_of_jobs() {
    let server = TestServer::start();
    ApiClient::at(server.address()).submit("t", &json!({}));
    let screen = run_to_end(&mut command_for(&server, &["status"])).exited_with(0).stdout;
    let version = format!("ok, version {}", env!("CARGO_PKG_VERSION"));
    for expected in [
        &server.url(),
        version.as_str(),
        "pending             1",
        "all jobs            1",
        "store        answers",
    ] {
        assert!(screen.contains(expected), "no {expected} in\n{screen}");
    }
    assert!(screen.lines().count() <= 24 && !screen.contains('\u{1b}'), "{screen:?}");
}

#[test]
fn status_counts_polling_runners() {
    let server = TestServer::start();
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    runner
        .send("GET", "/api/runner/jobs/next?types[]=t&wait_ms=30000", b"")
        .expect("the service reads the request");
    let waiting_runners = || {
        let status = run_to_end(&mut command_for(&server, &["status", "--json"])).exited_with(0).json();
        status["health"]["waitingForJobs"].clone()
    };
    wait_until("the runner is counted", || waiting_runners() == 1);
}

#[test]
fn watch_prints_the_status_repeatedly() {
    let server = TestServer::start();
    let watching = RunningCommand::start(&mut command_for(&server, &["status", "--json", "--watch=100ms"]));
    wait_until("the status is printed twice", || watching.stdout().len() >= 2);
    let status: Value = serde_json::from_str(&watching.stdout()[1]).expect("JSON");
    assert_eq!((&status["store"], &status["jobs"]["total"]), (&json!("answers"), &json!(0)));
    run_to_end(&mut command_for(&server, &["status", "--watch=0s"])).exited_with(2);
}

#[test]
fn without_jobs_or_the_admin_key_status_shows_the_rest() {
    let server = TestServer::with(&[("ADMIN_API_KEY", "a")]);
    let screen = run_to_end(&mut command_for(&server, &["status"])).exited_with(0).stdout;
    assert!(screen.contains("ok, version") && screen.contains("PILOTLIGHT_KEY"), "{screen}");
    let status = run_to_end(command_for_url(&server.url(), &["status", "--json"]).env("PILOTLIGHT_KEY", "a"))
        .exited_with(0)
        .json();
    assert_eq!(status["jobs"]["total"], 0);
    let without_jobs = TestServer::with_arguments(&["--only", "warm-start"], &[]);
    assert_eq!(
        run_to_end(&mut command_for(&without_jobs, &["status", "--json"])).exited_with(0).json()["jobs"],
        Value::Null
    );
}
