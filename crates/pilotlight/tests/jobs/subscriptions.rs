//! Console output as it grows, for several who watch and for one who is slow; and what becomes of all who wait when the
//! service stops.

use std::io::{ErrorKind, Read};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::event_stream::EventStream;
use pilotlight_testkit::http::{Connection, NoResponse};
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{pause, wait_until};
use serde_json::{Value, json};

const TYPE: &str = "watched";
const KIB: usize = 1024;
const WATCHERS: usize = 100;
/// What is kept of a console by default.
const CONSOLE: usize = 1024 * KIB;

fn submit(server: &TestServer) -> String {
    let told = ApiClient::at(server.address()).submit(TYPE, &json!({}));
    told["job_id"].as_str().expect("an id").to_owned()
}

fn claimed(server: &TestServer) -> (ApiClient, Value) {
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    (runner, job)
}

/// The console as a watcher puts it together, and the job at the end.
fn watched(mut events: EventStream) -> (String, Value, usize) {
    let (mut console, mut last, mut pieces) = (String::new(), Value::Null, 0);
    while let Some((name, data)) = events.next() {
        match name.as_str() {
            "console" => {
                if data["is_whole"] == true {
                    console.clear();
                }
                console += data["text"].as_str().expect("a text");
                pieces += 1;
            }
            "status" => last = data,
            "progress" => {}
            _ => panic!("{name}: {data}"),
        }
    }
    (console, last, pieces)
}

#[test]
fn all_subscribers_see_the_console_that_was_sent_in_chunks() {
    let server = JobStore::sqlite().serve(&[]);
    let id = submit(&server);
    let (mut runner, job) = claimed(&server);
    // Each piece ends within a line, with characters of one to four bytes.
    let pieces: Vec<_> =
        (0..64).map(|number| format!("{number}: {}ä\n€\u{1f600}", "x".repeat(15 * KIB))).collect();
    let whole = pieces.concat();
    assert!(whole.len() < CONSOLE);
    std::thread::scope(|scope| {
        let watch = || watched(EventStream::of_job(server.connect(), &id));
        let watchers: Vec<_> = (0..WATCHERS).map(|_| scope.spawn(watch)).collect();
        for (number, piece) in pieces.iter().enumerate() {
            let said = json!({ "console_append": piece, "progress_current": number, "progress_total": 64 });
            assert_eq!(runner.report("heartbeat", &job, said).status, 200);
        }
        // Beyond its size nothing is added, and the rest goes on.
        let too_much = "y".repeat(CONSOLE - whole.len() + 1);
        let refused = runner.report("heartbeat", &job, json!({ "console_append": too_much }));
        assert_eq!(refused.status, 400);
        assert!(refused.error_text().contains("console_append"));
        assert_eq!(runner.report("heartbeat", &job, json!({})).status, 200);
        let said = json!({ "console_append": too_much, "output_data": {} });
        assert_eq!(runner.report("complete", &job, said).status, 400);
        let end = &too_much[1..];
        let said = json!({ "console_append": end, "output_data": { "n": 1 } });
        assert_eq!(runner.report("complete", &job, said).status, 200);
        for watcher in watchers {
            let (console, last, _) = watcher.join().expect("the stream ends");
            assert!(console == whole.clone() + end, "{} bytes instead of {CONSOLE}", console.len());
            assert_eq!(last["status"], "completed");
            assert!(last["result"]["console_output"] == console.as_str());
        }
    });
    // Whoever comes late gets all of it at once.
    let (console, _, pieces) = watched(EventStream::of_job(server.connect(), &id));
    assert_eq!((console.len(), pieces), (CONSOLE, 1));
}

/// Reads with pauses, from a socket with little room.
struct Slow(Connection);

impl Slow {
    fn of(server: &TestServer, id: &str) -> Self {
        let mut connection = server.connect();
        socket2::SockRef::from(connection.stream()).set_recv_buffer_size(8 * KIB).expect("an open socket");
        connection.send(format!("GET /api/jobs/{id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        Self(connection)
    }

    /// Reads the whole stream, so many bytes at a time, with a pause after each as long as `job_runs`.
    fn read(self, bytes: usize, job_runs: &AtomicBool) -> String {
        let (mut all, mut some) = (Vec::new(), vec![0; bytes]);
        loop {
            match self.0.stream().read(&mut some) {
                Ok(0) => break,
                Ok(read) => all.extend_from_slice(&some[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
            if all.ends_with(b"0\r\n\r\n") {
                break;
            }
            // The subject: a slow reader.
            if job_runs.load(Relaxed) {
                pause(Duration::from_millis(2));
            }
        }
        String::from_utf8(all).expect("text")
    }
}

#[test]
fn a_slow_subscriber_misses_updates_but_not_the_end_and_slows_nobody() {
    const TIMES: usize = 40;
    let server = JobStore::sqlite().serve(&[]);
    let id = submit(&server);
    let (mut runner, job) = claimed(&server);
    let console = |number: usize| format!("{number:>8}{}", "x".repeat(CONSOLE / 2));
    let job_runs = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let slow = Slow::of(&server, &id);
        let slow = scope.spawn(|| slow.read(32 * KIB, &job_runs));
        let quick = scope.spawn(|| watched(EventStream::of_job(server.connect(), &id)));
        let began = Instant::now();
        for number in 0..TIMES {
            let said = json!({ "console_output": console(number) });
            assert_eq!(runner.report("heartbeat", &job, said).status, 200);
        }
        let took = began.elapsed();
        assert_eq!(runner.report("complete", &job, json!({ "output_data": { "n": 1 } })).status, 200);
        job_runs.store(false, Relaxed);
        let (seen, last, steps) = quick.join().expect("the stream ends");
        assert!(seen == console(TIMES - 1), "the quick one knows the end");
        assert_eq!(last["status"], "completed");
        let told = slow.join().expect("the stream ends");
        let slow_steps = told.matches("event: console").count();
        println!("{TIMES} consoles in {took:?}: {steps} seen by the quick, {slow_steps} by the slow");
        assert!(told.contains(&format!(r#""text":"{:>8}x"#, TIMES - 1)), "the slow one knows the end");
        assert!(told.rfind(r#""status":"completed""#) > told.rfind("event: console"), "which comes last");
    });
}

#[test]
fn subscribers_that_read_nothing_use_little_memory_and_are_closed_in_time() {
    const WATCHERS: usize = 32;
    let server = JobStore::sqlite().serve(&[]);
    let id = submit(&server);
    let (mut runner, job) = claimed(&server);
    let said = |number: usize| json!({ "console_output": format!("{number}{}", "\\".repeat(CONSOLE / 2)) });
    for number in 0..20 {
        assert_eq!(runner.report("heartbeat", &job, said(number)).status, 200);
    }
    let before = server.resident_kib();
    let watchers: Vec<_> = (0..WATCHERS).map(|_| Slow::of(&server, &id)).collect();
    for number in 0..60 {
        assert_eq!(runner.report("heartbeat", &job, said(number)).status, 200);
    }
    let grown = server.resident_kib().saturating_sub(before);
    println!("{WATCHERS} who read nothing took {grown} KiB");
    // One event for each of them, which is the console with its escapes, and some more while it is made.
    assert!(grown < 128 * 1024, "{grown} KiB");
    // Their kernels take nothing more, and the service's finds that out.
    wait_until("they are let go", || server.health()["connections"].as_u64() <= Some(2));
    drop(watchers);
    assert_eq!(runner.report("complete", &job, json!({ "output_data": {} })).status, 200);
}

#[test]
fn a_subscriber_beyond_the_limit_is_refused_until_another_leaves() {
    let server = JobStore::sqlite().serve(&[]);
    let id = submit(&server);
    let watchers: Vec<_> = (0..pilotlight_core::limits::MAX_JOB_STREAMS)
        .map(|_| EventStream::of_job(server.connect(), &id))
        .collect();
    let refused = server.connect().get(&format!("/api/jobs/{id}/events"));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    drop(watchers);
    wait_until("there is room", || {
        let mut connection = server.connect();
        connection.send(format!("GET /api/jobs/{id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        connection.response_without_body().expect("an answer").status == 200
    });
}

#[test]
fn waiting_commands_exit_in_good_order_when_the_service_stops() {
    let grace = Duration::from_secs(3);
    for watcher_reads in [true, false] {
        let mut server = JobStore::sqlite().serve(&[("PILOTLIGHT_SERVER_GRACE", "3s")]);
        let id = submit(&server);
        let (mut runner, job) = claimed(&server);
        // More than the kernels hold, for one who does not read.
        let slow = (!watcher_reads).then(|| Slow::of(&server, &id));
        let all_wait = Barrier::new(7);
        let (server_ref, all_wait_ref, id_ref) = (&server, &all_wait, id.as_str());
        std::thread::scope(|scope| {
            let ask = |method: &'static str, path: String, body: Value| {
                scope.spawn(move || {
                    let mut party = ApiClient::at(server_ref.address()).as_runner("waits");
                    let body = if body.is_null() { String::new() } else { body.to_string() };
                    party.send(method, &path, body.as_bytes()).expect("it is open");
                    all_wait_ref.wait();
                    party.response()
                })
            };
            let submission = json!({ "job_type": TYPE, "input_params": {} });
            let other = json!({ "job_type": "other", "input_params": {} });
            let submits = [
                ask("POST", "/api/jobs/submit?wait_ms=600000".into(), submission),
                ask("POST", "/api/jobs/submit?wait_ms=600000".into(), other),
            ];
            let status = ask("GET", format!("/api/jobs/{id_ref}?wait_ms=600000"), Value::Null);
            let nexts = [
                ask("GET", "/api/runner/jobs/next?types[]=none&wait_ms=600000".into(), Value::Null),
                ask("GET", "/api/runner/jobs/next?types[]=nothing&wait_ms=600000".into(), Value::Null),
            ];
            let events = scope.spawn(|| {
                let events = EventStream::of_job(server_ref.connect(), id_ref);
                all_wait_ref.wait();
                watched(events).1["status"].clone()
            });
            all_wait.wait();
            wait_until("the runners wait", || server.metric("pilotlight_jobs_runners_waiting") >= 2.0);
            if slow.is_some() {
                for number in 0..20 {
                    let said = json!({ "console_output": format!("{number}{}", "x".repeat(CONSOLE - 8)) });
                    assert_eq!(runner.report("heartbeat", &job, said).status, 200);
                }
            }
            let asked = Instant::now();
            server.signal("TERM");
            for submitted in submits {
                let answer = submitted.join().unwrap().expect("an answer");
                assert!(matches!(answer.status, 200 | 201), "{answer:?}");
                assert!(matches!(
                    answer.json()["status"].as_str(),
                    Some("pending" | "claimed" | "in_progress")
                ));
            }
            assert_eq!(status.join().unwrap().expect("an answer").json()["job_id"], id_ref);
            for next in nexts {
                assert_eq!(next.join().unwrap(), Err(NoResponse::Closed), "a runner asks the next process");
            }
            assert_eq!(events.join().unwrap(), if slow.is_some() { "in_progress" } else { "claimed" });
            assert!(asked.elapsed() < grace, "they were kept waiting: {:?}", asked.elapsed());
        });
        // What a runner says of its job meanwhile is taken or not, and the runner is told which.
        let ending = Instant::now();
        assert_eq!(server.wait_for_exit().code(), Some(0));
        assert!(ending.elapsed() < grace + Duration::from_secs(5), "{:?}", ending.elapsed());
        drop(slow);
    }
}
