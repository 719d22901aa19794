//! SIGINT (Ctrl-C) and SIGTERM while a command waits: the exit code, and whether the job is cancelled.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{RunningCommand, command_for, run_to_end};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{wait_for, wait_until};
use serde_json::json;

use super::submit::execute_next_job;

/// Starts `pilotlight submit t --wait` for a job that no runner executes. Returns the command and the job's id.
fn start_waiting(server: &TestServer, more: &[&str]) -> (RunningCommand, String) {
    let waiting =
        RunningCommand::start(&mut command_for(server, &[&["submit", "t", "--wait"], more].concat()));
    let id = wait_for("the command writes the job id", || {
        let stderr = waiting.stderr();
        stderr.strip_prefix("job ").and_then(|rest| rest.split(':').next()).map(str::to_owned)
    });
    (waiting, id)
}

#[test]
fn an_interrupted_wait_exits_and_the_job_remains() {
    let server = TestServer::start();
    for signal in ["INT", "TERM"] {
        let (running, id) = start_waiting(&server, &[]);
        running.signal(signal);
        let outcome = running.wait_for_exit().failed_with(130, &format!("pilotlight jobs tail {id}"));
        assert_eq!(outcome.stdout, "");
    }
    // The job was not cancelled.
    execute_next_job(&server, &json!({ "words": 1 }));
    assert_eq!(
        run_to_end(&mut command_for(&server, &["submit", "t", "--wait"])).exited_with(0).json(),
        json!({ "words": 1 })
    );
}

#[test]
fn with_cancel_on_interrupt_an_interrupted_wait_cancels_the_job() {
    let server = TestServer::start();
    let (running, id) = start_waiting(&server, &["--cancel-on-interrupt"]);
    running.signal("INT");
    running.wait_for_exit().failed_with(130, "the job is cancelled");
    let job = ApiClient::at(server.address()).job(&id);
    assert_eq!((&job["status"], &job["error"]), (&json!("failed"), &json!("cancelled")));
}

#[test]
fn cancel_on_interrupt_does_not_cancel_a_job_with_other_callers() {
    let server = TestServer::start();
    let (first, _) = start_waiting(&server, &["--cancel-on-interrupt"]);
    let (second, id) = start_waiting(&server, &[]);
    first.signal("INT");
    first.wait_for_exit().failed_with(130, "other callers still wait for the job");
    execute_next_job(&server, &json!({ "words": 1 }));
    assert_eq!(second.wait_for_exit().exited_with(0).json(), json!({ "words": 1 }));
    assert_eq!(ApiClient::at(server.address()).job(&id)["status"], "completed");
}

#[test]
fn interrupting_a_tail_does_not_cancel_the_job() {
    let server = TestServer::start();
    let id = run_to_end(&mut command_for(&server, &["submit", "t"])).exited_with(0).stdout_line().to_owned();
    let tailing = RunningCommand::start(&mut command_for(&server, &["jobs", "tail", &id, "--json"]));
    wait_until("the tail has received its first event", || !tailing.stdout().is_empty());
    tailing.signal("INT");
    tailing.wait_for_exit().failed_with(130, "continues");
    assert_eq!(ApiClient::at(server.address()).job(&id)["status"], "pending");
}
