//! `telemetry.otlp_endpoint`: spans arrive at a collector. The collector here is a fake that accepts OTLP over HTTP,
//! because tests check the exported spans.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::http::post_request;
use pilotlight_testkit::run_message::{self, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::DEADLINE;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// Accepts exports, and answers each with the next of the given statuses. The last status answers all further exports.
struct Collector {
    address: SocketAddr,
    exports: Receiver<Value>,
}

impl Collector {
    fn with_statuses(statuses: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an open socket");
        let (sender, exports) = channel();
        // The thread ends with the test's process.
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let status = statuses[number.min(statuses.len() - 1)];
                let export = receive_export(stream.expect("a connection"), status);
                if sender.send(export).is_err() {
                    return;
                }
            }
        });
        Self { address, exports }
    }

    fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The spans of the next export.
    fn spans(&self) -> Vec<Value> {
        let export = self.exports.recv_timeout(DEADLINE).expect("an export arrives");
        let [resource] = export["resourceSpans"].as_array().expect("a list").as_slice() else {
            panic!("{export}")
        };
        let service = json!({ "key": "service.name", "value": { "stringValue": "pilotlight" } });
        assert!(
            resource["resource"]["attributes"].as_array().expect("a list").contains(&service),
            "{resource}"
        );
        resource["scopeSpans"][0]["spans"].as_array().expect("a list").clone()
    }

    /// The next spans, from one or more exports: at least `count`.
    fn next_spans(&self, count: usize) -> Vec<Value> {
        let mut spans = Vec::new();
        while spans.len() < count {
            spans.extend(self.spans());
        }
        spans
    }
}

fn receive_export(stream: TcpStream, status: &str) -> Value {
    let mut reader = BufReader::new(&stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        if line == "\r\n" {
            break;
        }
        head.push(line.trim_end().to_ascii_lowercase());
    }
    assert_eq!(head[0], "post /v1/traces http/1.1");
    assert!(head.iter().any(|line| line == "content-type: application/json"), "{head:?}");
    let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
    let mut body = vec![0; length.parse().expect("a number")];
    reader.read_exact(&mut body).expect("a body");
    let answer =
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}");
    (&stream).write_all(answer.as_bytes()).expect("the service reads the response");
    serde_json::from_slice(&body).expect("the body is JSON")
}

fn traced_offer(server: &TestServer, id: &str, flags: &str) -> bool {
    let request = String::from_utf8(post_request("/warm-start", run_message::offer(&run(id)))).expect("text");
    let traceparent = format!("\r\ntraceparent: 00-{TRACE}-{PARENT}-{flags}\r\n");
    let mut supervisor = server.connect();
    supervisor.send(request.replacen("\r\n", &traceparent, 1));
    supervisor.response().expect("an answer").json()["didWarmStart"] == true
}

fn attribute(span: &Value, key: &str) -> Value {
    let all = span["attributes"].as_array().expect("a list");
    let found = all.iter().find(|attribute| attribute["key"] == key);
    found.unwrap_or_else(|| panic!("no {key} in {span}"))["value"].clone()
}

fn nanos(time: &Value) -> u128 {
    time.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("{time} is not a time"))
}

#[test]
fn a_span_arrives_with_its_parent_its_times_and_its_dispatches() {
    let collector = Collector::with_statuses(&["200 OK"]);
    let server = TestServer::with(&[("PILOTLIGHT_TELEMETRY_OTLP_ENDPOINT", &collector.endpoint())]);
    let mut runner = server.park(&Poll::by("runner-1"));
    let before = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    assert!(traced_offer(&server, "run_1", "01"));
    let after = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos();
    runner.response().expect("the run");
    let spans = collector.spans();
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!((&span["traceId"], &span["parentSpanId"]), (&json!(TRACE), &json!(PARENT)));
    let id = span["spanId"].as_str().expect("text");
    assert!(id.len() == 16 && id != PARENT && id.bytes().all(|digit| digit.is_ascii_hexdigit()), "{id}");
    assert_eq!((&span["name"], &span["kind"]), (&json!("warm_start.offer"), &json!(2)));
    let (start, end) = (nanos(&span["startTimeUnixNano"]), nanos(&span["endTimeUnixNano"]));
    // The test and the service read the clock one after the other.
    assert!(
        before <= start + 1_000_000 && start < end && end <= after + 1_000_000,
        "{before} {start} {end} {after}"
    );
    assert_eq!(attribute(span, "run"), json!({ "stringValue": "run_1" }));
    assert_eq!(attribute(span, "outcome"), json!({ "stringValue": "warm" }));
    assert_eq!(attribute(span, "dispatches"), json!({ "intValue": "1" }));
    let events = span["events"].as_array().expect("a list");
    assert_eq!((events.len(), &events[0]["name"]), (1, &json!("dispatch")));
    assert!((start..=end).contains(&nanos(&events[0]["timeUnixNano"])), "{span}");
}

#[test]
fn an_unsampled_trace_is_not_exported_and_an_offer_without_a_trace_is_a_root() {
    let collector = Collector::with_statuses(&["200 OK"]);
    let mut server = TestServer::with(&[("PILOTLIGHT_TELEMETRY_OTLP_ENDPOINT", &collector.endpoint())]);
    assert!(!traced_offer(&server, "run_1", "00"));
    assert!(!server.supervisor().offer(&run("run_2")));
    // The last spans are exported before the process ends.
    server.signal("TERM");
    assert!(server.wait_for_exit().success());
    let spans = collector.spans();
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(
        (attribute(span, "run"), &span["parentSpanId"]),
        (json!({ "stringValue": "run_2" }), &json!(""))
    );
    assert_eq!(attribute(span, "outcome"), json!({ "stringValue": "cold" }));
}

#[test]
fn a_failed_export_is_retried_and_a_refused_one_is_dropped_and_counted() {
    let collector = Collector::with_statuses(&["503 Service Unavailable", "200 OK", "400 Bad Request"]);
    let server = TestServer::with(&[("PILOTLIGHT_TELEMETRY_OTLP_ENDPOINT", &collector.endpoint())]);
    assert!(!traced_offer(&server, "run_1", "01"));
    assert_eq!(collector.spans(), collector.spans());
    let dropped = || server.metric(r#"pilotlight_telemetry_dropped_total{what="span"}"#);
    assert_eq!(dropped(), 0.0);
    assert!(!traced_offer(&server, "run_2", "01"));
    collector.spans();
    pilotlight_testkit::wait::wait_until("the refused span is counted", || dropped() == 1.0);
    // The service logs the failure after it has counted the span.
    pilotlight_testkit::wait::wait_until("the refused export is logged", || {
        server.log().contains("the collector answered 400")
    });
}

/// Submits a job with these trace flags, and returns its id.
fn submit_traced_job(server: &TestServer, flags: &str) -> String {
    let traceparent = format!("00-{TRACE}-{PARENT}-{flags}");
    let mut caller = ApiClient::at(server.address()).with_header("traceparent", &traceparent);
    let submitted = caller.submit("render", &json!({ "flags": flags }));
    submitted["job_id"].as_str().expect("an id").to_owned()
}

fn execute_job(server: &TestServer) {
    ApiClient::at(server.address()).as_runner("runner-1").execute("render", &json!({}));
}

fn span_named<'a>(spans: &'a [Value], name: &str) -> &'a Value {
    spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("no {name} in {spans:?}"))
}

#[test]
fn a_submission_is_a_child_of_its_callers_span_and_links_to_the_attempt() {
    let collector = Collector::with_statuses(&["200 OK"]);
    let server = TestServer::with(&[("PILOTLIGHT_TELEMETRY_OTLP_ENDPOINT", &collector.endpoint())]);
    let id = submit_traced_job(&server, "01");
    execute_job(&server);
    let spans = collector.next_spans(2);
    assert_eq!(spans.len(), 2, "{spans:?}");
    let (submission, attempt) = (span_named(&spans, "job.submit"), span_named(&spans, "job"));
    assert_eq!((&submission["traceId"], &submission["parentSpanId"]), (&json!(TRACE), &json!(PARENT)));
    assert_eq!((&submission["kind"], &attempt["kind"]), (&json!(2), &json!(1)));
    assert_eq!(attribute(submission, "outcome"), json!({ "stringValue": "new" }));
    // The trace id of the job is the job's id, so one can be found by the other.
    assert_eq!((&attempt["traceId"], &attempt["parentSpanId"]), (&json!(id.replace('-', "")), &json!("")));
    let links = submission["links"].as_array().expect("a list");
    let [link] = links.as_slice() else { panic!("{links:?}") };
    assert_eq!((&link["traceId"], &link["spanId"]), (&attempt["traceId"], &attempt["spanId"]));
    for (key, value) in [("job.id", id.as_str()), ("job.type", "render")] {
        assert_eq!(attribute(submission, key), json!({ "stringValue": value }));
        assert_eq!(attribute(attempt, key), json!({ "stringValue": value }));
    }
    assert_eq!(attribute(attempt, "attempt"), json!({ "intValue": "1" }));
    assert_eq!(attribute(attempt, "outcome"), json!({ "stringValue": "completed" }));
    assert_eq!(attribute(attempt, "runner"), json!({ "stringValue": "runner-1" }));
    assert!(nanos(&submission["startTimeUnixNano"]) <= nanos(&submission["endTimeUnixNano"]));
    assert!(nanos(&attempt["startTimeUnixNano"]) <= nanos(&attempt["endTimeUnixNano"]));

    assert_eq!(submit_traced_job(&server, "01"), id);
    let [cached] = collector.next_spans(1).try_into().expect("one span");
    assert_eq!(attribute(&cached, "outcome"), json!({ "stringValue": "cached" }));
    assert_eq!(cached["links"][0]["spanId"], attempt["spanId"]);
}

#[test]
fn a_job_whose_caller_does_not_sample_is_not_exported() {
    let collector = Collector::with_statuses(&["200 OK"]);
    let mut server = TestServer::with(&[("PILOTLIGHT_TELEMETRY_OTLP_ENDPOINT", &collector.endpoint())]);
    submit_traced_job(&server, "00");
    execute_job(&server);
    assert!(!traced_offer(&server, "run_1", "01"));
    server.signal("TERM");
    assert!(server.wait_for_exit().success());
    let spans = collector.spans();
    let [span] = spans.as_slice() else { panic!("{spans:?}") };
    assert_eq!(span["name"], "warm_start.offer");
}

#[test]
fn the_end_of_each_attempt_is_exported() {
    let collector = Collector::with_statuses(&["200 OK"]);
    let server = TestServer::with(&[("PILOTLIGHT_TELEMETRY_OTLP_ENDPOINT", &collector.endpoint())]);
    let mut caller = ApiClient::at(server.address());
    let options = json!({ "max_attempts": 2, "retry_backoff_ms": 0 });
    let (_, submitted) = caller.submit_with("render", &json!({}), &options);
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    for _ in 0..2 {
        let job = runner.next_job("render", 10_000).expect("a job");
        assert_eq!(runner.report("error", &job, json!({ "error_message": "secret" })).status, 200);
    }
    let spans = collector.next_spans(3);
    assert!(!format!("{spans:?}").contains("secret"), "{spans:?}");
    let attempts: Vec<_> = spans.iter().filter(|span| span["name"] == "job").collect();
    let numbers: Vec<_> = attempts.iter().map(|span| attribute(span, "attempt")).collect();
    assert_eq!(numbers, [json!({ "intValue": "1" }), json!({ "intValue": "2" })]);
    assert_ne!(attempts[0]["spanId"], attempts[1]["spanId"]);
    for attempt in attempts {
        assert_eq!(attribute(attempt, "outcome"), json!({ "stringValue": "failed" }));
        assert_eq!(attribute(attempt, "job.id"), json!({ "stringValue": submitted["job_id"] }));
    }
}
