//! `pilotlight submit`: the job's id or result is written to stdout, everything else to stderr.

use std::io::Write;
use std::process::{Command, Stdio};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{RunningCommand, command_for, command_for_url, run_to_end};
use pilotlight_testkit::fixed_address::FixedAddress;
use pilotlight_testkit::lossy_link::LossyLink;
use pilotlight_testkit::need;
use pilotlight_testkit::server::{TestServer, pilotlight_binary};
use pilotlight_testkit::temp_dir::TempDir;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

/// Executes the next job of type `t`: reports console output, progress and this result, and returns the job that the
/// runner received.
pub(super) fn execute_next_job(server: &TestServer, output: &Value) -> Value {
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    let job = runner.next_job("t", 20_000).expect("a job is pending");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    let heartbeat = json!({ "progress_current": 1, "progress_total": 2, "console_append": "half\n" });
    assert_eq!(runner.report("heartbeat", &job, heartbeat).status, 200);
    let response =
        runner.report("complete", &job, json!({ "output_data": output, "console_append": "whole\n" }));
    assert_eq!(response.status, 200, "{response:?}");
    job
}

/// Takes the next job of type `t` and reports that it failed.
fn fail_next_job(server: &TestServer) {
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    let job = runner.next_job("t", 20_000).expect("a job is pending");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    assert_eq!(runner.report("error", &job, json!({ "error_message": "no paper" })).status, 200);
}

#[test]
fn without_wait_stdout_is_the_job_id() {
    let server = TestServer::start();
    let first = run_to_end(&mut command_for(&server, &["submit", "t", r#"{"a": 1}"#])).exited_with(0);
    assert_eq!(first.stdout_line().len(), 36, "{first:?}");
    assert_eq!(first.stderr, "the job waits for a runner\n");
    let second =
        run_to_end(&mut command_for(&server, &["submit", "t", r#"{"a":1.0}"#, "--json"])).exited_with(0);
    assert_eq!(second.json()["job_id"], first.stdout_line());
    assert_eq!(second.json()["status"], "pending");
}

#[test]
fn with_wait_stdout_is_the_result_byte_for_byte_and_stderr_has_the_console_output() {
    let server = TestServer::start();
    let waiting = RunningCommand::start(&mut command_for(&server, &["submit", "t", "--wait"]));
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    let job = runner.next_job("t", 20_000).expect("a job is pending");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    let heartbeat = json!({ "console_append": "half \u{1b}[31mred\n" });
    assert_eq!(runner.report("heartbeat", &job, heartbeat).status, 200);
    wait_until("the console output arrives while the job runs", || waiting.stderr().contains("half"));
    assert!(waiting.stdout().is_empty());
    let (id, lease) = (job["job_id"].as_str().unwrap(), &job["lease"]);
    let output = r#"{ "words":  1.0, "list": [ 1,2 ] }"#;
    let body = format!(r#"{{"lease": {lease}, "output_data": {output}}}"#);
    assert_eq!(
        runner.request("POST", &format!("/api/runner/jobs/{id}/complete"), body.as_bytes()).status,
        200
    );
    let outcome = waiting.wait_for_exit().exited_with(0);
    assert_eq!(outcome.stdout_line(), output);
    let expected = format!("job {id}: the job waits for a runner\nhalf \u{1b}[31mred\n");
    assert_eq!(outcome.stderr, expected, "a pipe gets no bars and no colours but those of the job itself");
    // The result is stored now: no runner executes the job.
    let again = run_to_end(&mut command_for(&server, &["submit", "t", "{}", "--wait"])).exited_with(0);
    assert_eq!((again.stdout_line(), again.stderr.as_str()), (output, ""));
}

#[test]
fn a_result_can_be_piped_into_jq() {
    need!("jq");
    let server = TestServer::start();
    let line = format!("'{}' submit t @parameters.json --wait | jq .words", pilotlight_binary().display());
    let folder = TempDir::new();
    std::fs::write(folder.path().join("parameters.json"), r#"{"text": "to be"}"#).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(folder.path()).env("PILOTLIGHT_URL", server.url());
    let waiting = RunningCommand::start(&mut shell);
    let job = execute_next_job(&server, &json!({ "words": 2 }));
    assert_eq!(job["input_params"], json!({ "text": "to be" }));
    assert_eq!(waiting.wait_for_exit().exited_with(0).stdout_line(), "2");
}

#[test]
fn parameters_are_also_read_from_stdin_and_wrong_ones_are_exit_code_2() {
    let server = TestServer::start();
    let mut command = command_for(&server, &["submit", "t", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().unwrap().write_all(b"[1, 2]").unwrap();
    let output = child.wait_with_output().unwrap();
    let id = String::from_utf8(output.stdout).unwrap();
    let shown = run_to_end(&mut command_for(&server, &["jobs", "show", id.trim(), "--json"])).exited_with(0);
    assert_eq!(shown.json()["input_params"], json!([1, 2]));
    for (wrong, expected_text) in [
        ("{", "they are not JSON at line 1"),
        ("1", "neither an object nor a list"),
        ("@/no/such/file", "failed to read /no/such/file"),
    ] {
        run_to_end(&mut command_for(&server, &["submit", "t", wrong])).failed_with(2, expected_text);
    }
    run_to_end(&mut command_for(&server, &["submit", " ", "{}"])).exited_with(2);
    let large = format!(r#"{{"a": "{}"}}"#, "x".repeat(100 * 1024));
    run_to_end(&mut command_for(&server, &["submit", "t", &large])).failed_with(2, "input_params");
}

#[test]
fn a_failed_job_is_exit_code_1_and_its_error() {
    let server = TestServer::start();
    let waiting = RunningCommand::start(&mut command_for(&server, &["submit", "t", "--wait"]));
    fail_next_job(&server);
    let outcome = waiting.wait_for_exit().failed_with(1, "failed: no paper");
    assert_eq!(outcome.stdout, "");
    let stored = run_to_end(&mut command_for(&server, &["submit", "t"])).failed_with(1, "failed: no paper");
    assert_eq!(stored.stdout_line().len(), 36);
    assert!(stored.stderr.contains("--fresh"), "{stored:?}");
    let json =
        run_to_end(&mut command_for(&server, &["submit", "t", "--wait", "--json"])).exited_with(1).json();
    assert_eq!((&json["status"], &json["error"]), (&json!("failed"), &json!("no paper")));
}

#[test]
fn a_wait_that_times_out_is_exit_code_6_and_the_job_remains() {
    let server = TestServer::start();
    let outcome = run_to_end(&mut command_for(&server, &["submit", "t", "--wait", "--timeout", "200ms"]))
        .exited_with(6);
    assert!(outcome.stderr.contains("pilotlight jobs tail"), "{outcome:?}");
    let listed = run_to_end(&mut command_for(&server, &["jobs", "list", "--json"])).exited_with(0).json();
    assert_eq!(listed["jobs"][0]["status"], "pending");
}

#[test]
fn every_option_of_submit_reaches_the_job() {
    let server = TestServer::start();
    let submit = |more: &[&str]| {
        let arguments = [&["submit", "t", "{}"], more].concat();
        run_to_end(&mut command_for(&server, &arguments)).exited_with(0).stdout_line().to_owned()
    };
    let id = submit(&[
        "--priority",
        "-5",
        "--max-attempts",
        "3",
        "--retry-backoff",
        "2s",
        "--ttl",
        "1h",
        "--run-at",
        "2100-01-01T00:00:00Z",
    ]);
    let job = run_to_end(&mut command_for(&server, &["jobs", "show", &id, "--json"])).exited_with(0).json();
    assert_eq!((&job["priority"], &job["max_attempts"]), (&json!(-5), &json!(3)));
    assert_eq!(job["run_at"], json!(4_102_444_800_000_u64));
    let other = submit(&["--code-version", "v2", "--delay", "1h"]);
    assert_ne!(other, id);
    let job =
        run_to_end(&mut command_for(&server, &["jobs", "show", &other, "--json"])).exited_with(0).json();
    let delayed = job["run_at"].as_u64().unwrap() - job["created_at"].as_u64().unwrap();
    assert!((3_590_000..=3_600_000).contains(&delayed), "{delayed}");
    let fresh = submit(&["--fresh", "--idempotency-key", "k"]);
    assert_ne!(fresh, id);
    assert_eq!(submit(&["--fresh", "--idempotency-key", "k"]), fresh);
    assert_ne!(submit(&["--fresh"]), fresh);
    for wrong in [
        &["--priority", "x"] as &[_],
        &["--max-attempts", "0"],
        &["--ttl", "soon"],
        &["--run-at", "soon"],
        &["--delay", "1s", "--run-at", "1"],
        &["--timeout", "1s"],
        &["--cancel-on-interrupt"],
    ] {
        run_to_end(&mut command_for(&server, &[&["submit", "t", "{}"], wrong].concat())).exited_with(2);
    }
}

#[test]
fn a_waiting_command_continues_after_a_restart_of_the_service() {
    let address = FixedAddress::new();
    let server = address.serve(&[]);
    let waiting = RunningCommand::start(&mut command_for_url(&address.url(), &["submit", "t", "--wait"]));
    wait_until("the command waits", || waiting.stderr().contains("the job waits"));
    drop(server);
    wait_until("the command reports that it cannot reach the service", || {
        waiting.stderr().contains("trying again")
    });
    let server = address.serve(&[]);
    execute_next_job(&server, &json!({ "words": 3 }));
    let outcome = waiting.wait_for_exit().exited_with(0);
    assert_eq!(outcome.json(), json!({ "words": 3 }));
    assert_eq!(outcome.stderr.matches("half\n").count(), 1, "{outcome:?}");
}

#[test]
fn a_tail_of_a_job_with_too_many_subscribers_polls_for_the_end() {
    let server = TestServer::start();
    let id = run_to_end(&mut command_for(&server, &["submit", "t", r#"{"n": 1}"#]))
        .exited_with(0)
        .stdout_line()
        .to_owned();
    let subscribe = |_| {
        let mut subscriber = ApiClient::at(server.address());
        subscriber
            .send("GET", &format!("/api/jobs/{id}/events"), b"")
            .expect("the service reads the request");
        subscriber.wait_until_readable();
        subscriber
    };
    let _subscribers: Vec<_> = (0..256).map(subscribe).collect();
    let tailing = RunningCommand::start(&mut command_for(&server, &["jobs", "tail", &id]));
    let job = execute_next_job(&server, &json!({ "words": 3 }));
    assert_eq!(job["job_id"], id.as_str());
    tailing.wait_for_exit().exited_with(0);
}

#[test]
fn a_submission_whose_response_is_lost_counts_as_one_caller() {
    let server = TestServer::start();
    let link = LossyLink::losing_response(server.address(), "POST /api/jobs/submit");
    let id = run_to_end(&mut command_for_url(&link.url(), &["submit", "t"]))
        .exited_with(0)
        .stdout_line()
        .to_owned();
    assert!(link.has_lost());
    run_to_end(&mut command_for(&server, &["jobs", "cancel", &id])).exited_with(0);
    assert_eq!(
        ApiClient::at(server.address()).job(&id)["status"],
        "failed",
        "the service counted a second caller"
    );
}

#[test]
fn a_closed_stdout_is_exit_code_141_without_an_error_text() {
    let server = TestServer::start();
    let waiting = RunningCommand::with_closed_stdout(&mut command_for(&server, &["submit", "t", "--wait"]));
    execute_next_job(&server, &json!({ "words": 3 }));
    waiting.wait_for_exit().exited_with(141);
    for arguments in
        [&["jobs", "list"] as &[_], &["status"], &["explain"], &["config"], &["completions", "bash"]]
    {
        RunningCommand::with_closed_stdout(&mut command_for(&server, arguments))
            .wait_for_exit()
            .exited_with(141);
    }
}
