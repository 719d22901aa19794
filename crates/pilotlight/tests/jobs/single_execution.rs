//! Equal submissions are executed once, and only the runner with the current lease can report the outcome of a job.

use std::sync::Barrier;
use std::time::Duration;

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::need;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

const TYPE: &str = "once";

fn id(job: &Value) -> &str {
    job["job_id"].as_str().expect("an id")
}

fn runner(server: &TestServer, name: &str) -> ApiClient {
    ApiClient::at(server.address()).as_runner(name)
}

/// Executes the next job of the type with this output.
fn execute(runner: &mut ApiClient, output: &Value) -> Value {
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    let done = runner.report("complete", &job, json!({ "output_data": output, "console_output": "done" }));
    assert_eq!(done.status, 200, "{done:?}");
    job
}

#[test]
fn a_hundred_equal_submissions_share_one_execution_and_its_result() {
    let store = JobStore::sqlite();
    let servers = [store.serve(&[])];
    assert_one_execution(&servers.each_ref());
}

#[test]
fn a_hundred_equal_submissions_to_two_instances_share_one_execution_and_its_result() {
    need!("postgresql");
    let store = JobStore::postgres();
    let servers = [store.serve(&[]), store.serve(&[])];
    assert_one_execution(&servers.each_ref());
}

/// Submits equal jobs from a hundred callers at once, spread over these instances, and asserts that all of them get the
/// result of one execution.
fn assert_one_execution(servers: &[&TestServer]) {
    const CALLERS: usize = 100;
    let (all_ready, output) = (Barrier::new(CALLERS), json!({ "answer": 42 }));
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS)
            .map(|number| {
                let (server, all_ready) = (servers[number % servers.len()], &all_ready);
                scope.spawn(move || {
                    let mut caller = ApiClient::at(server.address());
                    // The same JSON value in two notations.
                    let input = if number % 2 == 0 {
                        r#"{"a":1,"b":[1e2]}"#
                    } else {
                        r#"{ "b": [100.0], "a": 1.0 }"#
                    };
                    let body = format!(r#"{{"job_type":"{TYPE}","input_params":{input}}}"#);
                    all_ready.wait();
                    let response = caller.request("POST", "/api/jobs/submit?wait_ms=20000", body.as_bytes());
                    (response.status, response.json())
                })
            })
            .collect();
        let mut runner = runner(servers[servers.len() - 1], "runner-1");
        let job = execute(&mut runner, &output);
        let responses: Vec<_> =
            callers.into_iter().map(|caller| caller.join().expect("a response")).collect();
        for (status, body) in &responses {
            assert!(matches!(status, 200 | 201), "{body}");
            assert_eq!(body["job_id"], job["job_id"]);
            assert_eq!(body["status"], "completed", "{body}");
            assert_eq!(body["result"]["output_data"], output);
        }
        assert_eq!(
            responses.iter().filter(|(status, _)| *status == 201).count(),
            1,
            "only one submission creates the job"
        );
        assert_eq!(runner.next_job(TYPE, 0), None, "there was one execution");
    });
}

/// Changes to the schema as a next version may make them: they only add.
const NEXT_SCHEMA: &str = "BEGIN; ALTER TABLE pilotlight.jobs ADD COLUMN of_the_next TEXT NOT NULL DEFAULT ''; \
                    CREATE INDEX jobs_of_the_next ON pilotlight.jobs (of_the_next); \
                    CREATE TABLE pilotlight.of_the_next (a BIGINT); \
                    UPDATE pilotlight.meta SET value = 2 WHERE name = 'schema'; COMMIT";

#[test]
fn two_neighbouring_versions_share_a_database_without_an_error() {
    need!("postgresql");
    let store = JobStore::postgres();
    let JobStore::Postgres { cluster: database, url } = &store else {
        unreachable!("the store is PostgreSQL")
    };
    let servers = [store.serve(&[]), store.serve(&[])];
    assert_one_execution(&servers.each_ref());
    // A next version starts next to these services and upgrades the schema while they run.
    database.sql(url, NEXT_SCHEMA);
    let next = store.serve(&[]);
    for server in servers.iter().chain([&next]) {
        let mut caller = ApiClient::at(server.address());
        let submitted = caller.submit(TYPE, &json!({ "on": server.address().port() }));
        let job = execute(&mut runner(&next, "runner-2"), &json!({ "is": "done" }));
        assert_eq!(id(&job), id(&submitted));
        assert_eq!(caller.job(id(&submitted))["status"], "completed");
        assert_eq!(caller.get("/api/admin/stats").status, 200);
    }
}

#[test]
fn a_waiting_runner_gets_the_job_and_the_waiting_caller_gets_the_result() {
    let store = JobStore::sqlite();
    let server = store.serve(&[]);
    std::thread::scope(|scope| {
        let waiting_runner =
            scope.spawn(|| execute(&mut runner(&server, "runner-1"), &json!({ "is": "done" })));
        let mut caller = ApiClient::at(server.address());
        let submission = json!({ "job_type": TYPE, "input_params": {} });
        let body = caller.post("/api/jobs/submit?wait_ms=20000", &submission).json();
        assert_eq!(body["status"], "completed", "{body}");
        assert_eq!(body["result"]["output_data"], json!({ "is": "done" }));
        assert_eq!(waiting_runner.join().expect("the runner executed the job")["attempt"], 1);
    });
    assert!(server.metric(r#"pilotlight_jobs_dispatched_total{delivery="acknowledged"}"#) >= 1.0);
}

#[test]
fn a_frozen_runner_that_wakes_late_is_refused_at_its_start() {
    let store = JobStore::sqlite();
    let server = store.serve(&[("PILOTLIGHT_JOBS_DISPATCH_TIMEOUT", "200ms")]);
    let mut caller = ApiClient::at(server.address());
    let submitted = caller.submit(TYPE, &json!({}));
    let (mut frozen, mut healthy) = (runner(&server, "frozen"), runner(&server, "healthy"));
    let late = frozen.next_job(TYPE, 10_000).expect("a job");
    // The frozen runner sends no `start`, so its job is given to another runner, and no attempt is used up.
    let job = healthy.next_job(TYPE, 10_000).expect("the same job");
    assert_eq!((&job["job_id"], &job["attempt"]), (&late["job_id"], &json!(1)));
    assert!(job["lease"].as_u64() > late["lease"].as_u64());
    for action in ["start", "heartbeat"] {
        let refused = frozen.report(action, &late, json!({}));
        assert_eq!((refused.status, &refused.json()["success"]), (409, &json!(false)), "{action}");
    }
    assert_eq!(healthy.report("start", &job, json!({})).status, 200);
    let refused = frozen.report("complete", &late, json!({ "output_data": { "by": "frozen" } }));
    assert_eq!(refused.status, 409, "{refused:?}");
    let done = healthy.report("complete", &job, json!({ "output_data": { "by": "healthy" } }));
    assert_eq!(done.status, 200, "{done:?}");
    assert_eq!(caller.job(id(&submitted))["result"]["output_data"]["by"], "healthy");
}

#[test]
fn a_result_may_be_repeated_and_never_replaced() {
    let store = JobStore::sqlite();
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let submitted = caller.submit(TYPE, &json!({}));
    let (mut first, mut other_runner) = (runner(&server, "runner-1"), runner(&server, "runner-2"));
    let job = execute(&mut first, &json!({ "n": 1 }));
    let complete = |client: &mut ApiClient, lease: Value, n: f64| {
        let path = format!("/api/runner/jobs/{}/complete", id(&submitted));
        client.post(&path, &json!({ "output_data": { "n": n }, "lease": lease })).status
    };
    // A runner repeats its result when the first response was lost; 1 and 1.0 are the same value.
    assert_eq!(complete(&mut first, job["lease"].clone(), 1.0), 200);
    assert_eq!(complete(&mut first, Value::Null, 1.0), 200);
    assert_eq!(complete(&mut first, job["lease"].clone(), 2.0), 409);
    assert_eq!(complete(&mut first, Value::Null, 2.0), 400);
    assert_eq!(complete(&mut other_runner, Value::Null, 1.0), 400);
    assert_eq!(complete(&mut other_runner, job["lease"].clone(), 1.0), 409);
    assert_eq!(caller.job(id(&submitted))["result"]["output_data"], json!({ "n": 1 }));
}

#[test]
fn a_silent_runners_job_is_queued_again_and_fails_after_too_many_losses() {
    let store = JobStore::sqlite();
    let settings = [("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "1s"), ("PILOTLIGHT_JOBS_LOST_RETRIES", "1")];
    let server = store.serve(&settings);
    let mut caller = ApiClient::at(server.address());
    let submitted = caller.submit(TYPE, &json!({}));
    for attempt in [1, 1] {
        let mut silent = runner(&server, "silent");
        let job = silent.next_job(TYPE, 10_000).expect("a job");
        assert_eq!(job["attempt"], attempt, "a lost job uses up no attempt");
        assert_eq!(silent.report("start", &job, json!({})).status, 200);
    }
    wait_until("the job fails", || caller.job(id(&submitted))["status"] == "failed");
    let body = caller.job(id(&submitted));
    assert!(body["error"].as_str().is_some_and(|error| error.contains("lost")), "{body}");
    // The failure of a lost job is not cached.
    let again = caller.post("/api/jobs/submit", &json!({ "job_type": TYPE, "input_params": {} }));
    assert_eq!(again.status, 201);
    assert_ne!(id(&again.json()), id(&submitted));
}

#[test]
fn a_runner_that_leaves_gets_no_job() {
    let store = JobStore::sqlite();
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    for number in 0..20 {
        let mut leaving = runner(&server, "leaving");
        let path = format!("/api/runner/jobs/next?types[]={TYPE}&wait_ms=10000");
        leaving.send("GET", &path, b"").expect("an open connection");
        wait_until("the runner is waiting", || server.metric("pilotlight_jobs_runners_waiting") >= 1.0);
        drop(leaving);
        let submitted = caller.submit(TYPE, &json!({ "number": number }));
        let mut healthy = runner(&server, "healthy");
        let started = std::time::Instant::now();
        let job = healthy.next_job(TYPE, 10_000).expect("the job");
        assert_eq!(id(&job), id(&submitted));
        assert!(started.elapsed() < Duration::from_secs(5), "the job waited for the runner that had left");
        assert_eq!(healthy.report("complete", &job, json!({ "output_data": {} })).status, 200);
    }
}

#[test]
fn a_job_ends_when_its_last_caller_cancels_and_its_heartbeats_report_it() {
    let store = JobStore::sqlite();
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let submitted = caller.submit(TYPE, &json!({}));
    assert_eq!(id(&caller.submit(TYPE, &json!({}))), id(&submitted), "the second submission joins the job");
    let mut runner = runner(&server, "runner-1");
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    let cancel = format!("/api/jobs/{}/cancel", id(&submitted));
    assert_eq!(caller.post(&cancel, &json!({})).status, 200);
    assert_eq!(runner.report("heartbeat", &job, json!({})).json()["cancelled"], Value::Null);
    assert_eq!(caller.post(&cancel, &json!({})).status, 200);
    let body = caller.job(id(&submitted));
    assert_eq!((&body["status"], &body["error"]), (&json!("failed"), &json!("cancelled")));
    assert_eq!(runner.report("heartbeat", &job, json!({})).json()["cancelled"], true);
    assert_eq!(runner.report("complete", &job, json!({ "output_data": {} })).status, 409);
    let same = json!({ "job_type": TYPE, "input_params": {} });
    assert_eq!(caller.post("/api/jobs/check", &same).json()["exists"], false);
    assert_eq!(caller.post("/api/jobs/submit", &same).status, 201, "a cancellation is not cached");
}
