//! Options of a submission: result lifetime, fresh computation, idempotency key, priority, start time, attempts and
//! code version.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::job_store::{JobStore, for_each_store};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

const TYPE: &str = "options";

for_each_store! {
    a_result_expires_after_the_ttl_of_its_submission
    a_failure_is_cached_for_its_ttl_and_then_computed_again
    a_fresh_submission_is_computed_again_and_replaces_the_cached_result
    a_slow_older_duplicate_does_not_replace_the_newer_result
    an_idempotency_key_makes_a_fresh_submission_safe_to_repeat_over_a_restart
    the_due_job_with_the_highest_priority_is_dispatched_first
    a_job_is_retried_max_attempts_times_with_growing_backoff
    each_code_version_has_its_own_cached_result
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(now.as_millis()).expect("milliseconds since 1970 fit in 64 bits")
}

fn runner(server: &TestServer) -> ApiClient {
    ApiClient::at(server.address()).as_runner("runner-1")
}

fn id_of(body: &Value) -> String {
    body["job_id"].as_str().expect("an id").to_owned()
}

fn a_result_expires_after_the_ttl_of_its_submission(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let options = json!({ "ttl_ms": 1500 });
    let first = id_of(&caller.submit_with(TYPE, &json!({}), &options).1);
    runner(&server).execute(TYPE, &json!({ "n": 1 }));
    let ended = Instant::now();
    let (code, body) = caller.submit_with(TYPE, &json!({}), &options);
    if ended.elapsed() < Duration::from_secs(1) {
        assert_eq!((code, &body["result"]["output_data"]["n"]), (200, &json!(1)));
    }
    wait_until("the result expires", || caller.job(&first)["status"] == "expired");
    assert!(ended.elapsed() >= Duration::from_millis(1000), "{:?}", ended.elapsed());
    assert_eq!(caller.job(&first)["result"], Value::Null);
    let check = caller.post("/api/jobs/check", &json!({ "job_type": TYPE, "input_params": {} })).json();
    assert_eq!(check["result"], Value::Null, "{check}");
    let (code, body) = caller.submit_with(TYPE, &json!({}), &json!({}));
    assert_eq!((code, &body["status"]), (201, &json!("pending")));
    assert_ne!(id_of(&body), first);
    runner(&server).execute(TYPE, &json!({ "n": 2 }));
    assert_eq!(caller.submit(TYPE, &json!({}))["result"]["output_data"]["n"], 2);
    wait_until("the expired result is counted", || {
        server.metric(r#"pilotlight_jobs_ended_total{outcome="expired"}"#) >= 1.0
    });
}

fn a_failure_is_cached_for_its_ttl_and_then_computed_again(store: &JobStore) {
    for (failed_ttl, is_cached) in [("2s", true), ("0s", false)] {
        let server = store.serve(&[("PILOTLIGHT_JOBS_FAILED_TTL", failed_ttl)]);
        let (mut caller, input) = (ApiClient::at(server.address()), json!({ "ttl": failed_ttl }));
        let first = id_of(&caller.submit(TYPE, &input));
        let mut runner = runner(&server);
        let job = runner.next_job(TYPE, 10_000).expect("a job");
        let failed = Instant::now();
        assert_eq!(runner.report("error", &job, json!({ "error_message": "no disk" })).status, 200);
        let (code, body) = caller.submit_with(TYPE, &input, &json!({}));
        if is_cached && failed.elapsed() < Duration::from_secs(1) {
            assert_eq!((code, &body["status"], &body["error"]), (200, &json!("failed"), &json!("no disk")));
            assert_eq!(id_of(&body), first);
        }
        let mut repeated = (code, body);
        wait_until("a submission starts a new job", || {
            if repeated.0 != 201 {
                repeated = caller.submit_with(TYPE, &input, &json!({}));
            }
            repeated.0 == 201
        });
        assert!(!is_cached || failed.elapsed() >= Duration::from_secs(2), "{:?}", failed.elapsed());
        assert_ne!(id_of(&repeated.1), first);
        let body = caller.job(&first);
        assert_eq!(
            (&body["status"], &body["error"]),
            (&json!("failed"), &json!("no disk")),
            "the failed job is unchanged"
        );
        runner.execute(TYPE, &json!({}));
    }
}

fn a_fresh_submission_is_computed_again_and_replaces_the_cached_result(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let fresh = json!({ "fresh": true });
    let older = id_of(&caller.submit(TYPE, &json!({})));
    runner(&server).execute(TYPE, &json!({ "n": 1 }));
    let newer = caller.submit_with(TYPE, &json!({}), &fresh);
    assert_eq!((newer.0, &newer.1["status"]), (201, &json!("pending")));
    // Until the fresh result exists, other submissions get the cached result.
    assert_eq!(id_of(&caller.submit(TYPE, &json!({}))), older);
    let another = caller.submit_with(TYPE, &json!({}), &fresh);
    assert_eq!(another.0, 201);
    assert_ne!(id_of(&another.1), id_of(&newer.1), "a fresh submission does not join an equal job");
    runner(&server).execute(TYPE, &json!({ "n": 2 }));
    let body = caller.submit(TYPE, &json!({}));
    assert_eq!((id_of(&body), &body["result"]["output_data"]["n"]), (id_of(&newer.1), &json!(2)));
    runner(&server).execute(TYPE, &json!({ "n": 3 }));
    assert_eq!(caller.submit(TYPE, &json!({}))["result"]["output_data"]["n"], 3);
    assert_eq!(
        caller.job(&older)["result"]["output_data"]["n"],
        1,
        "the first result can still be read by its job id"
    );
    // Without a cached result, other submissions join the fresh job.
    let (code, body) = caller.submit_with("another", &json!({}), &fresh);
    assert_eq!((code, id_of(&caller.submit("another", &json!({})))), (201, id_of(&body)));
}

fn a_slow_older_duplicate_does_not_replace_the_newer_result(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let older = id_of(&caller.submit(TYPE, &json!({})));
    let mut slow = ApiClient::at(server.address()).as_runner("slow");
    let older_job = slow.next_job(TYPE, 10_000).expect("the older job");
    assert_eq!(slow.report("start", &older_job, json!({})).status, 200);
    let (_, newer) = caller.submit_with(TYPE, &json!({}), &json!({ "fresh": true }));
    runner(&server).execute(TYPE, &json!({ "n": 2 }));
    let done = slow.report("complete", &older_job, json!({ "output_data": { "n": 1 } }));
    assert_eq!(done.status, 200, "{done:?}");
    let body = caller.submit(TYPE, &json!({}));
    assert_eq!((id_of(&body), &body["result"]["output_data"]["n"]), (id_of(&newer), &json!(2)));
    let body = caller.job(&older);
    assert_eq!((&body["status"], &body["result"]["output_data"]["n"]), (&json!("completed"), &json!(1)));
}

fn an_idempotency_key_makes_a_fresh_submission_safe_to_repeat_over_a_restart(store: &JobStore) {
    let mut submitted = None;
    for round in 0..3 {
        let server = store.serve(&[]);
        let mut caller = ApiClient::at(server.address()).with_header("idempotency-key", "ten o'clock");
        let (code, body) = caller.submit_with(TYPE, &json!({}), &json!({ "fresh": true }));
        assert_eq!(code, if round == 0 { 201 } else { 200 }, "{body}");
        assert_eq!(&id_of(&body), submitted.get_or_insert(id_of(&body)));
        assert_eq!(caller.submit_with(TYPE, &json!({ "other": 1 }), &json!({})).0, 409);
        assert_eq!(caller.submit_with("other", &json!({}), &json!({})).0, 409);
        let details = caller.get(&format!("/api/admin/jobs/{}", id_of(&body))).json();
        assert_eq!(details["callers"], 1, "a repeated submission does not count as another caller");
        if round == 1 {
            runner(&server).execute(TYPE, &json!({ "n": 1 }));
            let (_, body) = caller.submit_with(TYPE, &json!({}), &json!({ "fresh": true }));
            assert_eq!(
                body["result"]["output_data"]["n"], 1,
                "the repeated submission gets the result of its first job"
            );
        }
    }
}

fn the_due_job_with_the_highest_priority_is_dispatched_first(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let soon = now_ms() + 2000;
    for (name, options) in [
        ("usual", json!({})),
        ("urgent", json!({ "priority": 5 })),
        ("later", json!({ "priority": 100, "run_at": soon })),
        ("as urgent", json!({ "priority": 5 })),
        ("least", json!({ "priority": -2_147_483_648_i64 })),
        ("made urgent", json!({})),
        ("much later", json!({ "run_at": soon + 3_600_000 })),
    ] {
        assert_eq!(caller.submit_with(TYPE, &json!({ "name": name }), &options).0, 201);
    }
    // A submission that joins a job can raise its priority, not lower it.
    for priority in [6, -1] {
        let options = json!({ "priority": priority });
        assert_eq!(caller.submit_with(TYPE, &json!({ "name": "made urgent" }), &options).0, 200);
    }
    let mut runner = runner(&server);
    let mut next = |wait_ms| {
        let job = runner.next_job(TYPE, wait_ms)?;
        assert_eq!(runner.report("start", &job, json!({})).status, 200);
        Some(job["input_params"]["name"].clone())
    };
    let order: Vec<_> = std::iter::from_fn(|| next(0)).collect();
    if now_ms() < soon {
        assert_eq!(order, ["made urgent", "urgent", "as urgent", "usual", "least"]);
    }
    if !order.contains(&json!("later")) {
        assert_eq!(next(10_000), Some(json!("later")), "a waiting runner gets the job when it is due");
    }
    let late = now_ms().checked_sub(soon).expect("the job is not dispatched before its run_at");
    println!("a delayed job was dispatched {late} ms after its run_at");
    // A submission without `run_at` makes the delayed job due at once.
    assert_eq!(next(0), None);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| next(10_000));
        wait_until("the runner is waiting", || server.metric("pilotlight_jobs_runners_waiting") >= 1.0);
        assert_eq!(caller.submit_with(TYPE, &json!({ "name": "much later" }), &json!({})).0, 200);
        assert_eq!(waiting.join().expect("a response"), Some(json!("much later")));
    });
}

fn a_job_is_retried_max_attempts_times_with_growing_backoff(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let options = json!({ "max_attempts": 3, "retry_backoff_ms": 300 });
    let submitted = id_of(&caller.submit_with(TYPE, &json!({}), &options).1);
    let mut runner = runner(&server);
    let mut failed_at: Option<Instant> = None;
    for (attempt, pause_ms) in [(1, 0), (2, 300), (3, 600)] {
        let job = runner.next_job(TYPE, 10_000).expect("a job");
        assert_eq!(job["attempt"], attempt);
        let paused = failed_at.map(|at| at.elapsed()).unwrap_or_default();
        // The test sees both ends of the pause a little late, so it may measure less.
        assert!(paused + Duration::from_millis(50) >= Duration::from_millis(pause_ms), "{paused:?}");
        assert_eq!(runner.report("start", &job, json!({})).status, 200);
        let report =
            json!({ "error_message": format!("no. {attempt}"), "console_output": format!("c{attempt}") });
        assert_eq!(runner.report("error", &job, report.clone()).status, 200);
        failed_at = Some(Instant::now());
        let status = if attempt < 3 { "pending" } else { "failed" };
        assert_eq!(caller.job(&submitted)["status"], status);
        if attempt < 3 {
            assert_eq!(runner.next_job(TYPE, 0), None, "the job waits for its backoff");
        }
    }
    let body = caller.job(&submitted);
    assert_eq!(body["error"], "no. 3");
    let details = caller.get(&format!("/api/admin/jobs/{submitted}")).json();
    assert_eq!((&details["attempts"], &details["console_output"]), (&json!(3), &json!("c3")));
}

fn each_code_version_has_its_own_cached_result(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let versions = [json!({}), json!({ "code_version": "1" }), json!({ "code_version": "2" })];
    let ids: Vec<_> = versions
        .iter()
        .map(|version| {
            let (code, body) = caller.submit_with(TYPE, &json!({}), version);
            assert_eq!(code, 201);
            runner(&server).execute(TYPE, version);
            id_of(&body)
        })
        .collect();
    for (version, submitted) in versions.iter().zip(&ids) {
        let (code, body) = caller.submit_with(TYPE, &json!({}), version);
        assert_eq!((code, &id_of(&body), &body["result"]["output_data"]), (200, submitted, version));
    }
}
