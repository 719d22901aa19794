//! The queue limits: when the queue is full, a new job is refused with an error that names the limit, and all other
//! requests still work.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::http::Response;
use pilotlight_testkit::job_store::{JobStore, for_each_store};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

const TYPE: &str = "queued";

for_each_store! {
    a_new_job_is_refused_when_the_queue_is_full_and_other_requests_work
    a_new_job_is_refused_when_the_queue_holds_too_many_bytes
    metrics_show_the_number_and_size_of_queued_jobs
}

fn submit(server: &TestServer, input: &Value) -> Response {
    let body = json!({ "job_type": TYPE, "input_params": input });
    ApiClient::at(server.address()).post("/api/jobs/submit", &body)
}

fn number(number: usize) -> Value {
    json!({ "number": number })
}

fn assert_refused(response: &Response, limit: &str) {
    assert_eq!(response.status, 503, "{response:?}");
    assert_eq!(response.header("retry-after"), Some("1"));
    let body = response.json();
    let error = body["error"].as_str().expect("an error text");
    assert!(error.contains(limit) && error.contains("start more runners"), "{error}");
}

fn a_new_job_is_refused_when_the_queue_is_full_and_other_requests_work(store: &JobStore) {
    let server = store.serve(&[("PILOTLIGHT_JOBS_MAX_WAITING", "2")]);
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    let mut caller = ApiClient::at(server.address());
    assert_eq!(submit(&server, &number(0)).status, 201);
    runner.execute(TYPE, &json!({ "n": 0 }));
    assert_eq!(submit(&server, &number(1)).status, 201);
    let later = json!({ "run_at": 4_000_000_000_000_u64 });
    assert_eq!(caller.submit_with(TYPE, &number(2), &later).0, 201);

    let limit = "at most 2 jobs may wait for runners (jobs.max_waiting)";
    assert_refused(&submit(&server, &number(3)), limit);
    let (status, body) = caller.submit_with(TYPE, &number(0), &json!({ "fresh": true }));
    assert_eq!((status, body["error"].as_str().map(|error| error.contains(limit))), (503, Some(true)));
    // Cached results are returned, and submissions join queued jobs.
    let cached = submit(&server, &number(0));
    assert_eq!((cached.status, &cached.json()["result"]["output_data"]["n"]), (200, &json!(0)));
    assert_eq!(submit(&server, &number(1)).status, 200);
    let refused = server.metric("pilotlight_jobs_submitted_total{outcome=\"refused\"}");
    assert!((refused - 2.0).abs() < 0.5, "{refused}");

    // A runner takes a job out of the queue.
    runner.execute(TYPE, &json!({ "n": 1 }));
    assert_eq!(submit(&server, &number(3)).status, 201);
    assert_refused(&submit(&server, &number(4)), limit);
}

fn a_new_job_is_refused_when_the_queue_holds_too_many_bytes(store: &JobStore) {
    const KIB: usize = 1024;
    let server = store.serve(&[("PILOTLIGHT_JOBS_MAX_WAITING_BYTES", "1MiB")]);
    let large = |number: usize| json!({ "number": number, "x": "x".repeat(99 * KIB) });
    for number in 0..11 {
        assert_eq!(submit(&server, &large(number)).status, 201, "{number}");
    }
    let limit = "at most 1048576 bytes of jobs may wait for runners (jobs.max_waiting_bytes)";
    assert_refused(&submit(&server, &large(11)), limit);
    assert_refused(&submit(&server, &number(11)), limit);
    assert_eq!(submit(&server, &large(0)).status, 200);
    ApiClient::at(server.address()).as_runner("runner-1").execute(TYPE, &json!({}));
    assert_eq!(submit(&server, &number(11)).status, 201);
}

fn metrics_show_the_number_and_size_of_queued_jobs(store: &JobStore) {
    let server = store.serve(&[]);
    let gauge = |name: &str| server.metric(&format!("pilotlight_{name}"));
    let is = |name: &str, expected: usize| (gauge(name) - expected as f64).abs() < 0.5;
    for input in 0..3 {
        submit(&server, &number(input));
    }
    let bytes = r#"{"number":0}"#.len();
    wait_until("three jobs are queued", || is("jobs_waiting", 3) && is("jobs_waiting_bytes", 3 * bytes));
    ApiClient::at(server.address()).as_runner("runner-1").execute(TYPE, &json!({}));
    wait_until("two jobs are queued", || is("jobs_waiting", 2) && is("jobs_waiting_bytes", 2 * bytes));
}
