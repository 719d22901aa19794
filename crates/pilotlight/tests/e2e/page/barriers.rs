//! The page for people who see, hear or point otherwise: axe-core finds nothing serious in any of its states.

use serde_json::json;

use crate::support::browser::{Browser, Scheme};
use crate::support::message::{changed, run};
use crate::support::parties::Poll;
use crate::support::server::Server;
use crate::support::skip::need;

fn has_no_barriers(browser: &mut Browser, state: &str) {
    let barriers = browser.barriers();
    assert_eq!(barriers, json!([]), "{state}: {barriers:#}");
}

fn empty_and_busy(scheme: Scheme) {
    let server = Server::start();
    let mut browser = Browser::at(&server, scheme);
    browser.until_it_says("No runner is waiting.");
    has_no_barriers(&mut browser, "empty");

    let _waiting: Vec<_> =
        (0..30).map(|number| server.park(&Poll::by(&format!("waiting-{number}")))).collect();
    let mut executing = server.park(&Poll::by("executing"));
    assert!(server.supervisor().offer(&run("run_warm")));
    executing.answer().expect("the run");
    let other = changed(run("run_cold"), "/backgroundWorker/version", json!("nobody's"));
    assert!(!server.supervisor().offer(&other));
    browser.until_it_says("run_cold");
    has_no_barriers(&mut browser, "busy");

    browser.fill("Filter runners", "nobody at all");
    browser.until_it_says("No runner matches this filter.");
    has_no_barriers(&mut browser, "filtered");

    browser.click("button", "Retire…");
    browser.until("document.querySelector('dialog[open]')");
    has_no_barriers(&mut browser, "retiring");
    browser.press("Escape");
    browser.click("button", "Clear history");
    browser.until_it_says("Clear the history?");
    has_no_barriers(&mut browser, "clearing");
}

#[test]
fn the_light_page_has_no_barriers() {
    need!("node", "chromium", "browser");
    empty_and_busy(Scheme::Light);
}

#[test]
fn the_dark_page_has_no_barriers() {
    need!("node", "chromium", "browser");
    empty_and_busy(Scheme::Dark);
}
