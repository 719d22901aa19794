//! Ended jobs are kept for a while and within a size; what is forgotten is counted.

use serde_json::{Value, json};

use super::store::Store;
use crate::support::jobs::Party;
use crate::support::server::Server;
use crate::support::wait;

const TYPE: &str = "kept";

fn submit(server: &Server, number: usize) -> String {
    let told = Party::at(server.address()).submit(TYPE, &json!({ "number": number }));
    told["job_id"].as_str().expect("an id").to_owned()
}

fn is_there(server: &Server, job: &str) -> bool {
    Party::at(server.address()).get(&format!("/api/jobs/{job}")).status == 200
}

fn execute(server: &Server, output: &Value) {
    Party::at(server.address()).of_runner("runner-1").execute(TYPE, output);
}

#[test]
fn an_ended_job_is_forgotten_after_a_while_and_others_are_not() {
    let server = Store::sqlite().serve(&[("PILOTLIGHT_JOBS_KEEP_FOR", "2s")]);
    let ended = submit(&server, 0);
    execute(&server, &json!({ "n": 0 }));
    let (running, waiting) = (submit(&server, 1), submit(&server, 2));
    let mut runner = Party::at(server.address()).of_runner("runner-2");
    let job = runner.next(TYPE, 10_000).expect("a job");
    assert_eq!(runner.say("start", &job, json!({})).status, 200);
    assert!(is_there(&server, &ended));
    let took = wait::until("it is forgotten", || !is_there(&server, &ended));
    assert!(took >= std::time::Duration::from_secs(1), "after {took:?}");
    assert_eq!(submit(&server, 1), running);
    assert_eq!(submit(&server, 2), waiting);
    assert_ne!(submit(&server, 0), ended, "it is computed again");
    wait::until("it is counted", || server.metric("pilotlight_jobs_pruned_total") >= 1.0);
    // Its parameters and its result.
    let bytes = r#"{"number":0}{"n":0}"#.len();
    assert!((server.metric("pilotlight_jobs_pruned_bytes_total") - bytes as f64).abs() < 0.5);
}

#[test]
fn within_its_size_the_oldest_ends_are_forgotten_first() {
    const KIB: usize = 1024;
    let settings = [("PILOTLIGHT_JOBS_MAX_BYTES", "1MiB"), ("PILOTLIGHT_JOBS_KEEP_FOR", "1m")];
    let server = Store::sqlite().serve(&settings);
    let waiting = submit(&server, 100);
    let mut runner = Party::at(server.address()).of_runner("runner-1");
    let held = runner.next(TYPE, 10_000).expect("the first");
    assert_eq!(runner.say("start", &held, json!({})).status, 200);
    let output = json!({ "x": "x".repeat(300 * KIB) });
    let jobs: Vec<_> = (0..5)
        .map(|number| {
            let job = submit(&server, number);
            execute(&server, &output);
            job
        })
        .collect();
    wait::until("it is within its size", || server.metric("pilotlight_jobs_pruned_total") >= 2.0);
    let there: Vec<_> = jobs.iter().map(|job| is_there(&server, job)).collect();
    assert_eq!(there, [false, false, true, true, true]);
    assert!(is_there(&server, &waiting), "what has not ended is not forgotten");
    assert!(server.metric("pilotlight_jobs_pruned_bytes_total") >= (600 * KIB) as f64);
}
