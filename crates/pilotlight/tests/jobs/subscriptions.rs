//! Event streams of a job: console output for many subscribers, for slow ones and for those that read nothing; and how
//! waiting requests end when the service stops.

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

const TYPE: &str = "subscribed";
const KIB: usize = 1024;
const SUBSCRIBERS: usize = 100;
/// The receive buffer of a slow reader. It is larger than a segment on loopback (64 KiB): with less, the kernel sends
/// small pieces with pauses of 200 ms between them, also after the reader is fast again.
const RECEIVE_BUFFER_BYTES: usize = 128 * KIB;
/// The largest console output that is stored by default.
const MAX_CONSOLE_BYTES: usize = 1024 * KIB;

fn submit(server: &TestServer) -> String {
    let submitted = ApiClient::at(server.address()).submit(TYPE, &json!({}));
    submitted["job_id"].as_str().expect("an id").to_owned()
}

/// A runner that has claimed and started the job, and the job.
fn claim_and_start(server: &TestServer) -> (ApiClient, Value) {
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    (runner, job)
}

/// Reads a stream to its end: the console output that results from its events, the last status, and how many events had
/// console output.
fn collect_stream(mut events: EventStream) -> (String, Value, usize) {
    let (mut console, mut ended_job, mut chunks) = (String::new(), Value::Null, 0);
    while let Some((name, data)) = events.next() {
        match name.as_str() {
            "console" => {
                if data["is_whole"] == true {
                    console.clear();
                }
                console += data["text"].as_str().expect("a text");
                chunks += 1;
            }
            "status" => ended_job = data,
            "progress" => {}
            _ => panic!("{name}: {data}"),
        }
    }
    (console, ended_job, chunks)
}

#[test]
fn all_subscribers_see_the_console_that_was_sent_in_chunks() {
    let server = JobStore::sqlite().serve(&[]);
    let id = submit(&server);
    let (mut runner, job) = claim_and_start(&server);
    // Each chunk ends within a line and has characters of one to four bytes.
    let chunks: Vec<_> =
        (0..64).map(|number| format!("{number}: {}ä\n€\u{1f600}", "x".repeat(15 * KIB))).collect();
    let whole = chunks.concat();
    assert!(whole.len() < MAX_CONSOLE_BYTES);
    std::thread::scope(|scope| {
        let subscribe = || collect_stream(EventStream::of_job(server.connect(), &id));
        let subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| scope.spawn(subscribe)).collect();
        for (number, chunk) in chunks.iter().enumerate() {
            let report = json!({ "console_append": chunk, "progress_current": number, "progress_total": 64 });
            assert_eq!(runner.report("heartbeat", &job, report).status, 200);
        }
        // Console output over the limit is refused, and the job continues.
        let too_much = "y".repeat(MAX_CONSOLE_BYTES - whole.len() + 1);
        let refused = runner.report("heartbeat", &job, json!({ "console_append": too_much }));
        assert_eq!(refused.status, 400);
        assert!(refused.error_text().contains("console_append"));
        assert_eq!(runner.report("heartbeat", &job, json!({})).status, 200);
        let report = json!({ "console_append": too_much, "output_data": {} });
        assert_eq!(runner.report("complete", &job, report).status, 400);
        let last_chunk = &too_much[1..];
        let report = json!({ "console_append": last_chunk, "output_data": { "n": 1 } });
        assert_eq!(runner.report("complete", &job, report).status, 200);
        for subscriber in subscribers {
            let (console, ended_job, _) = subscriber.join().expect("the stream ends");
            assert!(
                console == whole.clone() + last_chunk,
                "{} bytes instead of {MAX_CONSOLE_BYTES}",
                console.len()
            );
            assert_eq!(ended_job["status"], "completed");
            assert!(ended_job["result"]["console_output"] == console.as_str());
        }
    });
    // A late subscriber gets the whole console output in one event.
    let (console, _, chunks) = collect_stream(EventStream::of_job(server.connect(), &id));
    assert_eq!((console.len(), chunks), (MAX_CONSOLE_BYTES, 1));
}

/// A subscriber with a small receive buffer, which reads with pauses.
struct SlowReader(Connection);

impl SlowReader {
    fn of(server: &TestServer, id: &str) -> Self {
        let mut connection = server.connect();
        socket2::SockRef::from(connection.stream())
            .set_recv_buffer_size(RECEIVE_BUFFER_BYTES)
            .expect("an open socket");
        connection.send(format!("GET /api/jobs/{id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        Self(connection)
    }

    /// Reads the whole stream, at most `bytes` at a time. Pauses after each read while `job_runs` is true.
    fn read(self, bytes: usize, job_runs: &AtomicBool) -> String {
        let (mut received, mut buffer) = (Vec::new(), vec![0; bytes]);
        loop {
            match self.0.stream().read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => received.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("{error}"),
            }
            if received.ends_with(b"0\r\n\r\n") {
                break;
            }
            // The pause makes the reader slow, which is what this test is about.
            if job_runs.load(Relaxed) {
                pause(Duration::from_millis(2));
            }
        }
        String::from_utf8(received).expect("text")
    }
}

#[test]
fn a_slow_subscriber_skips_updates_gets_the_last_ones_and_slows_no_other() {
    const UPDATES: usize = 40;
    let server = JobStore::sqlite().serve(&[]);
    let id = submit(&server);
    let (mut runner, job) = claim_and_start(&server);
    let console = |number: usize| format!("{number:>8}{}", "x".repeat(MAX_CONSOLE_BYTES / 2));
    let job_runs = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let slow = SlowReader::of(&server, &id);
        let slow = scope.spawn(|| slow.read(32 * KIB, &job_runs));
        let fast = scope.spawn(|| collect_stream(EventStream::of_job(server.connect(), &id)));
        let started = Instant::now();
        for number in 0..UPDATES {
            let report = json!({ "console_output": console(number) });
            assert_eq!(runner.report("heartbeat", &job, report).status, 200);
        }
        let took = started.elapsed();
        assert_eq!(runner.report("complete", &job, json!({ "output_data": { "n": 1 } })).status, 200);
        job_runs.store(false, Relaxed);
        let (console_seen, ended_job, fast_updates) = fast.join().expect("the stream ends");
        assert!(console_seen == console(UPDATES - 1), "the fast subscriber has the last console output");
        assert_eq!(ended_job["status"], "completed");
        let slow_stream = slow.join().expect("the stream ends");
        let slow_updates = slow_stream.matches("event: console").count();
        println!(
            "{UPDATES} console updates in {took:?}: the fast subscriber saw {fast_updates}, the slow one {slow_updates}"
        );
        assert!(
            slow_stream.contains(&format!(r#""text":"{:>8}x"#, UPDATES - 1)),
            "the slow subscriber has the last console output"
        );
        assert!(
            slow_stream.rfind(r#""status":"completed""#) > slow_stream.rfind("event: console"),
            "the final status comes after the console output"
        );
    });
}

#[test]
fn subscribers_that_read_nothing_use_little_memory_and_are_closed_in_time() {
    const SUBSCRIBERS: usize = 32;
    let server = JobStore::sqlite().serve(&[]);
    let id = submit(&server);
    let (mut runner, job) = claim_and_start(&server);
    let report = |number: usize| {
        let console = format!("{number}{}", "\\".repeat(MAX_CONSOLE_BYTES / 2));
        json!({ "console_output": console })
    };
    for number in 0..20 {
        assert_eq!(runner.report("heartbeat", &job, report(number)).status, 200);
    }
    let before = server.resident_kib();
    let subscribers: Vec<_> = (0..SUBSCRIBERS).map(|_| SlowReader::of(&server, &id)).collect();
    for number in 0..60 {
        assert_eq!(runner.report("heartbeat", &job, report(number)).status, 200);
    }
    let growth = server.resident_kib().saturating_sub(before);
    println!("{SUBSCRIBERS} subscribers that read nothing took {growth} KiB");
    // One event per subscriber (the console output with JSON escapes), and the memory that is used to build it.
    assert!(growth < 128 * 1024, "{growth} KiB");
    // Their receive buffers are full, so the service's writes time out.
    wait_until("the connections of the subscribers are closed", || {
        server.health()["connections"].as_u64() <= Some(2)
    });
    drop(subscribers);
    assert_eq!(runner.report("complete", &job, json!({ "output_data": {} })).status, 200);
}

#[test]
fn a_subscriber_beyond_the_limit_is_refused_until_another_leaves() {
    let server = JobStore::sqlite().serve(&[]);
    let id = submit(&server);
    let subscribers: Vec<_> = (0..pilotlight_core::limits::MAX_JOB_STREAMS)
        .map(|_| EventStream::of_job(server.connect(), &id))
        .collect();
    let refused = server.connect().get(&format!("/api/jobs/{id}/events"));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    drop(subscribers);
    wait_until("another subscriber is accepted", || {
        let mut connection = server.connect();
        connection.send(format!("GET /api/jobs/{id}/events HTTP/1.1\r\nhost: localhost\r\n\r\n"));
        connection.response_without_body().expect("a response").status == 200
    });
}

#[test]
fn waiting_requests_and_streams_end_within_the_grace_time_when_the_service_stops() {
    let grace = Duration::from_secs(3);
    for subscriber_reads in [true, false] {
        let mut server = JobStore::sqlite().serve(&[("PILOTLIGHT_SERVER_GRACE", "3s")]);
        let id = submit(&server);
        let (mut runner, job) = claim_and_start(&server);
        // This subscriber does not read, and gets more than fits into the socket buffers.
        let slow = (!subscriber_reads).then(|| SlowReader::of(&server, &id));
        let all_waiting = Barrier::new(7);
        let (server_ref, all_waiting_ref, id_ref) = (&server, &all_waiting, id.as_str());
        std::thread::scope(|scope| {
            let send = |method: &'static str, path: String, body: Value| {
                scope.spawn(move || {
                    let mut client = ApiClient::at(server_ref.address()).as_runner("waits");
                    let body = if body.is_null() { String::new() } else { body.to_string() };
                    client.send(method, &path, body.as_bytes()).expect("an open connection");
                    all_waiting_ref.wait();
                    client.response()
                })
            };
            let submission = json!({ "job_type": TYPE, "input_params": {} });
            let other = json!({ "job_type": "other", "input_params": {} });
            let submits = [
                send("POST", "/api/jobs/submit?wait_ms=600000".into(), submission),
                send("POST", "/api/jobs/submit?wait_ms=600000".into(), other),
            ];
            let status = send("GET", format!("/api/jobs/{id_ref}?wait_ms=600000"), Value::Null);
            let polls = [
                send("GET", "/api/runner/jobs/next?types[]=none&wait_ms=600000".into(), Value::Null),
                send("GET", "/api/runner/jobs/next?types[]=nothing&wait_ms=600000".into(), Value::Null),
            ];
            let events = scope.spawn(|| {
                let events = EventStream::of_job(server_ref.connect(), id_ref);
                all_waiting_ref.wait();
                collect_stream(events).1["status"].clone()
            });
            all_waiting.wait();
            wait_until("both polls are waiting", || server.metric("pilotlight_jobs_runners_waiting") >= 2.0);
            if slow.is_some() {
                for number in 0..20 {
                    let report =
                        json!({ "console_output": format!("{number}{}", "x".repeat(MAX_CONSOLE_BYTES - 8)) });
                    assert_eq!(runner.report("heartbeat", &job, report).status, 200);
                }
            }
            let signalled = Instant::now();
            server.signal("TERM");
            for submitted in submits {
                let response = submitted.join().unwrap().expect("a response");
                assert!(matches!(response.status, 200 | 201), "{response:?}");
                assert!(matches!(
                    response.json()["status"].as_str(),
                    Some("pending" | "claimed" | "in_progress")
                ));
            }
            assert_eq!(status.join().unwrap().expect("a response").json()["job_id"], id_ref);
            for poll in polls {
                assert_eq!(
                    poll.join().unwrap(),
                    Err(NoResponse::Closed),
                    "a waiting poll ends without a response, and its runner polls the next process"
                );
            }
            assert_eq!(events.join().unwrap(), if slow.is_some() { "in_progress" } else { "claimed" });
            assert!(
                signalled.elapsed() < grace,
                "the waiting requests ended too late: {:?}",
                signalled.elapsed()
            );
        });
        let exit_started = Instant::now();
        assert_eq!(server.wait_for_exit().code(), Some(0));
        assert!(exit_started.elapsed() < grace + Duration::from_secs(5), "{:?}", exit_started.elapsed());
        drop(slow);
    }
}
