//! `pilotlight jobs`: what is done with jobs that were submitted.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{CommandResult, RunningCommand, command_for, run_to_end};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

use super::submit::executes;

fn jobs(server: &TestServer, arguments: &[&str]) -> CommandResult {
    run_to_end(&mut command_for(server, &[&["jobs"], arguments].concat()))
}

fn submitted(server: &TestServer, job_type: &str, input: &Value) -> String {
    let told = ApiClient::at(server.address()).submit(job_type, input);
    told["job_id"].as_str().expect("an id").to_owned()
}

#[test]
fn a_list_is_a_table_of_the_newest_first() {
    let server = TestServer::start();
    assert_eq!(jobs(&server, &["list"]).failed_with(0, "no matching jobs").stdout, "");
    let old = submitted(&server, "t", &json!({}));
    executes(&server, &json!({}));
    let young = submitted(&server, "evil\u{1b}[2J\ntype", &json!({}));
    let list = jobs(&server, &["list"]).exited_with(0).stdout;
    let lines: Vec<Vec<_>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["ID", "TYPE", "STATUS", "AGE", "CHANGED", "RUNNER"]);
    assert_eq!(lines[1][..3], [young.as_str(), "evil\u{241b}[2J\u{240a}type", "pending"]);
    assert_eq!(lines[2][..3], [old.as_str(), "t", "completed"]);
    assert!(!list.contains('\u{1b}'), "{list:?}");
    let ids = |arguments: &[&str]| {
        let told = jobs(&server, &[&["list", "--json"], arguments].concat()).exited_with(0).json();
        told["jobs"].as_array().unwrap().iter().map(|job| job["job_id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["--status", "completed"]), [json!(old)]);
    assert_eq!(ids(&["--type", "t"]), [json!(old)]);
    assert_eq!(ids(&["--type", "none"]), [] as [Value; 0]);
    assert_eq!(ids(&["--limit", "1"]), [json!(young)]);
    jobs(&server, &["list", "--limit", "1"]).failed_with(0, "1 of 2 jobs");
    jobs(&server, &["list", "--status", "done"]).exited_with(2);
    jobs(&server, &["list", "--limit", "1001"]).exited_with(2);
}

#[test]
fn a_jobs_page_shows_all_its_fields() {
    let server = TestServer::start();
    let id = submitted(&server, "t", &json!({ "text": "to be" }));
    executes(&server, &json!({ "words": 2 }));
    let shown = jobs(&server, &["show", &id]).exited_with(0).stdout;
    for told in
        [id.as_str(), "completed", r#"{"text":"to be"}"#, "half\n  whole", r#"{"words":2}"#, "runner:"]
    {
        assert!(shown.contains(told), "no {told} in\n{shown}");
    }
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(
        jobs(&server, &["show", &id, "--json"]).exited_with(0).json()["output_data"],
        json!({ "words": 2 })
    );
}

#[test]
fn the_beginning_of_an_id_means_the_one_job_that_begins_so() {
    let server = TestServer::start();
    let id = submitted(&server, "t", &json!({}));
    assert!(jobs(&server, &["show", &id[..20].to_uppercase()]).exited_with(0).stdout.contains(&id));
    let other = submitted(&server, "t", &json!({ "n": 2 }));
    let same = id.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    jobs(&server, &["show", &id[..same]]).failed_with(2, &other);
    jobs(&server, &["show", &id[..=same]]).exited_with(0);
    jobs(&server, &["show", "ffffffff"]).failed_with(5, "none of the newest 1000 jobs");
    jobs(&server, &["show", "ff"]).failed_with(2, "not a job id");
    jobs(&server, &["show", "not an id"]).failed_with(2, "not a job id");
    jobs(&server, &["show", "01a20681-acd5-762c-9b72-7f07513da332"]).failed_with(5, "no such job");
}

#[test]
fn a_tail_writes_what_the_job_writes_until_it_ends() {
    let server = TestServer::start();
    let id = submitted(&server, "t", &json!({}));
    let tailing = RunningCommand::start(&mut command_for(&server, &["jobs", "tail", &id]));
    let events = RunningCommand::start(&mut command_for(&server, &["jobs", "tail", &id, "--json"]));
    wait_until("it follows", || !events.stdout().is_empty());
    executes(&server, &json!({ "words": 2 }));
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
    let other = submitted(&server, "t", &json!({ "n": 2 }));
    jobs(&server, &["tail", &other, "--timeout", "100ms"]).exited_with(6);
    assert_eq!(jobs(&server, &["cancel", &other]).exited_with(0).stdout_line(), "the job is cancelled");
    jobs(&server, &["tail", &other]).failed_with(1, "failed: cancelled");
}

#[test]
fn a_job_that_has_ended_cannot_be_cancelled() {
    let server = TestServer::start();
    let id = submitted(&server, "t", &json!({}));
    executes(&server, &json!({}));
    jobs(&server, &["cancel", &id]).failed_with(1, "failed to cancel the job");
    assert_eq!(jobs(&server, &["cancel", &id, "--json"]).exited_with(1).json()["status"], "completed");
}

#[test]
fn a_retry_computes_the_same_again() {
    let server = TestServer::start();
    let input = json!({ "text": "to be" });
    let old = ApiClient::at(server.address()).submit_with(
        "t",
        &input,
        &json!({ "priority": 4, "max_attempts": 2 }),
    );
    let old = old.1["job_id"].as_str().expect("an id").to_owned();
    executes(&server, &json!({ "words": 1 }));
    let retrying = RunningCommand::start(&mut command_for(&server, &["jobs", "retry", &old, "--wait"]));
    let job = executes(&server, &json!({ "words": 2 }));
    assert_eq!(retrying.wait_for_exit().exited_with(0).json(), json!({ "words": 2 }));
    assert_eq!(job["input_params"], input);
    let young = job["job_id"].as_str().unwrap();
    assert_ne!(young, old);
    let shown = jobs(&server, &["show", young, "--json"]).exited_with(0).json();
    assert_eq!((&shown["priority"], &shown["max_attempts"]), (&json!(4), &json!(2)));
    // It is what equal submissions find now.
    assert_eq!(
        ApiClient::at(server.address()).submit("t", &input)["result"]["output_data"],
        json!({ "words": 2 })
    );
}

#[test]
fn jobs_are_deleted_when_somebody_says_yes() {
    let server = TestServer::start();
    let ids = [1, 2].map(|n| submitted(&server, "t", &json!({ "n": n })));
    jobs(&server, &["delete", &ids[0]]).failed_with(2, "--yes");
    assert_eq!(
        jobs(&server, &["delete", &ids[0], &ids[1], "--yes"]).exited_with(0).stdout_line(),
        "2 deleted, 0 not found"
    );
    jobs(&server, &["delete", &ids[0], "-y"]).failed_with(5, &ids[0]);
    let told = jobs(&server, &["delete", &ids[0], "-y", "--json"]).exited_with(5).json();
    assert_eq!((&told["deleted"], &told["failed"]), (&json!(0), &json!([ids[0]])));
}
