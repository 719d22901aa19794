//! Actions on the dashboard: retiring runners, clearing the history, signing in.
//!
//! The service checks permissions. Tests that fake a session check what the page does with it.

use pilotlight_testkit::browser::{Browser, ColorScheme};
use pilotlight_testkit::need;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::run_message::{DEPLOYMENT, VERSION, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

#[test]
fn a_real_client_that_is_retired_through_the_page_exits() {
    need!("node", "clients", "chromium", "browser");
    let server = TestServer::start();
    let mut runner = NodeRunners::start(&json!({
        "url": server.url(), "runners": ["runner-1"], "deployment": DEPLOYMENT, "version": VERSION,
        "cpu": "0.5", "memory": "0.5",
    }));
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.wait_for_text("runner-1");
    browser.click("button", "Retire…");
    browser.fill("Deployment", DEPLOYMENT);
    browser.fill("Version", VERSION);
    browser.wait_for_text("1 idle runner will exit now.");
    browser.click("button", "Retire");
    browser.wait_for_text("1 idle runner retired.");
    assert_eq!(runner.wait_for_event("ended")["why"], "no run");
    assert!(runner.wait_for_exit().success());
    browser.wait_for_text("No runner is waiting.");
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

#[test]
fn the_history_is_cleared_through_the_page_after_a_confirmation() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    assert!(!server.supervisor().offer(&run("run_cold")));
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.wait_for_text("run_cold");
    browser.click("button", "Clear history");
    browser.wait_for_text("Clear the history?");
    assert_eq!(server.offers().len(), 1, "the history is not cleared before the confirmation");
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for_text("The history is cleared.");
    browser.wait_for_text("No run was offered yet.");
    assert_eq!(server.offers().len(), 0);
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

fn session(signed_in: bool) -> Value {
    let csrf = signed_in.then_some("token-of-this-session");
    json!({ "key": "needed", "signedIn": signed_in, "csrf": csrf })
}

/// Answers for [`Browser::fake`]: the same answer to every request with this method.
fn always(method: &str, status: u16, json: &Value) -> Value {
    json!({ method: [{ "status": status, "json": json }] })
}

#[test]
fn writes_contain_the_sessions_token() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let _runner = server.park(&Poll::by("runner-1"));
    let mut browser = Browser::start(ColorScheme::Light);
    browser.fake("/api/session", always("GET", 200, &session(true)));
    browser.fake("/api/admin/retire", always("POST", 200, &json!({ "retired": 1, "until": 0 })));
    browser.fake("/api/dashboard", always("DELETE", 200, &json!({ "success": true })));
    browser.open(&server);
    browser.wait_for_text("runner-1");
    browser.click("button", "Retire runner-1…");
    browser.click("button", "Retire");
    browser.wait_for_text("1 idle runner retired.");
    browser.click("button", "Clear history");
    browser.wait_for_text("Clear the history?");
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for_text("The history is cleared.");
    let requests = browser.faked_requests().split_off(1);
    let token = "token-of-this-session";
    assert_eq!(
        requests,
        [
            json!({ "method": "POST", "path": "/api/admin/retire", "token": token, "body": { "runner": "runner-1" } }),
            json!({ "method": "DELETE", "path": "/api/dashboard", "token": token, "body": null }),
        ]
    );
}

#[test]
fn a_write_with_an_outdated_token_is_retried_once() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::start(ColorScheme::Light);
    let session = |token: &str| json!({ "status": 200, "json": { "key": "not-needed", "signedIn": true, "csrf": token } });
    browser.fake("/api/session", json!({ "GET": [session("old"), session("new")] }));
    let refused = json!({ "status": 403, "json": { "error": "this token is not known" } });
    let done = json!({ "status": 200, "json": { "success": true } });
    browser.fake("/api/dashboard", json!({ "DELETE": [refused, done] }));
    browser.open(&server);
    browser.wait_until("document.querySelector('.connection.live')");
    browser.click("button", "Clear history");
    browser.wait_for_text("Clear the history?");
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for_text("The history is cleared.");
    let tokens: Vec<_> = browser
        .faked_requests()
        .into_iter()
        .filter(|request| request["method"] == "DELETE")
        .map(|request| request["token"].clone())
        .collect();
    assert_eq!(tokens, ["old", "new"]);
}

#[test]
fn the_page_requests_the_key_and_reports_a_wrong_one() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::start(ColorScheme::Light);
    let wrong = json!({ "status": 401, "json": { "error": "this key is not known" } });
    let right = json!({ "status": 200, "json": session(true) });
    browser.fake(
        "/api/session",
        json!({ "GET": [{ "status": 200, "json": session(false) }], "POST": [wrong, right] }),
    );
    browser.open(&server);
    browser.wait_for_text("Admin key");
    assert_eq!(browser.accessibility_violations(), json!([]));
    assert_eq!(browser.eval("document.querySelector('.connection.live') === null"), true);
    browser.fill("Admin key", "wrong");
    browser.press("Enter");
    browser.wait_for_text("this key is not known");
    assert_eq!(browser.accessibility_violations(), json!([]));
    browser.fill("Admin key", "right");
    browser.press("Enter");
    browser.wait_for_text("No runner is waiting.");
    assert_eq!(browser.faked_requests()[2]["body"], json!({ "key": "right" }));
}

#[test]
fn an_operator_signs_in_with_the_real_key_and_may_change_data() {
    need!("node", "chromium", "browser");
    let server = TestServer::with(&[("ADMIN_API_KEY", "the key of an operator")]);
    let mut supervisor = server.supervisor();
    assert!(!supervisor.offer(&run("run_cold")));
    let mut browser = Browser::start(ColorScheme::Light);
    browser.open(&server);
    browser.wait_for_text("Admin key");
    browser.fill("Admin key", "not the key");
    browser.press("Enter");
    browser.wait_for_text("this key is not known");
    browser.fill("Admin key", "the key of an operator");
    browser.press("Enter");
    browser.wait_for_text("run_cold");
    browser.click("button", "Clear history");
    browser.wait_for_text("Clear the history?");
    browser.press("Tab");
    browser.press("Enter");
    browser.wait_for_text("No run was offered yet.");
    assert_eq!(browser.eval("document.cookie"), "", "scripts cannot read the session");
}

#[test]
fn the_retire_dialog_is_disabled_until_a_runner_is_named() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let _runner = server.park(&Poll::by("runner-1"));
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.click("button", "Retire…");
    browser.wait_for_text("Fill in at least one field.");
    assert_eq!(browser.eval("document.querySelector('dialog .danger').disabled"), true);
    browser.fill("Runner", "another runner");
    browser.wait_for_text("0 idle runners will exit now.");
    browser.press("Escape");
    browser.wait_until("document.querySelector('dialog') === null");
    let focused = browser.eval("document.activeElement.innerText");
    assert_eq!(focused, "Retire…", "the focus returns to the button");
}
