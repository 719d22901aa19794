//! `pilotlight jobs`: list, show, tail, cancel, retry and delete submitted jobs.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{CommandResult, RunningCommand, command_for, run_to_end};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

use super::submit::execute_next_job;

fn jobs(server: &TestServer, arguments: &[&str]) -> CommandResult {
    run_to_end(&mut command_for(server, &[&["jobs"], arguments].concat()))
}

/// Submits a job and returns its id.
fn submit(server: &TestServer, job_type: &str, input: &Value) -> String {
    let response = ApiClient::at(server.address()).submit(job_type, input);
    response["job_id"].as_str().expect("job_id is a string").to_owned()
}

#[test]
fn a_list_is_a_table_with_the_newest_job_first() {
    let server = TestServer::start();
    assert_eq!(jobs(&server, &["list"]).failed_with(0, "no matching jobs").stdout, "");
    let old = submit(&server, "t", &json!({}));
    execute_next_job(&server, &json!({}));
    let new = submit(&server, "evil\u{1b}[2J\ntype", &json!({}));
    let list = jobs(&server, &["list"]).exited_with(0).stdout;
    let lines: Vec<Vec<_>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "TYPE", "STATUS", "AGE", "CHANGED", "RUNNER"]);
    assert_eq!(lines[1][..3], [new.as_str(), "evil\u{241b}[2J\u{240a}type", "pending"]);
    assert_eq!(lines[2][..3], [old.as_str(), "t", "completed"]);
    assert!(!list.contains('\u{1b}'), "{list:?}");
    let ids = |arguments: &[&str]| {
        let list = jobs(&server, &[&["list", "--json"], arguments].concat()).exited_with(0).json();
        list["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--status", "completed"]), [json!(old)]);
    assert_eq!(ids(&["--type", "t"]), [json!(old)]);
    assert_eq!(ids(&["--type", "none"]), [] as [Value; 0]);
    assert_eq!(ids(&["--limit", "1"]), [json!(new)]);
    jobs(&server, &["list", "--limit", "1"]).failed_with(0, "1 of 2 jobs");
    jobs(&server, &["list", "--status", "done"]).exited_with(2);
    jobs(&server, &["list", "--limit", "1001"]).exited_with(2);
}

#[test]
fn show_prints_all_fields_of_a_job() {
    let server = TestServer::start();
    let id = submit(&server, "t", &json!({ "text": "to be" }));
    execute_next_job(&server, &json!({ "words": 2 }));
    let shown = jobs(&server, &["show", &id]).exited_with(0).stdout;
    for expected in
        [id.as_str(), "completed", r#"{"text":"to be"}"#, "half\n  whole", r#"{"words":2}"#, "runner:"]
    {
        assert!(shown.contains(expected), "no {expected} in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(
        jobs(&server, &["show", &id, "--json"]).exited_with(0).json()["output_data"],
        json!({ "words": 2 })
    );
}

#[test]
fn an_unambiguous_id_prefix_selects_the_job() {
    let server = TestServer::start();
    let id = submit(&server, "t", &json!({}));
    assert!(jobs(&server, &["show", &id[..20].to_uppercase()]).exited_with(0).stdout.contains(&id));
    let other = submit(&server, "t", &json!({ "n": 2 }));
    let common = id.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    jobs(&server, &["show", &id[..common]]).failed_with(2, &other);
    jobs(&server, &["show", &id[..=common]]).exited_with(0);
    jobs(&server, &["show", "ffffffff"]).failed_with(5, "none of the newest 1000 jobs");
    jobs(&server, &["show", "ff"]).failed_with(2, "not a job id");
    jobs(&server, &["show", "not an id"]).failed_with(2, "not a job id");
    jobs(&server, &["show", "01a20681-acd5-762c-9b72-7f07513da332"]).failed_with(5, "no such job");
}

#[test]
fn a_tail_writes_the_console_output_of_a_job_until_its_end() {
    let server = TestServer::start();
    let id = submit(&server, "t", &json!({}));
    let tailing = RunningCommand::start(&mut command_for(&server, &["jobs", "tail", &id]));
    let events = RunningCommand::start(&mut command_for(&server, &["jobs", "tail", &id, "--json"]));
    wait_until("the tail has received its first event", || !events.stdout().is_empty());
    execute_next_job(&server, &json!({ "words": 2 }));
    assert_eq!(tailing.wait_for_exit().exited_with(0).stdout, "half\nwhole\n");
    let events: Vec<Value> = events
        .wait_for_exit()
        .exited_with(0)
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(events[0]["data"]["status"], "pending");
    let last = events.last().unwrap();
    assert_eq!((&last["event"], &last["data"]["status"]), (&json!("status"), &json!("completed")));
    let console = events.iter().filter(|event| event["event"] == "console");
    let text: String = console.map(|event| event["data"]["text"].as_str().unwrap()).collect();
    assert_eq!(text, "half\nwhole\n");
    let other = submit(&server, "t", &json!({ "n": 2 }));
    jobs(&server, &["tail", &other, "--timeout", "100ms"]).exited_with(6);
    assert_eq!(jobs(&server, &["cancel", &other]).exited_with(0).stdout_line(), "the job is cancelled");
    jobs(&server, &["tail", &other]).failed_with(1, "failed: cancelled");
}

#[test]
fn a_job_that_has_ended_cannot_be_cancelled() {
    let server = TestServer::start();
    let id = submit(&server, "t", &json!({}));
    execute_next_job(&server, &json!({}));
    jobs(&server, &["cancel", &id]).failed_with(1, "failed to cancel the job");
    assert_eq!(jobs(&server, &["cancel", &id, "--json"]).exited_with(1).json()["status"], "completed");
}

#[test]
fn a_retry_executes_a_job_with_the_same_parameters_again() {
    let server = TestServer::start();
    let input = json!({ "text": "to be" });
    let old = ApiClient::at(server.address()).submit_with(
        "t",
        &input,
        &json!({ "priority": 4, "max_attempts": 2 }),
    );
    let old = old.1["job_id"].as_str().expect("job_id is a string").to_owned();
    execute_next_job(&server, &json!({ "words": 1 }));
    let retrying = RunningCommand::start(&mut command_for(&server, &["jobs", "retry", &old, "--wait"]));
    let job = execute_next_job(&server, &json!({ "words": 2 }));
    assert_eq!(retrying.wait_for_exit().exited_with(0).json(), json!({ "words": 2 }));
    assert_eq!(job["input_params"], input);
    let new = job["job_id"].as_str().unwrap();
    assert_ne!(new, old);
    let shown = jobs(&server, &["show", new, "--json"]).exited_with(0).json();
    assert_eq!((&shown["priority"], &shown["max_attempts"]), (&json!(4), &json!(2)));
    // Equal submissions get the result of the retry now.
    assert_eq!(
        ApiClient::at(server.address()).submit("t", &input)["result"]["output_data"],
        json!({ "words": 2 })
    );
}

#[test]
fn delete_requires_yes_when_stdin_is_not_a_terminal() {
    let server = TestServer::start();
    let ids = [1, 2].map(|n| submit(&server, "t", &json!({ "n": n })));
    jobs(&server, &["delete", &ids[0]]).failed_with(2, "--yes");
    assert_eq!(
        jobs(&server, &["delete", &ids[0], &ids[1], "--yes"]).exited_with(0).stdout_line(),
        "2 deleted, 0 not found"
    );
    jobs(&server, &["delete", &ids[0], "-y"]).failed_with(5, &ids[0]);
    let report = jobs(&server, &["delete", &ids[0], "-y", "--json"]).exited_with(5).json();
    assert_eq!((&report["deleted"], &report["failed"]), (&json!(0), &json!([ids[0]])));
}
