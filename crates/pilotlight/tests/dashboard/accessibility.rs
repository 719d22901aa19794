//! Accessibility of the dashboard: axe-core finds no serious violation in any state of the page.

use pilotlight_testkit::browser::{Browser, ColorScheme};
use pilotlight_testkit::need;
use pilotlight_testkit::run_message::{changed, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;
use serde_json::json;

fn assert_accessible(browser: &mut Browser, state: &str) {
    let violations = browser.accessibility_violations();
    assert_eq!(violations, json!([]), "{state}: {violations:#}");
}

fn check_all_states(scheme: ColorScheme) {
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, scheme);
    browser.wait_for_text("No runner is waiting.");
    assert_accessible(&mut browser, "empty");

    let _waiting: Vec<_> =
        (0..30).map(|number| server.park(&Poll::by(&format!("waiting-{number}")))).collect();
    let mut executing = server.park(&Poll::by("executing"));
    assert!(server.supervisor().offer(&run("run_warm")));
    executing.response().expect("the run");
    let other = changed(run("run_cold"), "/backgroundWorker/version", json!("other"));
    assert!(!server.supervisor().offer(&other));
    browser.wait_for_text("run_cold");
    assert_accessible(&mut browser, "busy");

    browser.fill("Filter runners", "no such runner");
    browser.wait_for_text("No runner matches this filter.");
    assert_accessible(&mut browser, "filtered");

    browser.click("button", "Retire…");
    browser.wait_until("document.querySelector('dialog[open]')");
    assert_accessible(&mut browser, "retiring");
    browser.press("Escape");
    browser.click("button", "Clear history");
    browser.wait_for_text("Clear the history?");
    assert_accessible(&mut browser, "clearing");
}

#[test]
fn the_light_page_has_no_accessibility_violations() {
    need!("node", "chromium", "browser");
    check_all_states(ColorScheme::Light);
}

#[test]
fn the_dark_page_has_no_accessibility_violations() {
    need!("node", "chromium", "browser");
    check_all_states(ColorScheme::Dark);
}
