//! `pilotlight status`: what the service does, on one screen.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{RunningCommand, command_for, command_for_url, run_to_end};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

#[test]
fn status_shows_what_the_service_does() {
    let server = TestServer::start();
    ApiClient::at(server.address()).submit("t", &json!({}));
    let screen = run_to_end(&mut command_for(&server, &["status"])).exited_with(0).stdout;
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
    let server = TestServer::start();
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    runner.send("GET", "/api/runner/jobs/next?types[]=t&wait_ms=30000", b"").expect("it is there");
    let waiting = || {
        run_to_end(&mut command_for(&server, &["status", "--json"])).exited_with(0).json()["health"]["waitingForJobs"].clone()
    };
    wait_until("the runner is counted", || waiting() == 1);
}

#[test]
fn it_is_shown_again_and_again() {
    let server = TestServer::start();
    let watching = RunningCommand::start(&mut command_for(&server, &["status", "--json", "--watch=100ms"]));
    wait_until("two lines", || watching.stdout().len() >= 2);
    let told: Value = serde_json::from_str(&watching.stdout()[1]).expect("JSON");
    assert_eq!((&told["store"], &told["jobs"]["total"]), (&json!("answers"), &json!(0)));
    run_to_end(&mut command_for(&server, &["status", "--watch=0s"])).exited_with(2);
}

#[test]
fn without_jobs_or_the_key_for_them_it_tells_the_rest() {
    let server = TestServer::with(&[("ADMIN_API_KEY", "a")]);
    let screen = run_to_end(&mut command_for(&server, &["status"])).exited_with(0).stdout;
    assert!(screen.contains("ok, version") && screen.contains("PILOTLIGHT_KEY"), "{screen}");
    let told = run_to_end(command_for_url(&server.url(), &["status", "--json"]).env("PILOTLIGHT_KEY", "a"))
        .exited_with(0)
        .json();
    assert_eq!(told["jobs"]["total"], 0);
    let alone = TestServer::with_arguments(&["--only", "warm-start"], &[]);
    assert_eq!(
        run_to_end(&mut command_for(&alone, &["status", "--json"])).exited_with(0).json()["jobs"],
        Value::Null
    );
}
