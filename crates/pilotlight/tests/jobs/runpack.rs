//! Runpack's own runner client, unchanged, against this service: it registers, polls, claims, sends heartbeats,
//! completes and fails.

use std::time::Duration;

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::need;
use pilotlight_testkit::python::RunpackRunner;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{try_wait_for_at_most, wait_until};
use serde_json::{Value, json};

const KEYS: [(&str, &str); 3] =
    [("SUBMIT_API_KEY", "submit-key"), ("RUNNER_API_KEY", "runner-key"), ("ADMIN_API_KEY", "admin-key")];

/// The client sends its first heartbeat after 30 s.
const HEARTBEAT_WITHIN: Duration = Duration::from_secs(50);

/// A service with API keys and this preset.
fn service(store: &JobStore, preset: &str) -> TestServer {
    store.serve(&[&KEYS[..], &[("PILOTLIGHT_JOBS_PRESET", preset)]].concat())
}

fn submit(server: &TestServer, input: &Value) -> Value {
    caller(server).submit("hello_world", input)
}

fn status(server: &TestServer, job: &Value) -> Value {
    caller(server).job(job["job_id"].as_str().expect("an id"))
}

fn caller(server: &TestServer) -> ApiClient {
    ApiClient::at(server.address()).with_key("submit-key")
}

#[test]
fn a_real_runner_registers_executes_and_fails_across_restarts() {
    need!("python", "python-clients");
    for preset in ["none", "runpack"] {
        let store = JobStore::sqlite();
        let server = service(&store, preset);
        let mut runner = RunpackRunner::start(&server.url(), "runner-key");
        let registered = runner.next_event();
        assert_eq!(registered["event"], "registered");
        assert!(!runner.poll(), "there is no job yet");

        let input = json!({ "name": "Ada", "processing_time": 0.1 });
        let job = submit(&server, &input);
        assert_eq!(job["status"], "pending");
        drop(server);

        // The job and the runner's registration survive a restart.
        let server = service(&store, preset);
        assert_eq!(status(&server, &job)["status"], "pending");
        let mut runner = runner.restart(&server.url(), "runner-key");
        assert_eq!(runner.next_event()["runner_id"], registered["runner_id"]);
        assert!(runner.poll());
        let done = status(&server, &job);
        assert_eq!(done["status"], "completed", "{done}");
        assert!(done["result"]["output_data"].is_object(), "{done}");
        assert!(done["result"]["console_output"].as_str().is_some_and(|text| text.contains("Ada")), "{done}");

        // After another restart, an equal submission gets the cached result.
        drop(server);
        let server = service(&store, preset);
        let again = submit(&server, &json!({ "processing_time": 1e-1, "name": "Ada" }));
        assert_eq!((&again["status"], &again["job_id"]), (&json!("completed"), &job["job_id"]));
        assert_eq!(again["result"], done["result"]);

        let mut runner = runner.restart(&server.url(), "runner-key");
        runner.next_event();
        let bad = submit(&server, &json!({ "name": "Bob" }));
        assert!(runner.poll());
        let failed = status(&server, &bad);
        assert_eq!(failed["status"], "failed", "{failed}");
        assert!(failed["error"].as_str().is_some_and(|text| text.contains("processing_time")), "{failed}");
    }
}

#[test]
fn a_real_runner_sends_heartbeats_and_completes_its_job_after_a_restart() {
    need!("python", "python-clients");
    let store = JobStore::sqlite();
    let server = service(&store, "none");
    let mut runner = RunpackRunner::start(&server.url(), "runner-key");
    runner.next_event();
    let job = submit(&server, &json!({ "name": "Eve", "processing_time": 31 }));
    runner.start_poll();
    wait_until("the job is claimed", || status(&server, &job)["status"] == "claimed");
    let port = server.address().port().to_string();
    drop(server);

    let server = store.serve(&[&KEYS[..], &[("PILOTLIGHT_SERVER_PORT", &port)]].concat());
    let reported = try_wait_for_at_most(HEARTBEAT_WITHIN, || {
        status(&server, &job)["progress"].is_object().then_some(())
    });
    assert!(reported.is_some(), "no heartbeat within {HEARTBEAT_WITHIN:?}");
    assert_eq!(status(&server, &job)["status"], "in_progress");
    assert_eq!(runner.next_event()["executed"], true);
    assert_eq!(status(&server, &job)["status"], "completed");
}
