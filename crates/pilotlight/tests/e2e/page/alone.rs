//! How fast the page is: nothing else runs beside these.

use std::time::{Duration, Instant};

use crate::support::browser::{Browser, Scheme};
use crate::support::message::run;
use crate::support::parties::Poll;
use crate::support::server::Server;
use crate::support::skip::need;

#[test]
fn a_runner_and_an_offer_are_seen_within_a_second() {
    need!("node", "chromium", "browser");
    let server = Server::start();
    let mut browser = Browser::at(&server, Scheme::Light);
    let within_a_second = |began: Instant, what: &str| {
        assert!(began.elapsed() < Duration::from_secs(1), "{what} took {:?}", began.elapsed());
    };
    let began = Instant::now();
    let mut runner = Poll::by("runner-1").send_to(server.address());
    browser.until_it_says("runner-1");
    within_a_second(began, "the runner");
    let began = Instant::now();
    assert!(server.supervisor().offer(&run("run_1")));
    browser.until_it_says("run_1");
    within_a_second(began, "the offer");
    runner.answer().expect("the run");
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
    let server = Server::with(&[("CONNECTION_TIMEOUT_MS", "600000")]);
    let poll = |number| Poll::by(&format!("runner-{number:05}")).send_to(server.address());
    let _polls: Vec<_> = (0..RUNNERS - 1).map(poll).collect();
    // So many at once may be let in in another order. The last is the last for certain.
    server.wait_for_waiting(RUNNERS as u64 - 1);
    let _last = poll(RUNNERS - 1);
    server.wait_for_waiting(RUNNERS as u64);
    let mut browser = Browser::at(&server, Scheme::Light);
    browser.until("document.querySelector('[data-test=idle]').innerText === '10,000'");
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
    browser.until(
        "(document.querySelector('[aria-label=\"Idle runners\"]').scrollTo(0, 1e9), \
          document.body.innerText.includes('runner-09999'))",
    );
    assert!(browser.faults().is_empty(), "{:?}", browser.faults());
}
