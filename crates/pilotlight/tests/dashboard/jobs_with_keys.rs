//! Jobs on the dashboard when keys are configured: only a signed-in operator may use them. Also jobs on the operators'
//! own address, and job events in the dashboard's event stream.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::browser::{Browser, ColorScheme};
use pilotlight_testkit::event_stream::EventStream;
use pilotlight_testkit::need;
use pilotlight_testkit::server::TestServer;
use serde_json::json;

use super::jobs::{TYPE, submit};

const ADMIN: &str = "the key of an operator";
const RUNNER: &str = "the key of a runner";
const KEYS: [(&str, &str); 3] =
    [("ADMIN_API_KEY", ADMIN), ("RUNNER_API_KEY", RUNNER), ("SUBMIT_API_KEY", "the key of a caller")];

/// JavaScript that submits a job without the page's token, and returns the status.
const SUBMIT_STATUS: &str = "(await fetch('/api/jobs/submit', { method: 'POST', body: '{\"job_type\":\"t\",\"input_params\":{}}' })).status";
/// JavaScript that lists jobs without the page's token, and returns the status.
const LIST_STATUS: &str = "(await fetch('/api/admin/jobs')).status";

fn sign_in(browser: &mut Browser) {
    browser.wait_for_text("Admin key");
    browser.fill("Admin key", ADMIN);
    browser.press("Enter");
    browser.wait_until("document.querySelector('.connection.live')");
}

/// Submits a job on the page, and waits until the page shows its console, progress and result.
fn submit_and_follow(browser: &mut Browser, runner: &mut ApiClient) {
    let id = submit(browser, TYPE, "{\"n\": 1}");
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    assert_eq!(job["job_id"], id.as_str());
    let heartbeat =
        json!({ "progress_current": 1, "progress_total": 2, "console_append": "by the session\n" });
    assert_eq!(runner.report("heartbeat", &job, heartbeat).status, 200);
    browser.wait_for_text("by the session");
    browser.wait_for_text("1 of 2 (50.0 %)");
    assert_eq!(runner.report("complete", &job, json!({ "output_data": { "all": "well" } })).status, 200);
    browser.wait_for_text("\"all\": \"well\"");
}

#[test]
fn only_a_signed_in_operator_submits_and_follows_jobs() {
    need!("node", "chromium", "browser");
    let server = TestServer::with(&KEYS);
    let mut browser = Browser::start(ColorScheme::Light);
    browser.open(&server);
    browser.wait_for_text("Admin key");
    assert_eq!(browser.eval(SUBMIT_STATUS), 401);
    assert_eq!(browser.eval(LIST_STATUS), 401);
    sign_in(&mut browser);
    // Another page could send a request with the session's cookie alone.
    assert_eq!(browser.eval(SUBMIT_STATUS), 403);
    assert_eq!(browser.eval(LIST_STATUS), 200);
    let mut runner = ApiClient::at(server.address()).with_key(RUNNER).as_runner("runner-1");
    submit_and_follow(&mut browser, &mut runner);
    browser.click("button", "Sign out");
    browser.wait_for_text("Admin key");
    assert_eq!(browser.eval(LIST_STATUS), 401);
}

#[test]
fn the_page_on_the_operators_address_submits_and_follows_jobs() {
    need!("node", "chromium", "browser");
    let server = TestServer::with(&[("PILOTLIGHT_SERVER_CONTROL", "127.0.0.1:0")]);
    let mut browser = Browser::start(ColorScheme::Light);
    browser.open_url(&format!("http://{}", server.control_address()));
    browser.wait_until("document.querySelector('.connection.live')");
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    submit_and_follow(&mut browser, &mut runner);
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

#[test]
fn job_outcomes_are_streamed_live() {
    let server = TestServer::start();
    let mut events = EventStream::at(server.connect(), "/api/dashboard/events");
    let jobs = events.until(|(name, data)| (name == "snapshot").then(|| data["jobs"].clone()));
    assert_eq!(jobs["totals"]["new"], 0);
    let mut caller = ApiClient::at(server.address());
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    caller.submit(TYPE, &json!({}));
    caller.submit(TYPE, &json!({}));
    runner.execute(TYPE, &json!({ "done": true }));
    caller.submit(TYPE, &json!({}));
    let update = events.until(|(_, data)| {
        let jobs = &data["jobs"];
        (jobs["totals"]["cached"] == 1 && jobs["counts"]["jobs"]["completed"] == 1).then(|| jobs.clone())
    });
    for (outcome, count) in [("new", 1), ("joined", 1), ("completed", 1), ("failed", 0)] {
        assert_eq!(update["totals"][outcome], count, "{outcome}");
    }
    let snapshot = EventStream::at(server.connect(), "/api/dashboard/events")
        .until(|(name, data)| (name == "snapshot").then(|| data["jobs"].clone()));
    let sum = |field: &str| -> u64 {
        let buckets = snapshot["series"].as_array().expect("a list").iter();
        buckets.map(|bucket| bucket[field].as_u64().expect("a number")).sum()
    };
    assert_eq!((sum("new"), sum("joined"), sum("cached"), sum("completed")), (1, 1, 1, 1));
    assert_eq!(sum("savedMs"), snapshot["totals"]["savedMs"].as_u64().expect("a number"));
}

#[test]
fn without_the_jobs_capability_no_jobs_are_streamed() {
    let server = TestServer::with_arguments(&["--only", "warm-start,dashboard"], &[]);
    let mut events = EventStream::at(server.connect(), "/api/dashboard/events");
    let snapshot = events.until(|(name, data)| (name == "snapshot").then(|| data.clone()));
    assert_eq!((&snapshot["jobs"], &snapshot["serves"]["jobs"]), (&json!(null), &json!(false)));
    assert_eq!(snapshot["serves"]["warmStarts"], true);
}

#[test]
fn a_job_that_is_run_again_has_the_same_parameters_and_code_version() {
    let server = TestServer::start();
    let mut client = ApiClient::at(server.address()).as_runner("runner-1");
    let version = json!({ "code_version": "v2", "priority": 7 });
    let (_, first) = client.submit_with(TYPE, &json!({ "n": 1.0 }), &version);
    client.execute(TYPE, &json!({ "is": "old" }));
    let id = first["job_id"].as_str().expect("an id");
    let again = client.post(&format!("/api/admin/jobs/{id}/again"), &json!({}));
    assert_eq!(again.status, 201, "{again:?}");
    assert_ne!(again.json()["job_id"], id);
    let job = client.execute(TYPE, &json!({ "is": "new" }));
    assert_eq!(job["input_params"], json!({ "n": 1.0 }));
    let (status, cached) = client.submit_with(TYPE, &json!({ "n": 1 }), &version);
    assert_eq!((status, &cached["result"]["output_data"]), (200, &json!({ "is": "new" })));
    let (status, _) = client.submit_with(TYPE, &json!({ "n": 1 }), &json!({}));
    assert_eq!(status, 201, "a submission without the code version is another job");
    assert_eq!(client.post("/api/admin/jobs/none/again", &json!({})).status, 404);
}
