//! Several clients at once: callers that wait for one shared execution, and subscribers of a job's event stream.

use pilotlight_testkit::event_stream::EventStream;
use pilotlight_testkit::http::Response;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{wait_for, wait_until};
use serde_json::{Value, json};

const CALLERS: usize = 8;
const SUBMISSION: &str = r#"{"job_type": "shared", "input_params": {"by": "all"}}"#;

/// Sends a runner's request about a job, such as `claim`; returns the body of the response.
fn report(server: &TestServer, job: &str, action: &str, body: &Value) -> Value {
    let body = body.to_string();
    let mut connection = server.connect();
    connection.send(format!(
        "POST /api/runner/jobs/{job}/{action} HTTP/1.1\r\nhost: localhost\r\nx-runner-id: r\r\ncontent-length: {}\r\n\
         \r\n{body}",
        body.len()
    ));
    let response = connection.response().unwrap_or_else(|none| panic!("no response to {action}: {none:?}"));
    assert_eq!(response.status, 200, "{action}: {}", response.text());
    response.json()
}

fn first_job_id(server: &TestServer) -> Option<String> {
    let jobs = server.connect().get("/api/admin/jobs").json();
    jobs["jobs"][0]["job_id"].as_str().map(str::to_owned)
}

fn caller_count(server: &TestServer, job: &str) -> Value {
    server.connect().get(&format!("/api/admin/jobs/{job}")).json()["callers"].clone()
}

#[test]
fn equal_submissions_share_one_execution_and_all_get_its_result() {
    let server = TestServer::start();
    let responses: Vec<Response> = std::thread::scope(|scope| {
        let submit = || server.connect().post("/api/jobs/submit?wait_ms=30000", SUBMISSION);
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(submit)).collect();
        let job = wait_for("the job is listed", || first_job_id(&server));
        wait_until("all callers have joined the job", || caller_count(&server, &job) == CALLERS);
        let path = format!("/api/jobs/{job}?wait_ms=30000");
        let poller = scope.spawn(|| server.connect().get(&{ path }));
        report(&server, &job, "claim", &json!({}));
        report(&server, &job, "complete", &json!({ "output_data": { "is": "one" } }));
        let status = poller.join().expect("a response").json();
        assert_eq!(
            (&status["status"], &status["result"]["output_data"]["is"]),
            (&json!("completed"), &json!("one"))
        );
        callers.into_iter().map(|caller| caller.join().expect("a response")).collect()
    });
    let new = responses.iter().filter(|response| response.status == 201).count();
    assert_eq!(new, 1);
    for response in &responses {
        let body = response.json();
        assert_eq!(
            (&body["status"], &body["result"]["output_data"]["is"]),
            (&json!("completed"), &json!("one"))
        );
    }
    let stats = server.connect().get("/api/admin/stats").json();
    assert_eq!(stats["jobs"]["total"], 1);
}

#[test]
fn waiting_callers_get_a_response_when_the_service_stops() {
    let mut server = TestServer::start();
    let mut caller = server.connect();
    caller.send(pilotlight_testkit::http::post_request("/api/jobs/submit?wait_ms=600000", SUBMISSION));
    let job = wait_for("the job is listed", || first_job_id(&server));
    let mut events = EventStream::of_job(server.connect(), &job);
    assert_eq!(events.next().map(|(name, _)| name).as_deref(), Some("status"));
    server.signal("TERM");
    let response = caller.response().expect("a response");
    assert_eq!((response.status, &response.json()["status"]), (201, &json!("pending")));
    assert_eq!(events.next(), None);
    assert!(server.wait_for_exit().success());
}

#[test]
fn subscribers_see_a_job_progress() {
    let server = TestServer::start();
    let submitted = server.connect().post("/api/jobs/submit", SUBMISSION).json();
    let job = submitted["job_id"].as_str().expect("an id").to_owned();
    let mut events = EventStream::of_job(server.connect(), &job);
    let mut next = |name: &str| {
        let (got, data) = events.next().unwrap_or_else(|| panic!("the stream ended before {name}"));
        assert_eq!(got, name, "{data}");
        data
    };
    assert_eq!(next("status")["status"], "pending");
    report(&server, &job, "claim", &json!({}));
    assert_eq!(next("status")["status"], "claimed");
    let heartbeat = json!({ "progress_current": 1, "progress_total": 2, "console_output": "one\n" });
    report(&server, &job, "heartbeat", &heartbeat);
    assert_eq!(next("status")["progress"], json!({ "current": 1, "total": 2 }));
    assert_eq!(next("console"), json!({ "is_whole": true, "text": "one\n" }));
    assert_eq!(next("progress"), json!({ "current": 1, "total": 2 }));
    report(&server, &job, "heartbeat", &json!({ "console_append": "two\n" }));
    assert_eq!(next("console"), json!({ "is_whole": false, "text": "two\n" }));
    let result = json!({ "console_append": "end", "output_data": { "a": 1 } });
    report(&server, &job, "complete", &result);
    assert_eq!(next("console"), json!({ "is_whole": false, "text": "end" }));
    let ended = next("status");
    assert_eq!(ended["status"], "completed");
    assert_eq!(ended["result"], json!({ "output_data": { "a": 1 }, "console_output": "one\ntwo\nend" }));
    assert_eq!(events.next(), None);
    // A stream of an ended job sends the console and the final status at once, and ends.
    let mut late_events = EventStream::of_job(server.connect(), &job);
    let names: Vec<_> = std::iter::from_fn(|| late_events.next()).map(|(name, _)| name).collect();
    assert_eq!(names, ["console", "status"]);
}
