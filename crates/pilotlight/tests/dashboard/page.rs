//! The dashboard in a real browser: its live updates, without errors on the browser's console.

use pilotlight_testkit::browser::{Browser, ColorScheme};
use pilotlight_testkit::need;
use pilotlight_testkit::run_message::run;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;

#[test]
fn a_waiting_runner_is_shown_until_it_leaves() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.wait_for_text("No runner is waiting.");
    let runner = server.park(&Poll::by("runner-seen"));
    browser.wait_for_text("runner-seen");
    browser.wait_until("document.querySelector('[data-test=idle]').innerText === '1'");
    drop(runner);
    browser.wait_for_text("No runner is waiting.");
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

#[test]
fn without_configuration_the_page_shows_the_setting_for_supervisors() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    let line = browser.eval("document.querySelector('[data-test=url-line]').innerText");
    assert_eq!(line, format!("TRIGGER_WARM_START_URL={}", server.url()));
    browser.wait_for_text("docs/configuration.md");
    browser.wait_for_text("No run was offered yet.");
}

#[test]
fn offers_are_shown_with_their_outcome_and_their_runner() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Dark);
    let mut runner = server.park(&Poll::by("runner-1"));
    assert!(server.supervisor().offer(&run("run_warm")));
    runner.response().expect("the run");
    assert!(!server.supervisor().offer(&run("run_cold")));
    browser.wait_until("document.querySelector('[data-test=hit-rate]')?.innerText === '50.0 %'");
    let rows = "[...document.querySelectorAll('[aria-label=\"Recent offers\"] tbody tr')].map((row) => row.innerText)";
    browser.wait_until(&format!("{rows}.some((row) => /run_cold\\s+cold[^]*none/.test(row))"));
    browser.wait_until(&format!(
        "{rows}.some((row) => /run_warm\\s+acknowledged\\s+\\S+ (µs|ms)[^]*runner-1/.test(row))"
    ));
    browser.wait_until(
        "document.querySelector('[aria-label=\"Executing runners\"] tbody').innerText.includes('run_warm')",
    );
    assert!(browser.errors().is_empty(), "{:?}", browser.errors());
}

/// JavaScript that counts the pixels of each chart that have the accent colour, or almost.
const LINE_POINTS: &str = "(() => { \
    const probe = document.body.appendChild(document.createElement('i')); \
    probe.style.color = 'var(--accent)'; \
    const accent = getComputedStyle(probe).color.match(/[0-9]+/g).map(Number); \
    probe.remove(); \
    const near = (data, at) => accent.every((part, index) => Math.abs(data[at + index] - part) < 24); \
    return [...document.querySelectorAll('.canvas canvas')].map((canvas) => { \
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height); \
      let points = 0; \
      for (let at = 0; at < data.length; at += 4) if (data[at + 3] > 200 && near(data, at)) points += 1; \
      return points; \
    }); })()";

#[test]
fn both_charts_show_offers() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    assert_eq!(
        browser.eval(LINE_POINTS),
        serde_json::json!([0, 0]),
        "the charts are empty before the first offer"
    );
    let mut runner = server.park(&Poll::by("runner-1"));
    assert!(server.supervisor().offer(&run("run_warm")));
    runner.response().expect("the run");
    browser.wait_until(&format!("({LINE_POINTS}).every((points) => points > 5)"));
    browser.wait_until(
        "document.querySelector('[aria-label^=\"Hit rate over the last hour; latest 100 percent\"]')",
    );
    browser.wait_until(
        "document.querySelector('[aria-label^=\"Delivery time over the last hour; latest p50\"]')",
    );
}

#[test]
fn the_current_settings_are_shown() {
    need!("node", "chromium", "browser");
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "45000"), ("KEEPALIVE_MS", "600000")]);
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    for text in
        ["45 s", "10 min", &server.address().to_string(), "by the runner's kernel", env!("CARGO_PKG_VERSION")]
    {
        browser.wait_for_text(text);
    }
}

#[test]
fn the_background_tasks_are_shown_with_their_last_results() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.wait_until("(document.querySelector('.background-tasks').open = true)");
    for text in ["jobs: sweep", "0 jobs changed", "dashboard: updates", "Closes polls that their clients"] {
        browser.wait_for_text(text);
    }
}

#[test]
fn the_page_reconnects_after_a_restart() {
    need!("node", "chromium", "browser");
    let mut server = TestServer::start();
    let port = server.address().port().to_string();
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    server.signal("TERM");
    assert!(server.wait_for_exit().success());
    browser.wait_until("document.querySelector('.connection.reconnecting')");
    let server = TestServer::with(&[("PILOTLIGHT_SERVER_PORT", &port)]);
    browser.wait_until("document.querySelector('.connection.live')");
    let _runner = server.park(&Poll::by("runner-after"));
    browser.wait_for_text("runner-after");
}

#[test]
fn a_page_beyond_the_limit_shows_the_reason_and_connects_when_another_is_closed() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut others: Vec<_> = (0..32).map(|_| server.connect()).collect();
    for other in &mut others {
        other.send("GET /api/dashboard/events HTTP/1.1\r\nhost: localhost\r\n\r\n");
        other.wait_until_readable();
    }
    let mut browser = Browser::start(ColorScheme::Light);
    browser.open(&server);
    browser.wait_for_text("too many dashboards are open");
    others.pop();
    browser.wait_until("document.querySelector('.connection.live')");
}

#[test]
fn the_theme_is_the_systems_until_the_user_selects_one() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let mut browser = Browser::showing(&server, ColorScheme::Dark);
    let theme = "document.documentElement.dataset.theme";
    assert_eq!(browser.eval(theme), "dark");
    browser.click("button", "Switch to the light theme");
    assert_eq!(browser.eval(theme), "light");
    browser.open(&server);
    assert_eq!(browser.eval(theme), "light");
}

#[test]
fn all_controls_are_reached_with_the_keyboard() {
    need!("node", "chromium", "browser");
    let server = TestServer::start();
    let _runner = server.park(&Poll::by("runner-1"));
    let mut browser = Browser::showing(&server, ColorScheme::Light);
    browser.wait_for_text("runner-1");
    let mut reached = Vec::new();
    for _ in 0..14 {
        browser.press("Tab");
        let name = browser.eval(
            "document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText.trim()",
        );
        reached.push(name.as_str().unwrap_or_default().to_owned());
    }
    for name in [
        "Skip to content",
        "Clear history",
        "Retire…",
        "Switch to the dark theme",
        "Filter runners",
        "Idle runners",
        "Retire runner-1…",
        "Executing runners",
        "Recent offers",
    ] {
        assert!(reached.iter().any(|reached| reached == name), "{name} is not among {reached:?}");
    }
}
