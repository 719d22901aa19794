//! `log.offers`: one flat JSON line for every offer, and one for every run that its runner did not read.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pilotlight_testkit::http::post_request;
use pilotlight_testkit::process::ChildProcess;
use pilotlight_testkit::run_message::{self, DEPLOYMENT, VERSION, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::temp_dir::TempDir;
use pilotlight_testkit::wait::{pause, wait_for, wait_until};
use pilotlight_testkit::warm_start::{GENERAL_PATH, Poll, Supervisor};
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn traceparent() -> String {
    format!("traceparent: 00-{TRACE}-00f067aa0ba902b7-01")
}

/// A service that writes its offers to a file.
struct OfferLog {
    folder: TempDir,
    server: TestServer,
}

impl OfferLog {
    fn start() -> Self {
        let folder = TempDir::new();
        let path = folder.path().join("offers.jsonl");
        let server = TestServer::with(&[("PILOTLIGHT_LOG_OFFERS", path.to_str().unwrap())]);
        Self { folder, server }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("offers.jsonl")
    }

    fn lines(&self, count: usize) -> Vec<Value> {
        wait_until(&format!("the log has {count} lines"), || read(&self.path()).len() >= count);
        read(&self.path())
    }
}

fn read(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

/// Offers a run with additional header lines. `path` selects the fast path or the general HTTP server.
fn offer(server: &TestServer, path: &str, run: &Value, headers: &str) -> Value {
    let request = post_request(path, run_message::offer(run));
    let request = String::from_utf8(request).expect("text").replacen("\r\n", &format!("\r\n{headers}"), 1);
    let mut supervisor = server.connect();
    supervisor.send(request);
    supervisor.response().expect("an answer").json()
}

#[test]
fn every_offer_is_logged_as_one_line_with_all_its_dispatches() {
    let log = OfferLog::start();
    let mut runner = log.server.park(&Poll::by("runner-1"));
    let traced = format!("{}\r\n", traceparent());
    assert_eq!(offer(&log.server, "/warm-start", &run("run_warm"), &traced)["didWarmStart"], true);
    runner.response().expect("the run");
    assert_eq!(offer(&log.server, GENERAL_PATH, &run("run_cold"), &traced)["didWarmStart"], false);
    assert_eq!(offer(&log.server, "/warm-start", &run("run_3"), "traceparent: x\r\n")["didWarmStart"], false);
    let lines = log.lines(3);
    let [warm, cold, untraced] = lines.as_slice() else { panic!("{lines:?}") };
    for (line, outcome, id) in
        [(warm, "warm", "run_warm"), (cold, "cold", "run_cold"), (untraced, "cold", "run_3")]
    {
        assert_eq!(
            (&line["event"], &line["outcome"], &line["run"]),
            (&json!("offer"), &json!(outcome), &json!(id))
        );
        assert_eq!((&line["deployment"], &line["version"]), (&json!(DEPLOYMENT), &json!(VERSION)));
        assert_eq!((&line["cpu"], &line["memory"]), (&json!(0.5), &json!(0.5)));
        assert!(line["at_ms"].as_u64() > Some(1_600_000_000_000) && line["took_us"].is_u64(), "{line}");
        let is_flat = line.as_object().unwrap().values().all(|value| !value.is_object() && !value.is_array());
        assert!(is_flat && line["bytes"] == run(id).to_string().len(), "{line}");
    }
    assert_eq!((&warm["delivery"], &warm["dispatches"]), (&json!("acknowledged"), &json!(1)));
    assert_eq!((&warm["runner"], &warm["worker"]), (&json!("runner-1"), &json!("node-1")));
    assert!(warm["waited_ms"].is_u64(), "{warm}");
    assert_eq!((&warm["trace_id"], &cold["trace_id"]), (&json!(TRACE), &json!(TRACE)));
    assert_eq!(
        (&cold["delivery"], &cold["runner"], &untraced["trace_id"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let text = std::fs::read_to_string(log.path()).unwrap();
    assert!(!text.contains("snapshot") && !text.contains("waitpoint"), "the log contains a payload: {text}");
}

#[test]
fn an_unread_run_is_logged_as_a_separate_line() {
    let log = OfferLog::start();
    let runner = log.server.park(&Poll::by("runner-1"));
    let traced = format!("{}\r\n", traceparent());
    assert_eq!(offer(&log.server, "/warm-start", &run("run_1"), &traced)["didWarmStart"], true);
    runner.wait_until_readable();
    drop(runner);
    let lines = log.lines(2);
    let unread = &lines[1];
    assert_eq!(
        (&unread["event"], &unread["run"], &unread["delivery"]),
        (&json!("unread"), &json!("run_1"), &json!("unread"))
    );
    assert_eq!((&unread["runner"], &unread["trace_id"]), (&json!("runner-1"), &json!(TRACE)));
}

#[test]
fn a_rotated_file_is_reopened_by_its_name_and_on_sighup() {
    let log = OfferLog::start();
    let mut supervisor = log.server.supervisor();
    assert!(!supervisor.offer(&run("run_1")));
    log.lines(1);
    let moved = log.folder.path().join("offers.jsonl.1");
    std::fs::rename(log.path(), &moved).unwrap();
    assert!(!supervisor.offer(&run("run_2")));
    assert_eq!(log.lines(1)[0]["run"], "run_2");
    assert_eq!(read(&moved).len(), 1);
    std::fs::rename(log.path(), &moved).unwrap();
    log.server.signal("HUP");
    wait_until("the file exists again", || log.path().exists());
    assert!(!supervisor.offer(&run("run_3")));
    assert_eq!(log.lines(1)[0]["run"], "run_3");
    assert_eq!(log.server.metric(r#"pilotlight_telemetry_dropped_total{what="line"}"#), 0.0);
}

#[test]
fn the_last_lines_are_written_before_the_process_ends() {
    let mut log = OfferLog::start();
    let mut supervisor = log.server.supervisor();
    (0..500).for_each(|number| _ = supervisor.offer(&run(&format!("run_{number}"))));
    log.server.signal("TERM");
    assert!(log.server.wait_for_exit().success());
    assert_eq!(read(&log.path()).len(), 500);
}

#[test]
fn lines_may_go_to_stdout_and_an_unusable_path_is_reported() {
    let server = TestServer::with(&[("PILOTLIGHT_LOG_OFFERS", "stdout")]);
    assert!(!server.supervisor().offer(&run("run_1")));
    let line = wait_for("the service writes a line", || server.stdout(1).into_iter().next());
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["run"], "run_1");
    let no_folder =
        [("PILOTLIGHT_LOG_OFFERS", "/no/such/folder/offers.jsonl"), ("PILOTLIGHT_SERVER_PORT", "0")];
    let output = pilotlight_testkit::server::pilotlight_command(&no_folder)
        .arg("serve")
        .output()
        .expect("the binary starts");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("/no/such/folder/offers.jsonl") && stderr.contains("log.offers"), "{stderr}");
}

/// More bytes than the socket buffers of both sides hold while the runner does not read.
const MORE_THAN_SOCKET_BUFFERS: usize = 9_000_000;

#[test]
fn failed_dispatches_are_counted_by_reason_and_logged_with_their_number() {
    let log = OfferLog::start();
    let runner = log.server.park(&Poll::by("disconnects"));
    let run = run_message::large_run("run_1", MORE_THAN_SOCKET_BUFFERS);
    std::thread::scope(|scope| {
        let offer = scope.spawn(|| log.server.supervisor().offer(&run));
        runner.wait_until_readable();
        drop(runner);
        assert!(!offer.join().expect("no panic"));
    });
    let line = &log.lines(1)[0];
    assert_eq!((&line["outcome"], &line["dispatches"]), (&json!("cold"), &json!(1)));
    assert_eq!(log.server.metric(r#"pilotlight_dispatches_failed_total{why="ended"}"#), 1.0);

    let _never_reads = log.server.park(&Poll::by("never-reads"));
    assert!(!log.server.supervisor().offer(&run));
    assert_eq!(log.lines(2)[1]["dispatches"], 1);
    assert_eq!(log.server.metric(r#"pilotlight_dispatches_failed_total{why="deadline"}"#), 1.0);
}

#[test]
fn an_offer_whose_supervisor_disconnected_is_logged() {
    let log = OfferLog::start();
    let runner = log.server.park(&Poll::by("never-reads"));
    let mut supervisor = log.server.connect();
    let run = run_message::large_run("run_1", MORE_THAN_SOCKET_BUFFERS);
    supervisor.send(post_request(GENERAL_PATH, run_message::offer(&run)));
    runner.wait_until_readable();
    drop(supervisor);
    let line = &log.lines(1)[0];
    assert_eq!(
        (&line["outcome"], &line["run"], &line["runner"]),
        (&json!("unanswered"), &json!("run_1"), &Value::Null)
    );
    assert_eq!(log.server.metric(r#"pilotlight_offers_total{outcome="unanswered"}"#), 1.0);
}

#[test]
fn a_blocked_log_reader_delays_neither_offers_nor_the_exit() {
    let settings = [("PILOTLIGHT_LOG_OFFERS", "stdout"), ("PILOTLIGHT_SERVER_PORT", "0")];
    let mut command = pilotlight_testkit::server::pilotlight_command(&settings);
    let mut process = ChildProcess::start(command.arg("serve").stdout(Stdio::piped()).stderr(Stdio::null()));
    let mut stdout = BufReader::new(process.child().stdout.take().expect("the pipe was requested"));
    let mut first = String::new();
    stdout.read_line(&mut first).expect("the first line has the address");
    let address = first.trim_end().rsplit_once("//").expect("a URL").1.parse().expect("an address");
    let mut supervisor = Supervisor::at(address);
    // Twice the number of lines that fill the pipe.
    for _ in 0..2 {
        (0..600).for_each(|number| _ = supervisor.offer(&run(&format!("run_{number}"))));
        // Lines are written a few times a second. A test cannot observe that the writer is blocked by the full pipe.
        pause(Duration::from_millis(200));
    }
    process.signal("TERM");
    assert!(process.wait_for_exit().success());
    drop(stdout);
}
