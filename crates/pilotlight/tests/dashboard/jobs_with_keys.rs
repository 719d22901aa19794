//! Jobs on the page where keys are configured: whoever is signed in may, and nobody else; and at the operators' own
//! address.

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

/// What the page's own requests are answered, without its token.
const SUBMITS: &str = "(await fetch('/api/jobs/submit', { method: 'POST', body: '{\"job_type\":\"t\",\"input_params\":{}}' })).status";
const LISTS: &str = "(await fetch('/api/admin/jobs')).status";

fn sign_in(browser: &mut Browser) {
    browser.wait_for_text("Admin key");
    browser.fill("Admin key", ADMIN);
    browser.press("Enter");
    browser.wait_until("document.querySelector('.connection.live')");
}

/// A job is submitted on the page, and its console comes by the session.
fn submits_and_watches(browser: &mut Browser, runner: &mut ApiClient) {
    let id = submit(browser, TYPE, "{\"n\": 1}");
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    assert_eq!(job["job_id"], id.as_str());
    let said = json!({ "progress_current": 1, "progress_total": 2, "console_append": "by the session\n" });
    assert_eq!(runner.report("heartbeat", &job, said).status, 200);
    browser.wait_for_text("by the session");
    browser.wait_for_text("1 of 2 (50.0 %)");
    assert_eq!(runner.report("complete", &job, json!({ "output_data": { "all": "well" } })).status, 200);
    browser.wait_for_text("\"all\": \"well\"");
}

#[test]
fn only_a_signed_in_operator_submits_and_watches() {
    need!("node", "chromium", "browser");
    let server = TestServer::with(&KEYS);
    let mut browser = Browser::start(ColorScheme::Light);
    browser.open(&server);
    browser.wait_for_text("Admin key");
    assert_eq!(browser.eval(SUBMITS), 401);
    assert_eq!(browser.eval(LISTS), 401);
    sign_in(&mut browser);
    // A session alone could be another page's doing.
    assert_eq!(browser.eval(SUBMITS), 403);
    assert_eq!(browser.eval(LISTS), 200);
    let mut runner = ApiClient::at(server.address()).with_key(RUNNER).as_runner("runner-1");
    submits_and_watches(&mut browser, &mut runner);
    browser.click("button", "Sign out");
    browser.wait_for_text("Admin key");
    assert_eq!(browser.eval(LISTS), 401);
}

#[test]
fn at_the_operators_own_address_the_page_submits_and_watches_too() {
    need!("node", "chromium", "browser");
    let server = TestServer::with(&[("PILOTLIGHT_SERVER_CONTROL", "127.0.0.1:0")]);
    let mut browser = Browser::start(ColorScheme::Light);
    browser.open_url(&format!("http://{}", server.control_address()));
    browser.wait_until("document.querySelector('.connection.live')");
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    submits_and_watches(&mut browser, &mut runner);
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

#[test]
fn job_outcomes_are_streamed_as_they_happen() {
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
    let told = events.until(|(_, data)| {
        let jobs = &data["jobs"];
        (jobs["totals"]["cached"] == 1 && jobs["counts"]["jobs"]["completed"] == 1).then(|| jobs.clone())
    });
    for (what, times) in [("new", 1), ("joined", 1), ("completed", 1), ("failed", 0)] {
        assert_eq!(told["totals"][what], times, "{what}");
    }
    let snapshot = EventStream::at(server.connect(), "/api/dashboard/events")
        .until(|(name, data)| (name == "snapshot").then(|| data["jobs"].clone()));
    let sum = |what: &str| -> u64 {
        let buckets = snapshot["series"].as_array().expect("a list").iter();
        buckets.map(|bucket| bucket[what].as_u64().expect("a number")).sum()
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
fn a_job_that_is_run_again_is_the_same_one_with_its_code_version() {
    let server = TestServer::start();
    let mut party = ApiClient::at(server.address()).as_runner("runner-1");
    let version = json!({ "code_version": "v2", "priority": 7 });
    let (_, first) = party.submit_with(TYPE, &json!({ "n": 1.0 }), &version);
    party.execute(TYPE, &json!({ "is": "old" }));
    let id = first["job_id"].as_str().expect("an id");
    let again = party.post(&format!("/api/admin/jobs/{id}/again"), &json!({}));
    assert_eq!(again.status, 201, "{again:?}");
    assert_ne!(again.json()["job_id"], id);
    let job = party.execute(TYPE, &json!({ "is": "new" }));
    assert_eq!(job["input_params"], json!({ "n": 1.0 }));
    let (status, known) = party.submit_with(TYPE, &json!({ "n": 1 }), &version);
    assert_eq!((status, &known["result"]["output_data"]), (200, &json!({ "is": "new" })));
    let (status, _) = party.submit_with(TYPE, &json!({ "n": 1 }), &json!({}));
    assert_eq!(status, 201, "without its version it is another job");
    assert_eq!(party.post("/api/admin/jobs/none/again", &json!({})).status, 404);
}
