//! What callers may wish for: how long a result is valid, which job goes first, how often it is tried.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::job_store::{JobStore, for_each_store};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

const TYPE: &str = "options";

for_each_store! {
    a_result_is_valid_for_as_long_as_its_caller_said
    a_failure_is_remembered_for_a_while_and_then_tried_again
    a_fresh_submission_is_computed_again_and_replaces_what_is_known
    a_slow_older_duplicate_does_not_replace_the_newer_result
    an_idempotency_key_makes_a_fresh_submission_safe_to_repeat_over_a_restart
    the_most_urgent_job_whose_time_has_come_goes_first
    a_job_is_retried_max_attempts_times_with_growing_backoff
    another_version_of_the_code_is_another_job
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(now.as_millis()).expect("it fits for a while")
}

fn runner(server: &TestServer) -> ApiClient {
    ApiClient::at(server.address()).as_runner("runner-1")
}

fn id(told: &Value) -> String {
    told["job_id"].as_str().expect("an id").to_owned()
}

fn a_result_is_valid_for_as_long_as_its_caller_said(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let wish = json!({ "ttl_ms": 1500 });
    let first = id(&caller.submit_with(TYPE, &json!({}), &wish).1);
    runner(&server).execute(TYPE, &json!({ "n": 1 }));
    let ended = Instant::now();
    let (code, told) = caller.submit_with(TYPE, &json!({}), &wish);
    if ended.elapsed() < Duration::from_secs(1) {
        assert_eq!((code, &told["result"]["output_data"]["n"]), (200, &json!(1)));
    }
    wait_until("it expires", || caller.job(&first)["status"] == "expired");
    assert!(ended.elapsed() >= Duration::from_millis(1000), "{:?}", ended.elapsed());
    assert_eq!(caller.job(&first)["result"], Value::Null);
    let check = caller.post("/api/jobs/check", &json!({ "job_type": TYPE, "input_params": {} })).json();
    assert_eq!(check["result"], Value::Null, "{check}");
    let (code, told) = caller.submit_with(TYPE, &json!({}), &json!({}));
    assert_eq!((code, &told["status"]), (201, &json!("pending")));
    assert_ne!(id(&told), first);
    runner(&server).execute(TYPE, &json!({ "n": 2 }));
    assert_eq!(caller.submit(TYPE, &json!({}))["result"]["output_data"]["n"], 2);
    wait_until("it is counted", || server.metric(r#"pilotlight_jobs_ended_total{outcome="expired"}"#) >= 1.0);
}

fn a_failure_is_remembered_for_a_while_and_then_tried_again(store: &JobStore) {
    for (failed_ttl, is_remembered) in [("2s", true), ("0s", false)] {
        let server = store.serve(&[("PILOTLIGHT_JOBS_FAILED_TTL", failed_ttl)]);
        let (mut caller, input) = (ApiClient::at(server.address()), json!({ "ttl": failed_ttl }));
        let first = id(&caller.submit(TYPE, &input));
        let mut runner = runner(&server);
        let job = runner.next_job(TYPE, 10_000).expect("a job");
        let failed = Instant::now();
        assert_eq!(runner.report("error", &job, json!({ "error_message": "no disk" })).status, 200);
        let (code, told) = caller.submit_with(TYPE, &input, &json!({}));
        if is_remembered && failed.elapsed() < Duration::from_secs(1) {
            assert_eq!((code, &told["status"], &told["error"]), (200, &json!("failed"), &json!("no disk")));
            assert_eq!(id(&told), first);
        }
        let mut again = (code, told);
        wait_until("it is tried again", || {
            if again.0 != 201 {
                again = caller.submit_with(TYPE, &input, &json!({}));
            }
            again.0 == 201
        });
        assert!(!is_remembered || failed.elapsed() >= Duration::from_secs(2), "{:?}", failed.elapsed());
        assert_ne!(id(&again.1), first);
        let told = caller.job(&first);
        assert_eq!(
            (&told["status"], &told["error"]),
            (&json!("failed"), &json!("no disk")),
            "what was stays"
        );
        runner.execute(TYPE, &json!({}));
    }
}

fn a_fresh_submission_is_computed_again_and_replaces_what_is_known(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let fresh = json!({ "fresh": true });
    let old = id(&caller.submit(TYPE, &json!({})));
    runner(&server).execute(TYPE, &json!({ "n": 1 }));
    let young = caller.submit_with(TYPE, &json!({}), &fresh);
    assert_eq!((young.0, &young.1["status"]), (201, &json!("pending")));
    // Until it is there, the others are served by what is known.
    assert_eq!(id(&caller.submit(TYPE, &json!({}))), old);
    let another = caller.submit_with(TYPE, &json!({}), &fresh);
    assert_eq!(another.0, 201);
    assert_ne!(id(&another.1), id(&young.1), "it joins no twin");
    runner(&server).execute(TYPE, &json!({ "n": 2 }));
    let told = caller.submit(TYPE, &json!({}));
    assert_eq!((id(&told), &told["result"]["output_data"]["n"]), (id(&young.1), &json!(2)));
    runner(&server).execute(TYPE, &json!({ "n": 3 }));
    assert_eq!(caller.submit(TYPE, &json!({}))["result"]["output_data"]["n"], 3);
    assert_eq!(caller.job(&old)["result"]["output_data"]["n"], 1, "what was computed stays told by its name");
    // While nothing is known, the others join it.
    let (code, told) = caller.submit_with("another", &json!({}), &fresh);
    assert_eq!((code, id(&caller.submit("another", &json!({})))), (201, id(&told)));
}

fn a_slow_older_duplicate_does_not_replace_the_newer_result(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let old = id(&caller.submit(TYPE, &json!({})));
    let mut slow = ApiClient::at(server.address()).as_runner("slow");
    let held = slow.next_job(TYPE, 10_000).expect("the old one");
    assert_eq!(slow.report("start", &held, json!({})).status, 200);
    let (_, young) = caller.submit_with(TYPE, &json!({}), &json!({ "fresh": true }));
    runner(&server).execute(TYPE, &json!({ "n": 2 }));
    let done = slow.report("complete", &held, json!({ "output_data": { "n": 1 } }));
    assert_eq!(done.status, 200, "{done:?}");
    let told = caller.submit(TYPE, &json!({}));
    assert_eq!((id(&told), &told["result"]["output_data"]["n"]), (id(&young), &json!(2)));
    let told = caller.job(&old);
    assert_eq!((&told["status"], &told["result"]["output_data"]["n"]), (&json!("completed"), &json!(1)));
}

fn an_idempotency_key_makes_a_fresh_submission_safe_to_repeat_over_a_restart(store: &JobStore) {
    let mut submitted = None;
    for round in 0..3 {
        let server = store.serve(&[]);
        let mut caller = ApiClient::at(server.address()).with_header("idempotency-key", "ten o'clock");
        let (code, told) = caller.submit_with(TYPE, &json!({}), &json!({ "fresh": true }));
        assert_eq!(code, if round == 0 { 201 } else { 200 }, "{told}");
        assert_eq!(&id(&told), submitted.get_or_insert(id(&told)));
        assert_eq!(caller.submit_with(TYPE, &json!({ "other": 1 }), &json!({})).0, 409);
        assert_eq!(caller.submit_with("other", &json!({}), &json!({})).0, 409);
        let details = caller.get(&format!("/api/admin/jobs/{}", id(&told))).json();
        assert_eq!(details["callers"], 1, "a repeated submission is no further caller");
        if round == 1 {
            runner(&server).execute(TYPE, &json!({ "n": 1 }));
            let (_, told) = caller.submit_with(TYPE, &json!({}), &json!({ "fresh": true }));
            assert_eq!(told["result"]["output_data"]["n"], 1, "it is told the end of what it began");
        }
    }
}

fn the_most_urgent_job_whose_time_has_come_goes_first(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let soon = now_ms() + 2000;
    for (name, wish) in [
        ("usual", json!({})),
        ("urgent", json!({ "priority": 5 })),
        ("later", json!({ "priority": 100, "run_at": soon })),
        ("as urgent", json!({ "priority": 5 })),
        ("least", json!({ "priority": -2_147_483_648_i64 })),
        ("made urgent", json!({})),
        ("much later", json!({ "run_at": soon + 3_600_000 })),
    ] {
        assert_eq!(caller.submit_with(TYPE, &json!({ "name": name }), &wish).0, 201);
    }
    // Whoever joins makes it no less urgent.
    for priority in [6, -1] {
        let wish = json!({ "priority": priority });
        assert_eq!(caller.submit_with(TYPE, &json!({ "name": "made urgent" }), &wish).0, 200);
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
        assert_eq!(next(10_000), Some(json!("later")), "a runner that waits gets it when its time comes");
    }
    let late = now_ms().checked_sub(soon).expect("not before its time");
    println!("a delayed job came {late} ms after its time");
    // A caller for whom it is urgent brings its time.
    assert_eq!(next(0), None);
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| next(10_000));
        wait_until("it waits", || server.metric("pilotlight_jobs_runners_waiting") >= 1.0);
        assert_eq!(caller.submit_with(TYPE, &json!({ "name": "much later" }), &json!({})).0, 200);
        assert_eq!(waiting.join().expect("an answer"), Some(json!("much later")));
    });
}

fn a_job_is_retried_max_attempts_times_with_growing_backoff(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let wish = json!({ "max_attempts": 3, "retry_backoff_ms": 300 });
    let submitted = id(&caller.submit_with(TYPE, &json!({}), &wish).1);
    let mut runner = runner(&server);
    let mut failed_at: Option<Instant> = None;
    for (attempt, pause_ms) in [(1, 0), (2, 300), (3, 600)] {
        let job = runner.next_job(TYPE, 10_000).expect("a job");
        assert_eq!(job["attempt"], attempt);
        let paused = failed_at.map(|at| at.elapsed()).unwrap_or_default();
        // Both ends are seen from outside, a moment later than they were.
        assert!(paused + Duration::from_millis(50) >= Duration::from_millis(pause_ms), "{paused:?}");
        assert_eq!(runner.report("start", &job, json!({})).status, 200);
        let said =
            json!({ "error_message": format!("no. {attempt}"), "console_output": format!("c{attempt}") });
        assert_eq!(runner.report("error", &job, said.clone()).status, 200);
        failed_at = Some(Instant::now());
        let status = if attempt < 3 { "pending" } else { "failed" };
        assert_eq!(caller.job(&submitted)["status"], status);
        if attempt < 3 {
            assert_eq!(runner.next_job(TYPE, 0), None, "it rests");
        }
    }
    let told = caller.job(&submitted);
    assert_eq!(told["error"], "no. 3");
    let details = caller.get(&format!("/api/admin/jobs/{submitted}")).json();
    assert_eq!((&details["attempts"], &details["console_output"]), (&json!(3), &json!("c3")));
}

fn another_version_of_the_code_is_another_job(store: &JobStore) {
    let server = store.serve(&[]);
    let mut caller = ApiClient::at(server.address());
    let versions = [json!({}), json!({ "code_version": "1" }), json!({ "code_version": "2" })];
    let ids: Vec<_> = versions
        .iter()
        .map(|version| {
            let (code, told) = caller.submit_with(TYPE, &json!({}), version);
            assert_eq!(code, 201);
            runner(&server).execute(TYPE, version);
            id(&told)
        })
        .collect();
    for (version, submitted) in versions.iter().zip(&ids) {
        let (code, told) = caller.submit_with(TYPE, &json!({}), version);
        assert_eq!((code, &id(&told), &told["result"]["output_data"]), (200, submitted, version));
    }
}
