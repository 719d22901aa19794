//! Ctrl-C: it does what was told it would.

use serde_json::json;

use super::submit::executes;
use crate::support::commands::{Running, about, ran};
use crate::support::jobs::Party;
use crate::support::server::Server;
use crate::support::wait;

/// Somebody who waits for a job that nobody executes, and its id.
fn waiting(server: &Server, more: &[&str]) -> (Running, String) {
    let waiting = Running::start(&mut about(server, &[&["submit", "t", "--wait"], more].concat()));
    let id = wait::until_some("it says which job", || {
        let told = waiting.told();
        told.strip_prefix("job ").and_then(|rest| rest.split(':').next()).map(str::to_owned)
    });
    (waiting, id)
}

#[test]
fn interrupted_it_leaves_and_the_job_goes_on() {
    let server = Server::start();
    for signal in ["INT", "TERM"] {
        let (running, id) = waiting(&server, &[]);
        running.signal(signal);
        let outcome = running.ended().telling(130, &format!("pilotlight jobs tail {id}"));
        assert_eq!(outcome.stdout, "");
    }
    // It is still wanted.
    executes(&server, &json!({ "words": 1 }));
    assert_eq!(ran(&mut about(&server, &["submit", "t", "--wait"])).is(0).json(), json!({ "words": 1 }));
}

#[test]
fn where_it_was_told_to_it_cancels_the_job_instead() {
    let server = Server::start();
    let (running, id) = waiting(&server, &["--cancel-on-interrupt"]);
    running.signal("INT");
    running.ended().telling(130, "the job is cancelled");
    let job = Party::at(server.address()).job(&id);
    assert_eq!((&job["status"], &job["error"]), (&json!("failed"), &json!("cancelled")));
}

#[test]
fn a_job_that_others_want_goes_on_for_them() {
    let server = Server::start();
    let (one, _) = waiting(&server, &["--cancel-on-interrupt"]);
    let (other, id) = waiting(&server, &[]);
    one.signal("INT");
    one.ended().telling(130, "other callers still wait for the job");
    executes(&server, &json!({ "words": 1 }));
    assert_eq!(other.ended().is(0).json(), json!({ "words": 1 }));
    assert_eq!(Party::at(server.address()).job(&id)["status"], "completed");
}

#[test]
fn who_tails_a_job_leaves_it_alone() {
    let server = Server::start();
    let id = ran(&mut about(&server, &["submit", "t"])).is(0).answer().to_owned();
    let tailing = Running::start(&mut about(&server, &["jobs", "tail", &id, "--json"]));
    wait::until("it follows", || !tailing.said().is_empty());
    tailing.signal("INT");
    tailing.ended().telling(130, "continues");
    assert_eq!(Party::at(server.address()).job(&id)["status"], "pending");
}
