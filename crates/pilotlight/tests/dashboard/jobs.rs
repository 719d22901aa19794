//! Jobs on the dashboard, in a real browser.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::browser::{Browser, ColorScheme};
use pilotlight_testkit::need;
use pilotlight_testkit::server::TestServer;
use serde_json::{Value, json};

pub(super) const TYPE: &str = "hello_world";

fn runner(server: &TestServer) -> ApiClient {
    ApiClient::at(server.address()).as_runner("runner-1")
}

/// Submits through the form, and returns the id of the job that the page then shows.
pub(super) fn submit(browser: &mut Browser, job_type: &str, input: &str) -> String {
    browser.click("link", "Jobs");
    browser.click("link", "Submit a job");
    browser.fill("Type", job_type);
    browser.fill("Parameters", input);
    browser.click("button", "Submit");
    shown_job(browser)
}

/// The id of the job that the page shows.
fn shown_job(browser: &mut Browser) -> String {
    browser.wait_until("document.querySelector('[data-test=status]')");
    let id = browser.eval("location.hash.replace('#/jobs/', '')");
    id.as_str().expect("a text").to_owned()
}

/// Waits until the element with this `data-test` attribute contains the text.
fn wait_for_text_in(browser: &mut Browser, test_id: &str, text: &str) {
    let text = Value::from(text);
    browser
        .wait_until(&format!("document.querySelector('[data-test={test_id}]')?.innerText.includes({text})"));
}

#[test]
fn a_job_is_submitted_and_followed_and_the_second_submission_is_cached() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    let id = submit(&mut browser, TYPE, r#"{"name": "World", "n": 12345678901234567890}"#);
    wait_for_text_in(&mut browser, "submission-outcome", "New: no equal job is cached or under way.");
    wait_for_text_in(&mut browser, "status", "Pending");
    // A JavaScript number would lose digits of this one.
    wait_for_text_in(&mut browser, "parameters", "\"n\": 12345678901234567890");

    let mut runner = runner(&server);
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    assert_eq!(job["job_id"], id.as_str());
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    wait_for_text_in(&mut browser, "status", "Claimed");
    let heartbeat = json!({ "progress_current": 1, "progress_total": 4, "console_append": "first line\n" });
    assert_eq!(runner.report("heartbeat", &job, heartbeat).status, 200);
    wait_for_text_in(&mut browser, "progress", "1 of 4 (25.0 %)");
    wait_for_text_in(&mut browser, "console", "first line");
    wait_for_text_in(&mut browser, "status", "In progress");
    let heartbeat = json!({ "progress_current": 3, "progress_total": 4, "console_append": "second line\n" });
    assert_eq!(runner.report("heartbeat", &job, heartbeat).status, 200);
    wait_for_text_in(&mut browser, "progress", "3 of 4 (75.0 %)");
    wait_for_text_in(&mut browser, "console", "second line");
    let bar = "document.querySelector('[role=progressbar]').getAttribute('aria-valuenow')";
    assert_eq!(browser.eval(bar), "75");
    let done = json!({ "output_data": { "greeting": "Hello, World" } });
    assert_eq!(runner.report("complete", &job, done).status, 200);
    wait_for_text_in(&mut browser, "status", "Completed");
    wait_for_text_in(&mut browser, "result", "\"greeting\": \"Hello, World\"");
    wait_for_text_in(&mut browser, "timeline", "Leased to runner-1");
    wait_for_text_in(&mut browser, "console", "first line\nsecond line");

    // The same parameters in another order.
    let second = submit(&mut browser, TYPE, r#"{"n": 12345678901234567890, "name": "World"}"#);
    assert_eq!(second, id);
    wait_for_text_in(&mut browser, "submission-outcome", "From the cache: computed on");
    browser.wait_until(
        "/, saved [0-9.]+ m?s/.test(document.querySelector('[data-test=submission-outcome]').innerText)",
    );
    assert!(server.metric("pilotlight_jobs_saved_seconds_total") > 0.0);
    browser.click("link", "Jobs");
    wait_for_text_in(&mut browser, "cache-rate", "50.0 %");
    wait_for_text_in(&mut browser, "count-completed", "1");
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

#[test]
fn a_job_is_cancelled_run_again_and_deleted() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Dark);
    let id = submit(&mut browser, TYPE, "{}");
    browser.click("button", "Cancel…");
    browser.wait_for_text("Cancel this job?");
    browser.click("button", "Cancel the job");
    browser.wait_for_text("The job is cancelled.");
    wait_for_text_in(&mut browser, "status", "Failed");
    wait_for_text_in(&mut browser, "job-error", "cancelled");
    wait_for_text_in(&mut browser, "timeline", "Cancelled");
    let mut operator = ApiClient::at(server.address());
    assert_eq!(operator.job(&id)["error"], "cancelled");

    browser.click("button", "Run again");
    wait_for_text_in(&mut browser, "status", "Pending");
    wait_for_text_in(&mut browser, "submission-outcome", "Computed again");
    let other = shown_job(&mut browser);
    assert_ne!(other, id);
    browser.click("button", "Delete…");
    browser.click("button", "Delete the job");
    browser.wait_for_text("The job is deleted.");
    browser.wait_until("location.hash === '#/jobs'");
    assert_eq!(operator.get(&format!("/api/jobs/{other}")).status, 404);
    assert_eq!(operator.get(&format!("/api/jobs/{id}")).status, 200);
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

#[test]
fn the_page_shows_untrusted_text_as_text() {
    need!("node", "chromium", "browser");
    const EVIL: &str = "<img src=x onerror=\"window.pwned=1\"><script>window.pwned=1</script>";
    let server = TestServer::start();
    let mut runner = runner(&server);
    let registered = runner.post("/api/runner/register", &json!({ "name": EVIL, "capabilities": [EVIL] }));
    assert_eq!(registered.status, 201);
    let submitted = ApiClient::at(server.address()).submit("evil<b>type</b>", &json!({ EVIL: [EVIL] }));
    let job = runner.next_job("evil%3Cb%3Etype%3C%2Fb%3E", 10_000).expect("a job");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    assert_eq!(runner.report("heartbeat", &job, json!({ "console_output": EVIL })).status, 200);
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.click("link", "Jobs");
    browser.wait_for_text("evil<b>type</b>");
    browser.wait_for_text(EVIL);
    let id = submitted["job_id"].as_str().expect("an id");
    browser.eval(&format!("location.hash = '#/jobs/{id}'"));
    wait_for_text_in(&mut browser, "console", EVIL);
    wait_for_text_in(&mut browser, "parameters", "<img src=x onerror=");
    let done = json!({ "output_data": { "o": EVIL }, "console_output": "" });
    assert_eq!(runner.report("complete", &job, done).status, 200);
    wait_for_text_in(&mut browser, "result", "<script>");
    let is_executed =
        "window.pwned !== undefined || document.querySelector('#app img, #app script, #app b b') !== null";
    assert_eq!(browser.eval(is_executed), false);
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

#[test]
fn the_list_is_filtered_by_status_and_updated_live() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.click("link", "Jobs");
    browser.wait_for_text("No job was submitted yet.");
    browser.wait_for_text("No runner has registered.");
    let mut caller = ApiClient::at(server.address());
    (0..3).for_each(|n| _ = caller.submit(TYPE, &json!({ "n": n })));
    let rows = "[...document.querySelectorAll('[aria-label=\"Jobs\"] tbody tr')]";
    browser.wait_until(&format!("{rows}.length === 3"));
    wait_for_text_in(&mut browser, "count-pending", "3");
    let mut runner = runner(&server);
    runner.execute(TYPE, &json!({ "done": true }));
    browser.click("button", "Completed 1");
    browser.wait_until(&format!("{rows}.length === 1 && {rows}[0].innerText.includes('Completed')"));
    browser.click("button", "Failed 0");
    browser.wait_for_text("No job has this status.");
    browser.click("button", "Show all");
    browser.wait_until(&format!("{rows}.length === 3"));
    let registered = json!({ "name": "gpu-box", "capabilities": [TYPE] });
    assert_eq!(runner.post("/api/runner/register", &registered).status, 201);
    // The runner is listed with the next change of a job.
    caller.submit(TYPE, &json!({ "n": 3 }));
    browser.wait_for_text("gpu-box");
    browser.click("link", "gpu-box");
    browser.wait_for_text("This runner has had no job yet.");
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

#[test]
fn parameters_that_are_not_json_are_not_sent() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.click("link", "Jobs");
    browser.click("link", "Submit a job");
    browser.fill("Type", TYPE);
    let disabled = "document.querySelector('.submit [type=submit]').disabled";
    for (input, message) in [("{\"n\": 1", "This is not JSON"), ("7", "Parameters must be an object")] {
        browser.fill("Parameters", input);
        browser.wait_for_text(message);
        assert_eq!(browser.eval(disabled), true, "{input}");
    }
    browser.fill("Parameters", "[1]");
    browser.wait_for_text("Valid JSON.");
    assert_eq!(browser.eval(disabled), false);
}

#[test]
fn a_capability_that_is_not_served_is_not_shown() {
    need!("node", "chromium", "browser");
    let jobs = TestServer::with_arguments(&["--only", "jobs,dashboard"], &[]);
    let mut browser = Browser::showing(&jobs, ColorScheme::Light);
    browser.wait_for_text("No job was submitted yet.");
    assert_eq!(browser.eval("document.body.innerText.includes('Warm starts')"), false);
    let runs = TestServer::with_arguments(&["--only", "warm-start,dashboard"], &[]);
    let mut browser = Browser::showing(&runs, ColorScheme::Light);
    browser.eval("location.hash = '#/jobs'");
    browser.wait_for_text("No runner is waiting.");
    assert_eq!(browser.eval("document.querySelector('nav') === null"), true);
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

fn check_accessibility(scheme: ColorScheme) {
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, scheme);
    let check = |browser: &mut Browser, state: &str| {
        let violations = browser.accessibility_violations();
        assert_eq!(violations, json!([]), "{state}: {violations:#}");
    };
    browser.click("link", "Jobs");
    browser.wait_for_text("No job was submitted yet.");
    check(&mut browser, "empty");
    let id = submit(&mut browser, TYPE, "{}");
    let mut runner = runner(&server);
    let registered = json!({ "name": "gpu-box", "capabilities": [TYPE] });
    assert_eq!(runner.post("/api/runner/register", &registered).status, 201);
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    let heartbeat = json!({ "progress_current": 1, "progress_total": 4, "console_append": "a line\n" });
    assert_eq!(runner.report("heartbeat", &job, heartbeat).status, 200);
    wait_for_text_in(&mut browser, "console", "a line");
    check(&mut browser, "under way");
    browser.click("button", "Cancel…");
    browser.wait_for_text("Cancel this job?");
    check(&mut browser, "cancelling");
    browser.press("Escape");
    let failed = json!({ "error_message": "it broke" });
    assert_eq!(runner.report("error", &job, failed).status, 200);
    wait_for_text_in(&mut browser, "job-error", "it broke");
    check(&mut browser, "failed");
    browser.click("link", "Jobs");
    browser.wait_for_text("gpu-box");
    wait_for_text_in(&mut browser, "count-failed", "1");
    check(&mut browser, "busy");
    browser.click("link", "Submit a job");
    browser.fill("Parameters", "{");
    browser.wait_for_text("This is not JSON");
    check(&mut browser, "submitting");
    assert_eq!(ApiClient::at(server.address()).job(&id)["error"], "it broke");
}

#[test]
fn the_light_jobs_page_has_no_accessibility_violations() {
    need!("node", "chromium", "browser");
    check_accessibility(ColorScheme::Light);
}

#[test]
fn the_dark_jobs_page_has_no_accessibility_violations() {
    need!("node", "chromium", "browser");
    check_accessibility(ColorScheme::Dark);
}
