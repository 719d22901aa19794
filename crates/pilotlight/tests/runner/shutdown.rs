//! A runner or the service stops, or the link between them loses messages: running commands are finished where that is
//! possible, and their jobs' ends are reported.

use std::time::{Duration, Instant};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::fixed_address::FixedAddress;
use pilotlight_testkit::lossy_link::LossyLink;
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

fn submit(server: &TestServer, input: &Value) -> String {
    ApiClient::at(server.address()).submit("t", input)["job_id"]
        .as_str()
        .expect("job_id is a string")
        .to_owned()
}

fn wait_for_end(server: &TestServer, id: &str) -> Value {
    ApiClient::at(server.address()).get(&format!("/api/jobs/{id}?wait_ms=25000")).json()
}

#[test]
fn a_stopped_runner_finishes_its_job_and_takes_no_other() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "sleep 1; echo '{}'")]);
    let mut runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let first = submit(&server, &json!([1]));
    wait_until("the command runs", || scripts.running_processes().len() > 1);
    let second = submit(&server, &json!([2]));
    runner.signal("TERM");
    assert!(runner.wait_for_exit().success());
    assert_eq!(wait_for_end(&server, &first)["status"], "completed");
    assert_eq!(ApiClient::at(server.address()).job(&second)["status"], "pending");
}

#[test]
fn a_command_still_running_after_the_grace_period_is_killed_and_its_job_fails() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "trap '' TERM; sleep 1000; sleep 1000")]);
    let mut runner =
        RunnerProcess::start(&server.url(), &scripts, &["--grace", "200ms", "--kill-after", "200ms"]);
    let id = submit(&server, &json!({}));
    wait_until("the command runs", || scripts.running_processes().len() > 1);
    runner.signal("TERM");
    assert!(runner.wait_for_exit().success());
    scripts.wait_until_gone();
    let job = wait_for_end(&server, &id);
    assert_eq!(job["error"], "the runner was stopped before the command ended, and killed it", "{job}");
}

#[test]
fn a_second_signal_stops_a_runner_at_once() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "trap '' TERM; sleep 1000; sleep 1000")]);
    let mut runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    submit(&server, &json!({}));
    wait_until("the command runs", || scripts.running_processes().len() > 1);
    runner.signal("INT");
    wait_until("the runner has received the signal", || runner.log().contains("finishing"));
    runner.signal("INT");
    assert!(runner.wait_for_exit().success());
    scripts.wait_until_gone();
}

#[test]
fn a_job_whose_command_ends_while_the_service_is_down_is_completed_after_the_restart() {
    let address = FixedAddress::new();
    let scripts = Scripts::shell(&[(
        "t",
        "echo before >&2; while [ ! -e \"$MARK/go\" ]; do sleep 0.05; done; echo '{\"a\": 1}'",
    )]);
    let server = address.serve(&[]);
    let _runner = RunnerProcess::start(&address.url(), &scripts, &[]);
    let id = submit(&server, &json!({}));
    wait_until("the command runs", || scripts.running_processes().len() > 1);
    drop(server);
    std::fs::write(scripts.path("go"), "").unwrap();
    // The command ends while no service runs.
    scripts.wait_until_gone();
    let server = address.serve(&[]);
    let job = wait_for_end(&server, &id);
    assert_eq!(job["result"], json!({ "output_data": { "a": 1 }, "console_output": "before\n" }), "{job}");
    let next = submit(&server, &json!([2]));
    assert_eq!(wait_for_end(&server, &next)["status"], "completed", "the runner takes the next job");
}

#[test]
fn a_start_report_whose_response_is_lost_is_repeated() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "echo '{}'")]);
    let link = LossyLink::losing_response(server.address(), "/start HTTP");
    let _runner = RunnerProcess::start(&link.url(), &scripts, &[]);
    let id = submit(&server, &json!({}));
    let job = wait_for_end(&server, &id);
    assert_eq!(job["status"], "completed", "the runner did not repeat the report in time: {job}");
    assert!(link.has_lost());
}

#[test]
fn a_hanging_heartbeat_is_abandoned_before_the_lease_times_out() {
    let server = TestServer::with(&[("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "9s")]);
    let script =
        "echo here >&2; while [ ! -e \"$MARK/go\" ]; do sleep 0.05; done; echo \"[$PILOTLIGHT_ATTEMPT]\"";
    let scripts = Scripts::shell(&[("t", script)]);
    let link = LossyLink::losing_request(server.address(), "/heartbeat HTTP");
    let runner = RunnerProcess::start(&link.url(), &scripts, &[]);
    let id = submit(&server, &json!({}));
    wait_until("the next heartbeat arrives", || {
        let job = ApiClient::at(server.address()).get(&format!("/api/admin/jobs/{id}")).json();
        job["console_output"] == "here\n"
    });
    assert!(link.has_lost() && runner.log().contains("the command continues"), "{}", runner.log());
    std::fs::write(scripts.path("go"), "").unwrap();
    assert_eq!(wait_for_end(&server, &id)["result"]["output_data"], json!([1]));
}

#[test]
fn a_hanging_report_does_not_delay_the_exit_of_a_runner() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[("t", "echo '{}'")]);
    let link = LossyLink::losing_request(server.address(), "/complete HTTP");
    let mut runner = RunnerProcess::start(&link.url(), &scripts, &["--grace", "200ms"]);
    submit(&server, &json!({}));
    wait_until("the runner reports the end of the job", || link.has_lost());
    let stopped = Instant::now();
    runner.signal("TERM");
    assert!(runner.wait_for_exit().success());
    assert!(runner.log().contains("gave up reporting how a job ended"), "{}", runner.log());
    // The timeout of the report alone is 30 s.
    assert!(stopped.elapsed() < Duration::from_secs(20), "{:?}", stopped.elapsed());
}
