//! Ctrl-C: it does what was told it would.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{RunningCommand, command_for, run_to_end};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{wait_for, wait_until};
use serde_json::json;

use super::submit::executes;

/// Somebody who waits for a job that nobody executes, and its id.
fn waiting(server: &TestServer, more: &[&str]) -> (RunningCommand, String) {
    let waiting =
        RunningCommand::start(&mut command_for(server, &[&["submit", "t", "--wait"], more].concat()));
    let id = wait_for("it says which job", || {
        let told = waiting.stderr();
        told.strip_prefix("job ").and_then(|rest| rest.split(':').next()).map(str::to_owned)
    });
    (waiting, id)
}

#[test]
fn an_interrupted_wait_exits_and_the_job_goes_on() {
    let server = TestServer::start();
    for signal in ["INT", "TERM"] {
        let (running, id) = waiting(&server, &[]);
        running.signal(signal);
        let outcome = running.wait_for_exit().failed_with(130, &format!("pilotlight jobs tail {id}"));
        assert_eq!(outcome.stdout, "");
    }
    // It is still wanted.
    executes(&server, &json!({ "words": 1 }));
    assert_eq!(
        run_to_end(&mut command_for(&server, &["submit", "t", "--wait"])).exited_with(0).json(),
        json!({ "words": 1 })
    );
}

#[test]
fn with_cancel_on_interrupt_an_interrupted_wait_cancels_the_job() {
    let server = TestServer::start();
    let (running, id) = waiting(&server, &["--cancel-on-interrupt"]);
    running.signal("INT");
    running.wait_for_exit().failed_with(130, "the job is cancelled");
    let job = ApiClient::at(server.address()).job(&id);
    assert_eq!((&job["status"], &job["error"]), (&json!("failed"), &json!("cancelled")));
}

#[test]
fn a_job_that_others_want_goes_on_for_them() {
    let server = TestServer::start();
    let (one, _) = waiting(&server, &["--cancel-on-interrupt"]);
    let (other, id) = waiting(&server, &[]);
    one.signal("INT");
    one.wait_for_exit().failed_with(130, "other callers still wait for the job");
    executes(&server, &json!({ "words": 1 }));
    assert_eq!(other.wait_for_exit().exited_with(0).json(), json!({ "words": 1 }));
    assert_eq!(ApiClient::at(server.address()).job(&id)["status"], "completed");
}

#[test]
fn interrupting_a_tail_does_not_cancel_the_job() {
    let server = TestServer::start();
    let id = run_to_end(&mut command_for(&server, &["submit", "t"])).exited_with(0).stdout_line().to_owned();
    let tailing = RunningCommand::start(&mut command_for(&server, &["jobs", "tail", &id, "--json"]));
    wait_until("it follows", || !tailing.stdout().is_empty());
    tailing.signal("INT");
    tailing.wait_for_exit().failed_with(130, "continues");
    assert_eq!(ApiClient::at(server.address()).job(&id)["status"], "pending");
}
