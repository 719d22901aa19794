//! Retention of ended jobs by age and by total size, and of runners by their last request. Metrics count the deletions.

use pilotlight_core::ids::RunnerId;
use pilotlight_core::time::Timestamp;
use pilotlight_store::Runner;
use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::job_store::{JobStore, for_each_store};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

const TYPE: &str = "retained";

for_each_store! {
    an_ended_job_is_deleted_after_its_retention_and_others_are_not
    a_runner_that_was_not_seen_for_long_is_deleted
    beyond_the_size_limit_the_first_ended_jobs_are_deleted_first
}

fn submit(server: &TestServer, number: usize) -> String {
    let submitted = ApiClient::at(server.address()).submit(TYPE, &json!({ "number": number }));
    submitted["job_id"].as_str().expect("an id").to_owned()
}

fn exists(server: &TestServer, job: &str) -> bool {
    ApiClient::at(server.address()).get(&format!("/api/jobs/{job}")).status == 200
}

fn execute(server: &TestServer, output: &Value) {
    ApiClient::at(server.address()).as_runner("runner-1").execute(TYPE, output);
}

fn an_ended_job_is_deleted_after_its_retention_and_others_are_not(store: &JobStore) {
    let server = store.serve(&[("PILOTLIGHT_JOBS_KEEP_FOR", "2s")]);
    let ended = submit(&server, 0);
    execute(&server, &json!({ "n": 0 }));
    let (running, waiting) = (submit(&server, 1), submit(&server, 2));
    let mut runner = ApiClient::at(server.address()).as_runner("runner-2");
    let job = runner.next_job(TYPE, 10_000).expect("a job");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    assert!(exists(&server, &ended));
    let took = wait_until("the ended job is deleted", || !exists(&server, &ended));
    assert!(took >= std::time::Duration::from_secs(1), "after {took:?}");
    assert_eq!(submit(&server, 1), running);
    assert_eq!(submit(&server, 2), waiting);
    assert_ne!(submit(&server, 0), ended, "the deleted job is submitted as a new one");
    wait_until("the deleted job is counted", || server.metric("pilotlight_jobs_pruned_total") >= 1.0);
    // The size of a job is that of its parameters and its result.
    let bytes = r#"{"number":0}{"n":0}"#.len();
    assert!((server.metric("pilotlight_jobs_pruned_bytes_total") - bytes as f64).abs() < 0.5);
}

fn a_runner_that_was_not_seen_for_long_is_deleted(store: &JobStore) {
    let names = ["gone", "has-a-job", "active"];
    let is_known = |server: &TestServer| {
        let mut operator = ApiClient::at(server.address());
        names.map(|name| operator.get(&format!("/api/admin/runners/{name}")).status == 200)
    };
    {
        let server = store.serve(&[]);
        submit(&server, 1);
        let mut runner = ApiClient::at(server.address()).as_runner("has-a-job");
        let job = runner.next_job(TYPE, 10_000).expect("the job");
        assert_eq!(runner.report("start", &job, json!({})).status, 200);
    }
    let long_ago = Timestamp::from_millis(1);
    store.open("nothing", async |store| {
        for name in names {
            let id = RunnerId::parse(name).expect("a name");
            let capabilities = vec![TYPE.to_owned()];
            let (registered_at, seen_at) = (long_ago, long_ago);
            let runner = Runner { id, name: name.into(), capabilities, registered_at, seen_at };
            store.register_runner(runner).await.expect("the runner is registered");
        }
    });
    let server = store.serve(&[("PILOTLIGHT_JOBS_KEEP_FOR", "20s")]);
    ApiClient::at(server.address()).as_runner("active").get("/api/runner/verify");
    assert_eq!(is_known(&server), [true; 3]);
    wait_until("a runner is deleted", || is_known(&server) != [true; 3]);
    assert_eq!(is_known(&server), [false, true, true]);
    let listed = ApiClient::at(server.address()).get("/api/admin/runners").json();
    assert_eq!(listed["total"], 2);
    assert!((server.metric("pilotlight_jobs_runners_pruned_total") - 1.0).abs() < 0.5);
}

fn beyond_the_size_limit_the_first_ended_jobs_are_deleted_first(store: &JobStore) {
    const KIB: usize = 1024;
    let settings = [("PILOTLIGHT_JOBS_MAX_BYTES", "1MiB"), ("PILOTLIGHT_JOBS_KEEP_FOR", "1m")];
    let server = store.serve(&settings);
    let waiting = submit(&server, 100);
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    let running = runner.next_job(TYPE, 10_000).expect("the first job");
    assert_eq!(runner.report("start", &running, json!({})).status, 200);
    let output = json!({ "x": "x".repeat(300 * KIB) });
    let jobs: Vec<_> = (0..5)
        .map(|number| {
            let job = submit(&server, number);
            execute(&server, &output);
            job
        })
        .collect();
    wait_until("two ended jobs are deleted", || server.metric("pilotlight_jobs_pruned_total") >= 2.0);
    let existing: Vec<_> = jobs.iter().map(|job| exists(&server, job)).collect();
    assert_eq!(existing, [false, false, true, true, true]);
    assert!(exists(&server, &waiting), "a job that has not ended is not deleted");
    assert!(server.metric("pilotlight_jobs_pruned_bytes_total") >= (600 * KIB) as f64);
}
