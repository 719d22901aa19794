//! `pilotlight submit`: the answer goes to stdout, everything else to stderr.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::commands::{Running, about, at, ran};
use crate::support::jobs::Party;
use crate::support::lossy::Lossy;
use crate::support::place::Place;
use crate::support::process::Folder;
use crate::support::server::{Server, binary};
use crate::support::skip::need;
use crate::support::wait;

/// Executes the next job of type `t` with a console and a progress, and answers it with this.
pub(super) fn executes(server: &Server, output: &Value) -> Value {
    let mut runner = Party::at(server.address()).of_runner("r");
    let job = runner.next("t", 20_000).expect("a job");
    assert_eq!(runner.say("start", &job, json!({})).status, 200);
    let half = json!({ "progress_current": 1, "progress_total": 2, "console_append": "half\n" });
    assert_eq!(runner.say("heartbeat", &job, half).status, 200);
    let done = runner.say("complete", &job, json!({ "output_data": output, "console_append": "whole\n" }));
    assert_eq!(done.status, 200, "{done:?}");
    job
}

fn fails(server: &Server) {
    let mut runner = Party::at(server.address()).of_runner("r");
    let job = runner.next("t", 20_000).expect("a job");
    assert_eq!(runner.say("start", &job, json!({})).status, 200);
    assert_eq!(runner.say("error", &job, json!({ "error_message": "no paper" })).status, 200);
}

#[test]
fn without_waiting_the_id_is_the_answer() {
    let server = Server::start();
    let first = ran(&mut about(&server, &["submit", "t", r#"{"a": 1}"#])).is(0);
    assert_eq!(first.answer().len(), 36, "{first:?}");
    assert_eq!(first.stderr, "the job waits for a runner\n");
    let second = ran(&mut about(&server, &["submit", "t", r#"{"a":1.0}"#, "--json"])).is(0);
    assert_eq!(second.json()["job_id"], first.answer());
    assert_eq!(second.json()["status"], "pending");
}

#[test]
fn with_waiting_the_result_is_the_answer_byte_for_byte_and_the_console_is_beside_it() {
    let server = Server::start();
    let waiting = Running::start(&mut about(&server, &["submit", "t", "--wait"]));
    let mut runner = Party::at(server.address()).of_runner("r");
    let job = runner.next("t", 20_000).expect("a job");
    assert_eq!(runner.say("start", &job, json!({})).status, 200);
    let half = json!({ "console_append": "half \u{1b}[31mred\n" });
    assert_eq!(runner.say("heartbeat", &job, half).status, 200);
    wait::until("the console is told while the job goes on", || waiting.told().contains("half"));
    assert!(waiting.said().is_empty());
    let (id, lease) = (job["job_id"].as_str().unwrap(), &job["lease"]);
    let output = r#"{ "words":  1.0, "list": [ 1,2 ] }"#;
    let body = format!(r#"{{"lease": {lease}, "output_data": {output}}}"#);
    assert_eq!(runner.ask("POST", &format!("/api/runner/jobs/{id}/complete"), body.as_bytes()).status, 200);
    let outcome = waiting.ended().is(0);
    assert_eq!(outcome.answer(), output);
    let told = format!("job {id}: the job waits for a runner\nhalf \u{1b}[31mred\n");
    assert_eq!(outcome.stderr, told, "into a pipe go no bars and no colours but the job's own");
    // Known by now: nobody executes it.
    let again = ran(&mut about(&server, &["submit", "t", "{}", "--wait"])).is(0);
    assert_eq!((again.answer(), again.stderr.as_str()), (output, ""));
}

#[test]
fn a_result_goes_through_a_pipe_to_jq() {
    need!("jq");
    let server = Server::start();
    let line = format!("'{}' submit t @parameters.json --wait | jq .words", binary().display());
    let folder = Folder::new();
    std::fs::write(folder.path().join("parameters.json"), r#"{"text": "to be"}"#).unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", &line]).current_dir(folder.path()).env("PILOTLIGHT_URL", server.url());
    let waiting = Running::start(&mut shell);
    let job = executes(&server, &json!({ "words": 2 }));
    assert_eq!(job["input_params"], json!({ "text": "to be" }));
    assert_eq!(waiting.ended().is(0).answer(), "2");
}

#[test]
fn parameters_come_from_stdin_too_and_wrong_ones_are_exit_code_2() {
    let server = Server::start();
    let mut command = about(&server, &["submit", "t", "-"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the binary starts");
    child.stdin.take().unwrap().write_all(b"[1, 2]").unwrap();
    let output = child.wait_with_output().unwrap();
    let id = String::from_utf8(output.stdout).unwrap();
    let shown = ran(&mut about(&server, &["jobs", "show", id.trim(), "--json"])).is(0);
    assert_eq!(shown.json()["input_params"], json!([1, 2]));
    for (wrong, told) in [
        ("{", "they are not JSON at line 1"),
        ("1", "neither an object nor a list"),
        ("@/no/such/file", "failed to read /no/such/file"),
    ] {
        ran(&mut about(&server, &["submit", "t", wrong])).telling(2, told);
    }
    ran(&mut about(&server, &["submit", " ", "{}"])).is(2);
    let large = format!(r#"{{"a": "{}"}}"#, "x".repeat(100 * 1024));
    ran(&mut about(&server, &["submit", "t", &large])).telling(2, "input_params");
}

#[test]
fn a_job_that_failed_is_exit_code_1_and_its_error() {
    let server = Server::start();
    let waiting = Running::start(&mut about(&server, &["submit", "t", "--wait"]));
    fails(&server);
    let outcome = waiting.ended().telling(1, "failed: no paper");
    assert_eq!(outcome.stdout, "");
    let known = ran(&mut about(&server, &["submit", "t"])).telling(1, "failed: no paper");
    assert_eq!(known.answer().len(), 36);
    assert!(known.stderr.contains("--fresh"), "{known:?}");
    let json = ran(&mut about(&server, &["submit", "t", "--wait", "--json"])).is(1).json();
    assert_eq!((&json["status"], &json["error"]), (&json!("failed"), &json!("no paper")));
}

#[test]
fn what_takes_too_long_is_exit_code_6_and_goes_on() {
    let server = Server::start();
    let outcome = ran(&mut about(&server, &["submit", "t", "--wait", "--timeout", "200ms"])).is(6);
    assert!(outcome.stderr.contains("pilotlight jobs tail"), "{outcome:?}");
    let listed = ran(&mut about(&server, &["jobs", "list", "--json"])).is(0).json();
    assert_eq!(listed["jobs"][0]["status"], "pending");
}

#[test]
fn every_wish_arrives() {
    let server = Server::start();
    let submit = |more: &[&str]| {
        let arguments = [&["submit", "t", "{}"], more].concat();
        ran(&mut about(&server, &arguments)).is(0).answer().to_owned()
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
    let job = ran(&mut about(&server, &["jobs", "show", &id, "--json"])).is(0).json();
    assert_eq!((&job["priority"], &job["max_attempts"]), (&json!(-5), &json!(3)));
    assert_eq!(job["run_at"], json!(4_102_444_800_000_u64));
    let other = submit(&["--code-version", "v2", "--delay", "1h"]);
    assert_ne!(other, id);
    let job = ran(&mut about(&server, &["jobs", "show", &other, "--json"])).is(0).json();
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
        ran(&mut about(&server, &[&["submit", "t", "{}"], wrong].concat())).is(2);
    }
}

#[test]
fn whoever_waits_goes_on_waiting_when_the_service_restarts() {
    let place = Place::new();
    let server = place.serve(&[]);
    let waiting = Running::start(&mut at(&place.url(), &["submit", "t", "--wait"]));
    wait::until("it waits", || waiting.told().contains("the job waits"));
    drop(server);
    wait::until("it reports that the service is unreachable", || waiting.told().contains("trying again"));
    let server = place.serve(&[]);
    executes(&server, &json!({ "words": 3 }));
    let outcome = waiting.ended().is(0);
    assert_eq!(outcome.json(), json!({ "words": 3 }));
    assert_eq!(outcome.stderr.matches("half\n").count(), 1, "{outcome:?}");
}

#[test]
fn where_too_many_watch_the_end_is_waited_for() {
    let server = Server::start();
    let id = ran(&mut about(&server, &["submit", "t", r#"{"n": 1}"#])).is(0).answer().to_owned();
    let watcher = |_| {
        let mut watcher = Party::at(server.address());
        watcher.send("GET", &format!("/api/jobs/{id}/events"), b"").expect("it is there");
        watcher.answer_is_there();
        watcher
    };
    let _watchers: Vec<_> = (0..256).map(watcher).collect();
    let waiting = Running::start(&mut about(&server, &["jobs", "tail", &id]));
    let job = executes(&server, &json!({ "words": 3 }));
    assert_eq!(job["job_id"], id.as_str());
    waiting.ended().is(0);
}

#[test]
fn a_submission_whose_answer_is_lost_is_one_caller() {
    let server = Server::start();
    let way = Lossy::to(server.address(), "POST /api/jobs/submit");
    let id = ran(&mut at(&way.url(), &["submit", "t"])).is(0).answer().to_owned();
    assert!(way.has_lost());
    ran(&mut about(&server, &["jobs", "cancel", &id])).is(0);
    assert_eq!(Party::at(server.address()).job(&id)["status"], "failed", "another caller is left");
}

#[test]
fn nobody_who_reads_is_exit_code_141_without_a_word() {
    let server = Server::start();
    let waiting = Running::closed(&mut about(&server, &["submit", "t", "--wait"]));
    executes(&server, &json!({ "words": 3 }));
    waiting.ended().is(141);
    for arguments in
        [&["jobs", "list"] as &[_], &["status"], &["explain"], &["config"], &["completions", "bash"]]
    {
        Running::closed_from_the_start(&mut about(&server, arguments)).ended().is(141);
    }
}
