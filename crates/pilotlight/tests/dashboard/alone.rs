//! The speed of the page. These tests run alone, because other tests would change the measurements.

use std::time::{Duration, Instant};

use pilotlight_testkit::browser::{Browser, ColorScheme};
use pilotlight_testkit::need;
use pilotlight_testkit::run_message::run;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;

#[test]
fn a_runner_and_an_offer_are_shown_within_a_second() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    let assert_within_a_second = |started: Instant, what: &str| {
        assert!(started.elapsed() < Duration::from_secs(1), "{what} took {:?}", started.elapsed());
    };
    let started = Instant::now();
    let mut runner = Poll::by("runner-1").send_to(server.address());
    browser.wait_for_text("runner-1");
    assert_within_a_second(started, "the runner");
    let started = Instant::now();
    assert!(server.supervisor().offer(&run("run_1")));
    browser.wait_for_text("run_1");
    assert_within_a_second(started, "the offer");
    runner.response().expect("the run");
}

/// JavaScript that fills the filter, and returns the milliseconds until the frame that shows the only matching runner.
const FILTER: &str = "(async () => { \
    const field = document.querySelector('input[type=search]'); \
    const frame = () => new Promise(requestAnimationFrame); \
    const rows = () => [...document.querySelectorAll('[aria-label=\"Idle runners\"] tbody tr')]; \
    const fill = (text) => { field.value = text; field.dispatchEvent(new Event('input', { bubbles: true })); }; \
    fill(''); \
    while (rows().length < 2) await frame(); \
    const started = performance.now(); \
    fill('RUNNER'); \
    while (rows().length !== 1 || !rows()[0].innerText.includes('RUNNER')) await frame(); \
    return performance.now() - started; })()";

#[test]
fn the_filter_finds_one_of_10_000_runners_in_under_100_ms_and_the_document_stays_small() {
    const RUNNERS: usize = 10_000;
    need!("node", "chromium", "browser");
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "600000")]);
    let poll = |number| Poll::by(&format!("runner-{number:05}")).send_to(server.address());
    let _polls: Vec<_> = (0..RUNNERS - 1).map(poll).collect();
    // Polls that are sent at the same time may be parked in any order. The last poll is sent after all others are
    // parked.
    server.wait_for_parked(RUNNERS as u64 - 1);
    let _last = poll(RUNNERS - 1);
    server.wait_for_parked(RUNNERS as u64);
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.wait_until("document.querySelector('[data-test=idle]').innerText === '10,000'");
    assert!(browser.eval("document.querySelectorAll('tr').length").as_u64().expect("a number") < 100);

    let mut took_ms: Vec<_> = ["00000", "04711", "05000", "07777", "09999"]
        .iter()
        .map(|number| browser.eval(&FILTER.replace("RUNNER", &format!("runner-{number}"))))
        .map(|took| took.as_f64().expect("milliseconds"))
        .collect();
    took_ms.sort_by(f64::total_cmp);
    println!("the filter took {took_ms:.1?} ms");
    assert!(took_ms[2] < 100.0, "{took_ms:?}");

    browser.fill("Filter runners", "");
    // Scrolls repeatedly: a scroll before the page has drawn all runners again has no effect.
    browser.wait_until(
        "(document.querySelector('[aria-label=\"Idle runners\"]').scrollTo(0, 1e9), \
          document.body.innerText.includes('runner-09999'))",
    );
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}
