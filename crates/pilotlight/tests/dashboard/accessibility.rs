//! The page for people who see, hear or point otherwise: axe-core finds nothing serious in any of its states.

use pilotlight_testkit::browser::{Browser, ColorScheme};
use pilotlight_testkit::need;
use pilotlight_testkit::run_message::{changed, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;
use serde_json::json;

fn has_no_barriers(browser: &mut Browser, state: &str) {
    let barriers = browser.accessibility_violations();
    assert_eq!(barriers, json!([]), "{state}: {barriers:#}");
}

fn empty_and_busy(scheme: ColorScheme) {
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, scheme);
    browser.wait_for_text("No runner is waiting.");
    has_no_barriers(&mut browser, "empty");

    let _waiting: Vec<_> =
        (0..30).map(|number| server.park(&Poll::by(&format!("waiting-{number}")))).collect();
    let mut executing = server.park(&Poll::by("executing"));
    assert!(server.supervisor().offer(&run("run_warm")));
    executing.response().expect("the run");
    let other = changed(run("run_cold"), "/backgroundWorker/version", json!("nobody's"));
    assert!(!server.supervisor().offer(&other));
    browser.wait_for_text("run_cold");
    has_no_barriers(&mut browser, "busy");

    browser.fill("Filter runners", "nobody at all");
    browser.wait_for_text("No runner matches this filter.");
    has_no_barriers(&mut browser, "filtered");

    browser.click("button", "Retire…");
    browser.wait_until("document.querySelector('dialog[open]')");
    has_no_barriers(&mut browser, "retiring");
    browser.press("Escape");
    browser.click("button", "Clear history");
    browser.wait_for_text("Clear the history?");
    has_no_barriers(&mut browser, "clearing");
}

#[test]
fn the_light_page_has_no_accessibility_violations() {
    need!("node", "chromium", "browser");
    empty_and_busy(ColorScheme::Light);
}

#[test]
fn the_dark_page_has_no_accessibility_violations() {
    need!("node", "chromium", "browser");
    empty_and_busy(ColorScheme::Dark);
}
