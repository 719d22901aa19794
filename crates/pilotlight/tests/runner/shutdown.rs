//! Runners and services that stop: what is under way is finished where it can be, and reported.

use std::time::{Duration, Instant};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::fixed_address::FixedAddress;
use pilotlight_testkit::lossy_link::LossyLink;
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

fn submit(server: &TestServer, input: &Value) -> String {
    ApiClient::at(server.address()).submit("t", input)["job_id"].as_str().expect("an id").to_owned()
}

fn ended(server: &TestServer, id: &str) -> Value {
    ApiClient::at(server.address()).get(&format!("/api/jobs/{id}?wait_ms=25000")).json()
}

#[test]
fn a_runner_that_is_stopped_finishes_what_it_has_and_takes_no_more() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "sleep 1; echo '{}'")]);
    let mut runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let first = submit(&server, &json!([1]));
    wait_until("the command runs", || scripts.running_processes().len() > 1);
    let second = submit(&server, &json!([2]));
    runner.signal("TERM");
    assert!(runner.wait_for_exit().success());
    assert_eq!(ended(&server, &first)["status"], "completed");
    assert_eq!(ApiClient::at(server.address()).job(&second)["status"], "pending");
}

#[test]
fn a_command_not_done_within_the_grace_is_killed_and_its_job_says_so() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "trap '' TERM; sleep 1000; sleep 1000")]);
    let mut runner =
        RunnerProcess::start(&server.url(), &scripts, &["--grace", "200ms", "--kill-after", "200ms"]);
    let id = submit(&server, &json!({}));
    wait_until("the command runs", || scripts.running_processes().len() > 1);
    runner.signal("TERM");
    assert!(runner.wait_for_exit().success());
    scripts.wait_until_gone();
    let told = ended(&server, &id);
    assert_eq!(told["error"], "the runner was stopped before the command ended, and killed it", "{told}");
}

#[test]
fn a_second_signal_ends_a_runner_at_once() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "trap '' TERM; sleep 1000; sleep 1000")]);
    let mut runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    submit(&server, &json!({}));
    wait_until("the command runs", || scripts.running_processes().len() > 1);
    runner.signal("INT");
    wait_until("it was heard", || runner.log().contains("finishing"));
    runner.signal("INT");
    assert!(runner.wait_for_exit().success());
    scripts.wait_until_gone();
}

#[test]
fn a_job_outlives_the_service_that_gave_it() {
    let place = FixedAddress::new();
    let scripts = Scripts::shell(&[(
        "t",
        "echo before >&2; while [ ! -e \"$MARK/go\" ]; do sleep 0.05; done; echo '{\"a\": 1}'",
    )]);
    let server = place.serve(&[]);
    let _runner = RunnerProcess::start(&place.url(), &scripts, &[]);
    let id = submit(&server, &json!({}));
    wait_until("the command runs", || scripts.running_processes().len() > 1);
    drop(server);
    std::fs::write(scripts.path("go"), "").unwrap();
    // It has ended while nobody was there to hear it.
    scripts.wait_until_gone();
    let server = place.serve(&[]);
    let told = ended(&server, &id);
    assert_eq!(told["result"], json!({ "output_data": { "a": 1 }, "console_output": "before\n" }), "{told}");
    let next = submit(&server, &json!([2]));
    assert_eq!(ended(&server, &next)["status"], "completed", "it came back for the next");
}

#[test]
fn a_start_whose_response_is_lost_is_repeated() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "echo '{}'")]);
    let way = LossyLink::losing_response(server.address(), "/start HTTP");
    let _runner = RunnerProcess::start(&way.url(), &scripts, &[]);
    let id = submit(&server, &json!({}));
    let told = ended(&server, &id);
    assert_eq!(told["status"], "completed", "it waits for the end of its lease: {told}");
    assert!(way.has_lost());
}

#[test]
fn a_hanging_heartbeat_is_given_up_before_the_lease_times_out() {
    let server = TestServer::with(&[("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "9s")]);
    let script =
        "echo here >&2; while [ ! -e \"$MARK/go\" ]; do sleep 0.05; done; echo \"[$PILOTLIGHT_ATTEMPT]\"";
    let scripts = Scripts::shell(&[("t", script)]);
    let way = LossyLink::losing_request(server.address(), "/heartbeat HTTP");
    let runner = RunnerProcess::start(&way.url(), &scripts, &[]);
    let id = submit(&server, &json!({}));
    wait_until("the next one is heard", || {
        let job = ApiClient::at(server.address()).get(&format!("/api/admin/jobs/{id}")).json();
        job["console_output"] == "here\n"
    });
    assert!(way.has_lost() && runner.log().contains("the command continues"), "{}", runner.log());
    std::fs::write(scripts.path("go"), "").unwrap();
    assert_eq!(ended(&server, &id)["result"]["output_data"], json!([1]));
}

#[test]
fn a_hanging_report_does_not_delay_a_runners_exit() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "echo '{}'")]);
    let way = LossyLink::losing_request(server.address(), "/complete HTTP");
    let mut runner = RunnerProcess::start(&way.url(), &scripts, &["--grace", "200ms"]);
    submit(&server, &json!({}));
    wait_until("it reports", || way.has_lost());
    let stopped = Instant::now();
    runner.signal("TERM");
    assert!(runner.wait_for_exit().success());
    assert!(runner.log().contains("gave up reporting how a job ended"), "{}", runner.log());
    // Its report alone would be waited for 30 s.
    assert!(stopped.elapsed() < Duration::from_secs(20), "{:?}", stopped.elapsed());
}
