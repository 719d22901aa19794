//! How fast the page is: nothing else runs beside these.

use std::time::{Duration, Instant};

use pilotlight_testkit::browser::{Browser, ColorScheme};
use pilotlight_testkit::need;
use pilotlight_testkit::run_message::run;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;

#[test]
fn a_runner_and_an_offer_are_seen_within_a_second() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    let within_a_second = |began: Instant, what: &str| {
        assert!(began.elapsed() < Duration::from_secs(1), "{what} took {:?}", began.elapsed());
    };
    let began = Instant::now();
    let mut runner = Poll::by("runner-1").send_to(server.address());
    browser.wait_for_text("runner-1");
    within_a_second(began, "the runner");
    let began = Instant::now();
    assert!(server.supervisor().offer(&run("run_1")));
    browser.wait_for_text("run_1");
    within_a_second(began, "the offer");
    runner.response().expect("the run");
}

/// How many milliseconds pass from the last letter of a filter to the frame that shows the one runner that fits.
const FILTER: &str = "(async () => { \
    const field = document.querySelector('input[type=search]'); \
    const frame = () => new Promise(requestAnimationFrame); \
    const rows = () => [...document.querySelectorAll('[aria-label=\"Idle runners\"] tbody tr')]; \
    const write = (text) => { field.value = text; field.dispatchEvent(new Event('input', { bubbles: true })); }; \
    write(''); \
    while (rows().length < 2) await frame(); \
    const began = performance.now(); \
    write('WANTED'); \
    while (rows().length !== 1 || !rows()[0].innerText.includes('WANTED')) await frame(); \
    return performance.now() - began; })()";

#[test]
fn the_filter_finds_one_of_10_000_runners_in_under_100_ms_and_the_document_stays_small() {
    const RUNNERS: usize = 10_000;
    need!("node", "chromium", "browser");
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "600000")]);
    let poll = |number| Poll::by(&format!("runner-{number:05}")).send_to(server.address());
    let _polls: Vec<_> = (0..RUNNERS - 1).map(poll).collect();
    // So many at once may be let in in another order. The last is the last for certain.
    server.wait_for_parked(RUNNERS as u64 - 1);
    let _last = poll(RUNNERS - 1);
    server.wait_for_parked(RUNNERS as u64);
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.wait_until("document.querySelector('[data-test=idle]').innerText === '10,000'");
    assert!(browser.eval("document.querySelectorAll('tr').length").as_u64().expect("a number") < 100);

    let mut took_ms: Vec<_> = ["00000", "04711", "05000", "07777", "09999"]
        .iter()
        .map(|number| browser.eval(&FILTER.replace("WANTED", &format!("runner-{number}"))))
        .map(|took| took.as_f64().expect("milliseconds"))
        .collect();
    took_ms.sort_by(f64::total_cmp);
    println!("the filter took {took_ms:.1?} ms");
    assert!(took_ms[2] < 100.0, "{took_ms:?}");

    browser.fill("Filter runners", "");
    // Scrolls until it is there: what is scrolled before all runners are drawn again stays at the top.
    browser.wait_until(
        "(document.querySelector('[aria-label=\"Idle runners\"]').scrollTo(0, 1e9), \
          document.body.innerText.includes('runner-09999'))",
    );
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}
