//! Runners that leave in every way while a job is on its way to them, and runners whose link goes dark: every job is
//! executed once, soon, by somebody else, and no try is used up.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::http::NoResponse;
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::need;
use pilotlight_testkit::network::TestNetwork;
use pilotlight_testkit::random;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{pause, wait_until};
use serde_json::json;

/// For so long a link has been dark when something is sent over it: acknowledgements under way have arrived by then.
const DARK_FOR: Duration = Duration::from_millis(200);

const TYPE: &str = "leaving";

/// In which way a runner leaves.
#[derive(Clone, Copy, Debug)]
enum Leaves {
    HalfClosing,
    Resetting,
    Closing,
}

const WAYS: [Leaves; 3] = [Leaves::HalfClosing, Leaves::Resetting, Leaves::Closing];

/// Lets a short time pass more exactly than the kernel does.
fn spin(time: Duration) {
    let started = Instant::now();
    while started.elapsed() < time {
        std::hint::spin_loop();
    }
}

/// How often each job was begun with the service's leave.
#[derive(Default)]
struct Executed(Mutex<HashMap<String, u32>>);

impl Executed {
    /// Begins and ends a job, unless that is refused.
    fn execute(&self, runner: &mut ApiClient, job: &serde_json::Value) {
        let started = runner.report("start", job, json!({}));
        if started.status == 200 {
            let id = job["job_id"].as_str().expect("an id").to_owned();
            *self.0.lock().unwrap().entry(id).or_default() += 1;
            assert_eq!(runner.report("complete", job, json!({ "output_data": {} })).status, 200);
        } else {
            assert_eq!(started.status, 409, "{started:?}");
        }
    }
}

#[test]
fn alone_a_job_whose_runner_leaves_at_any_moment_is_executed_once_and_soon() {
    let rounds = if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 6000 } else { 600 };
    const DISPATCH_TIMEOUT: Duration = Duration::from_millis(500);
    let server = JobStore::sqlite().serve(&[("PILOTLIGHT_JOBS_DISPATCH_TIMEOUT", "500ms")]);
    let executed = Executed::default();
    let mut caller = ApiClient::at(server.address());
    let mut operator = ApiClient::at(server.address());
    let (mut slowest, mut seen_by_leavers) = (Duration::ZERO, 0);
    for round in 0..rounds {
        let way = WAYS[round % WAYS.len()];
        let mut leaver = ApiClient::at(server.address()).as_runner("leaver");
        leaver
            .send("GET", &format!("/api/runner/jobs/next?types[]={TYPE}&wait_ms=20000"), b"")
            .expect("open");
        wait_until("it waits", || server.metric("pilotlight_jobs_runners_waiting") >= 1.0);
        // The job is written between some 200 us and some ms after its submission is sent.
        let offset = random::time(Duration::from_micros(if round % 2 == 0 { 80 } else { 3000 }));
        let body = json!({ "job_type": TYPE, "input_params": { "round": round } }).to_string();
        let submitted = Instant::now();
        caller.send("POST", "/api/jobs/submit", body.as_bytes()).expect("open");
        if round % 4 < 2 {
            caller.wait_until_readable();
        }
        spin(offset);
        let got = leave(leaver, way);
        let told = caller.response().expect("an answer").json();
        let id = told["job_id"].as_str().expect("an id").to_owned();
        if let Some(job) = got {
            seen_by_leavers += 1;
            executed.execute(&mut ApiClient::at(server.address()).as_runner("leaver"), &job);
        }
        let mut healthy = ApiClient::at(server.address()).as_runner("healthy");
        wait_until(&format!("round {round}, {way:?}: {id} is executed"), || {
            if let Some(job) = healthy.next_job(TYPE, 100) {
                executed.execute(&mut healthy, &job);
            }
            caller.job(&id)["status"] == "completed"
        });
        slowest = slowest.max(submitted.elapsed());
        let details = operator.get(&format!("/api/admin/jobs/{id}")).json();
        assert_eq!((&details["attempts"], &details["losses"]), (&json!(1), &json!(0)), "{details}");
    }
    let executed = executed.0.into_inner().unwrap();
    assert_eq!(executed.len(), rounds);
    assert!(executed.values().all(|times| *times == 1), "{executed:?}");
    let voided = server.metric(r#"pilotlight_jobs_dispatched_total{delivery="void"}"#);
    let unread = server.metric("pilotlight_jobs_unread_total");
    println!(
        "{rounds} left: {voided} void, {unread} unread, {seen_by_leavers} seen by half-closed ones; slowest {slowest:?}"
    );
    assert!(slowest < DISPATCH_TIMEOUT + Duration::from_secs(3), "{slowest:?}");
}

/// Leaves; what came to one that goes on reading.
fn leave(leaver: ApiClient, way: Leaves) -> Option<serde_json::Value> {
    let mut connection = leaver.into_connection();
    match way {
        Leaves::HalfClosing => {
            connection.shutdown_write();
            match connection.response() {
                Ok(answer) => Some(answer.json()["job"].clone()),
                Err(NoResponse::Closed | NoResponse::Reset) => None,
                Err(none) => panic!("{none:?}"),
            }
        }
        Leaves::Resetting => {
            socket2::SockRef::from(connection.stream()).set_linger(Some(Duration::ZERO)).expect("open");
            None
        }
        Leaves::Closing => None,
    }
}

const KEYS: [(&str, &str); 3] =
    [("SUBMIT_API_KEY", "submit-key"), ("RUNNER_API_KEY", "runner-key"), ("ADMIN_API_KEY", "admin-key")];

/// A runner on the link that can be cut, which waits.
fn behind_the_link(network: &TestNetwork, server: &TestServer, waiting: f64) -> ApiClient {
    let mut runner =
        ApiClient::at(network.address_for_runners(server)).with_key("runner-key").as_runner("dark");
    runner.send("GET", &format!("/api/runner/jobs/next?types[]={TYPE}&wait_ms=60000"), b"").expect("open");
    wait_until("it waits", || waits(server) >= waiting);
    runner
}

fn waits(server: &TestServer) -> f64 {
    let mut operator = ApiClient::at(server.address()).with_key("admin-key");
    let text = operator.get("/metrics").text();
    let value = text.lines().find_map(|line| line.strip_prefix("pilotlight_jobs_runners_waiting "));
    value.expect("it is counted").parse().expect("a number")
}

#[test]
fn alone_netns_a_job_that_meets_a_dark_link_goes_to_a_healthy_runner_within_300_ms() {
    need!("netns");
    const FOUND_OUT_WITHIN: Duration = Duration::from_millis(300);
    /// What a loaded machine may add to a single try.
    const SLACK: Duration = Duration::from_millis(700);
    let tries = if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 200 } else { 15 };
    let network = TestNetwork::new();
    let server = network.serve(&KEYS);
    let mut caller = ApiClient::at(server.address()).with_key("submit-key");
    let mut operator = ApiClient::at(server.address()).with_key("admin-key");
    let mut took: Vec<_> = (0..tries)
        .map(|number| {
            let mut healthy = ApiClient::at(server.address()).with_key("runner-key").as_runner("healthy");
            healthy
                .send("GET", &format!("/api/runner/jobs/next?types[]={TYPE}&wait_ms=60000"), b"")
                .expect("open");
            wait_until("it waits", || waits(&server) >= 1.0);
            // The newest is sent first.
            let dark = behind_the_link(&network, &server, 2.0);
            network.cut();
            pause(DARK_FOR);
            let submitted = Instant::now();
            let told = caller.submit(TYPE, &json!({ "number": number }));
            let job = healthy.response().expect("the job").json()["job"].clone();
            let took = submitted.elapsed();
            assert_eq!(job["job_id"], told["job_id"]);
            assert_eq!((&job["attempt"], &job["lease"]), (&json!(1), &json!(2)), "the first lease is void");
            network.restore();
            let mut dark = dark.into_connection();
            dark.shutdown_write();
            assert_eq!(dark.response(), Err(NoResponse::Reset), "try {number}: the job came after all");
            // Whoever had the first lease would be refused.
            let mut late = ApiClient::at(server.address()).with_key("runner-key").as_runner("dark");
            let mut stale = job.clone();
            stale["lease"] = json!(1);
            assert_eq!(late.report("start", &stale, json!({})).status, 409);
            assert_eq!(healthy.report("start", &job, json!({})).status, 200);
            assert_eq!(healthy.report("complete", &job, json!({ "output_data": {} })).status, 200);
            let id = told["job_id"].as_str().expect("an id");
            let details = operator.get(&format!("/api/admin/jobs/{id}")).json();
            assert_eq!((&details["attempts"], &details["losses"]), (&json!(1), &json!(0)), "{details}");
            took
        })
        .collect();
    took.sort_unstable();
    let (middle, longest) = (took[tries / 2], took[tries - 1]);
    println!(
        "{tries} dark links: with a healthy runner after {:?}, {middle:?} in the middle, {longest:?} at most",
        took[0]
    );
    assert!(took[0] >= Duration::from_millis(200), "the dark one was not asked: {took:?}");
    assert!(middle < FOUND_OUT_WITHIN, "{took:?}");
    assert!(longest < FOUND_OUT_WITHIN + SLACK, "{took:?}");
}

#[test]
fn netns_a_job_that_meets_only_a_dark_link_waits_for_the_next_runner() {
    need!("netns");
    let network = TestNetwork::new();
    let server = network.serve(&KEYS);
    let _dark = behind_the_link(&network, &server, 1.0);
    network.cut();
    pause(DARK_FOR);
    let told = ApiClient::at(server.address()).with_key("submit-key").submit(TYPE, &json!({}));
    let mut operator = ApiClient::at(server.address()).with_key("admin-key");
    let void = "pilotlight_jobs_dispatched_total{delivery=\"void\"} 1";
    let took = wait_until("it is given back", || operator.get("/metrics").text().contains(void));
    println!("given back after {took:?}");
    let id = told["job_id"].as_str().expect("an id");
    wait_until("it waits again", || {
        operator.get(&format!("/api/admin/jobs/{id}")).json()["status"] == "pending"
    });
    let mut healthy = ApiClient::at(server.address()).with_key("runner-key").as_runner("healthy");
    let job = healthy.execute(TYPE, &json!({}));
    assert_eq!((&job["job_id"], &job["attempt"]), (&told["job_id"], &json!(1)));
}
