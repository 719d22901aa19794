//! `pilotlight health`: its output, its exit code, and its timeout. Health checks use the exit code.

use std::net::TcpListener;
use std::process::Output;
use std::time::{Duration, Instant};

use pilotlight_testkit::http::{Connection, post_request};
use pilotlight_testkit::run_message::{self, large_run};
use pilotlight_testkit::server::{TestServer, pilotlight_command};
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::Poll;
use serde_json::Value;

/// Runs `pilotlight health`. Returns exit code, stdout and stderr.
fn health(settings: &[(&str, &str)], arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = pilotlight_command(settings);
    let Output { status, stdout, stderr } =
        command.arg("health").args(arguments).output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_healthy_service_is_one_line_and_exit_code_0() {
    let server = TestServer::start();
    let _runner = server.park(&Poll::by("runner-1"));
    let (code, stdout, stderr) = health(&[], &["--url", &server.url()]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(stdout.starts_with("ok: 1 runners wait, "), "{stdout}");
    assert_eq!(stdout.lines().count(), 1, "{stdout}");
}

#[test]
fn without_a_url_the_address_comes_from_the_settings() {
    let server = TestServer::with(&[("HOST", "0.0.0.0")]);
    let port = server.address().port().to_string();
    let (code, stdout, stderr) = health(&[("HOST", "0.0.0.0"), ("PORT", &port)], &["--json"]);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let health: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(health["status"], "ok");
}

#[test]
fn an_unreachable_service_is_exit_code_1_and_an_error_text() {
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", closed.local_addr().expect("an open socket"));
    drop(closed);
    let (code, stdout, stderr) = health(&[], &["--url", &url]);
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains(&format!("failed to ask {url}/health")), "{stderr}");
    assert!(stderr.to_lowercase().contains("refused"), "{stderr}");
}

#[test]
fn a_silent_service_is_exit_code_1_after_about_three_seconds() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", silent.local_addr().expect("an open socket"));
    let started = Instant::now();
    let (code, _, stderr) = health(&[], &["--url", &url]);
    assert_eq!(code, Some(1));
    assert!(stderr.contains("within 3 s"), "{stderr}");
    let took = started.elapsed();
    assert!((Duration::from_secs(3)..Duration::from_secs(8)).contains(&took), "{took:?}");
}

#[test]
fn a_stopping_service_accepts_no_connection_and_is_exit_code_1() {
    let server = TestServer::with(&[("PILOTLIGHT_WARM_START_ACK_DEADLINE", "5s")]);
    let (mut runner, _supervisor) = offer_in_progress(&server);
    server.signal("TERM");
    wait_until("the health check fails", || health(&[], &["--url", &server.url()]).0 == Some(1));
    runner.response().expect("the run");
}

/// An offer in progress: its runner has received the first bytes of the run and does not read them.
fn offer_in_progress(server: &TestServer) -> (Connection, Connection) {
    let runner = server.park(&Poll::by("slow"));
    let mut supervisor = server.connect();
    supervisor.send(post_request("/warm-start", run_message::offer(&large_run("run_1", 9_500_000))));
    runner.wait_until_readable();
    (runner, supervisor)
}

#[test]
fn an_invalid_setting_or_url_is_exit_code_2() {
    for (settings, arguments) in [
        (&[("PORT", "70000")] as &[_], &[] as &[_]),
        (&[("PORT", "0")], &[]),
        (&[], &["--url", "localhost"]),
        (&[], &["--url", "http://localhost/metrics"]),
        (&[], &["--config", "/no/such/file.toml"]),
    ] {
        let (code, stdout, stderr) = health(settings, arguments);
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{settings:?} {arguments:?}: {stderr}");
    }
}
