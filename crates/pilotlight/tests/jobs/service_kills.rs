//! The service is killed (SIGKILL) many times under load. Afterwards every acknowledged submission exists, every
//! acknowledged result is stored, no job has ended twice, and none is stuck.
//!
//! 40 kills in the usual run, 400 in `cargo xtask soak`.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::http::{Connection, NoResponse, Response};
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::need;
use pilotlight_testkit::random;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{pause, wait_for};
use serde_json::{Value, json};

/// Short timeouts, so that a lost job is soon queued again and the test soon ends.
const SETTINGS: [(&str, &str); 3] = [
    ("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "1s"),
    ("PILOTLIGHT_JOBS_DISPATCH_TIMEOUT", "300ms"),
    ("PILOTLIGHT_JOBS_LOST_RETRIES", "1000"),
];

/// Closes every client connection except its own.
const TERMINATE_CONNECTIONS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";

/// The id of a PostgreSQL process that serves one of the service's connections.
const SELECT_ONE_PROCESS: &str = "SELECT max(pid) FROM pg_stat_activity \
                   WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";

const CALLERS: usize = 4;
const RUNNERS: usize = 4;
const TYPE: &str = "killed";

#[test]
fn over_sqlite_nothing_acknowledged_is_lost_when_the_service_is_killed() {
    kill_under_load(&JobStore::sqlite());
}

#[test]
fn over_postgres_nothing_acknowledged_is_lost_when_the_service_is_killed() {
    need!("postgresql");
    kill_under_load(&JobStore::postgres_of_its_own());
}

/// All connections are closed at once, many times.
#[test]
fn nothing_acknowledged_is_lost_when_postgres_closes_its_connections() {
    need!("postgresql");
    let store = JobStore::postgres_of_its_own();
    let JobStore::Postgres { cluster: database, url } = &store else {
        unreachable!("the store is PostgreSQL")
    };
    let test = LoadTest::default();
    test.run(|test| {
        let server = test.serve(&store);
        for _ in 0..kills() / 2 {
            // The service is under load for this time between two faults.
            pause(Duration::from_millis(20) + random::time(Duration::from_millis(100)));
            database.sql(url, TERMINATE_CONNECTIONS);
        }
        server
    });
}

/// One PostgreSQL process at a time is killed, as the kernel does when memory is short. PostgreSQL then ends its other
/// processes and recovers.
#[test]
fn nothing_acknowledged_is_lost_when_postgres_processes_are_killed() {
    need!("postgresql");
    let store = JobStore::postgres_of_its_own();
    let JobStore::Postgres { cluster: database, url } = &store else {
        unreachable!("the store is PostgreSQL")
    };
    let test = LoadTest::default();
    test.run(|test| {
        let server = test.serve(&store);
        for _ in 0..kills() / 10 {
            // The service is under load for this time between two faults.
            pause(Duration::from_millis(20) + random::time(Duration::from_millis(100)));
            let process = wait_for("the service is connected to the database", || {
                database.try_sql(url, SELECT_ONE_PROCESS).filter(|process| !process.is_empty())
            });
            let killed = Command::new("kill").args(["-s", "KILL", &process]).status();
            // The status does not matter, because the process may have ended before.
            killed.expect("the command kill exists");
        }
        server
    });
}

fn kills() -> usize {
    if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 400 } else { 40 }
}

/// Callers and runners that put load on a service while it is killed and restarted, and what the service has
/// acknowledged to them.
#[derive(Default)]
struct LoadTest {
    /// Where the service listens now; `None` while it is down.
    address: Mutex<Option<SocketAddr>>,
    /// Job id and number of each acknowledged submission.
    submitted: Mutex<Vec<(String, u64)>>,
    /// The acknowledged outputs of each job id.
    completed: Mutex<HashMap<String, Vec<Value>>>,
    next_number: AtomicU64,
    submissions_stopped: AtomicBool,
    is_over: AtomicBool,
}

/// Runs the load while the service is killed and restarted.
fn kill_under_load(store: &JobStore) {
    let test = LoadTest::default();
    test.run(|test| {
        for _ in 0..kills() {
            let server = test.serve(store);
            // The service is under load for this time between two faults.
            pause(Duration::from_millis(20) + random::time(Duration::from_millis(150)));
            drop(server);
        }
        test.serve(store)
    });
    let submitted = test.submitted.lock().unwrap().len();
    println!("{} kills, {submitted} submissions acknowledged, none lost", kills());
    assert!(submitted > kills(), "too few submissions for a useful test: {submitted}");
}

/// Ends the callers and runners, also when an assertion fails.
struct StopOnDrop<'a>(&'a LoadTest);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl LoadTest {
    /// Injects faults under load, waits until all jobs have ended, and asserts that nothing acknowledged is lost.
    /// `inject_faults` returns the service that runs at the end.
    fn run(&self, inject_faults: impl FnOnce(&Self) -> TestServer) {
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| self.repeat("caller", Self::submit));
            }
            for number in 0..RUNNERS {
                let runner = format!("runner-{number}");
                scope.spawn(move || self.repeat(&runner, |test, client| test.execute(&runner, client)));
            }
            let _stop = StopOnDrop(self);
            let server = inject_faults(self);
            self.submissions_stopped.store(true, Ordering::Relaxed);
            self.wait_for_all_jobs(&server);
            self.assert_nothing_lost(&server);
        });
    }

    fn serve(&self, store: &JobStore) -> TestServer {
        *self.address.lock().unwrap() = None;
        let server = store.serve(&SETTINGS);
        *self.address.lock().unwrap() = Some(server.address());
        server
    }

    /// Repeats an action until the test is over. Connects again whenever the service has restarted or the action fails.
    fn repeat(&self, name: &str, mut action: impl FnMut(&Self, &mut ApiClient) -> Option<()>) {
        while !self.is_over.load(Ordering::Relaxed) {
            let address = *self.address.lock().unwrap();
            let connection =
                address.and_then(|address| Connection::try_open(address, Duration::from_secs(1)));
            let Some(connection) = connection else {
                // The service is down.
                pause(Duration::from_millis(1));
                continue;
            };
            let mut client = ApiClient::on(connection).as_runner(name);
            while action(self, &mut client).is_some() {
                if self.is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    fn submit(&self, caller: &mut ApiClient) -> Option<()> {
        if self.submissions_stopped.load(Ordering::Relaxed) {
            // Runners continue until all jobs have ended.
            pause(Duration::from_millis(10));
            return Some(());
        }
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "job_type": TYPE, "input_params": { "number": number } });
        let job = ok(caller.try_request("POST", "/api/jobs/submit", body.to_string().as_bytes()))?;
        let id = job["job_id"].as_str().expect("an id").to_owned();
        self.submitted.lock().unwrap().push((id, number));
        Some(())
    }

    fn execute(&self, runner: &str, client: &mut ApiClient) -> Option<()> {
        let path = format!("/api/runner/jobs/next?types[]={TYPE}&wait_ms=200");
        let mut request = |method: &str, path: &str, body: &Value| {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            ok(client.try_request(method, path, body.as_bytes()))
        };
        let job = request("GET", &path, &Value::Null)?["job"].clone();
        let Some(id) = job["job_id"].as_str() else { return Some(()) };
        let started =
            request("POST", &format!("/api/runner/jobs/{id}/start"), &json!({ "lease": job["lease"] }))?;
        if started["success"] != true {
            return Some(());
        }
        let output = json!({ "number": job["input_params"]["number"], "by": runner, "lease": job["lease"] });
        let done = json!({ "lease": job["lease"], "output_data": output, "console_output": "" });
        let done = request("POST", &format!("/api/runner/jobs/{id}/complete"), &done)?;
        if done["success"] == true {
            self.completed.lock().unwrap().entry(id.to_owned()).or_default().push(output);
        }
        Some(())
    }

    /// Waits until every job has ended, also those whose submission was not acknowledged. There may be many jobs, so
    /// the deadline applies to each job that ends.
    fn wait_for_all_jobs(&self, server: &TestServer) {
        let mut operator = ApiClient::at(server.address());
        let mut open_jobs = u64::MAX;
        while open_jobs > 0 {
            open_jobs = wait_for("another job ends", || {
                let jobs = operator.get("/api/admin/stats").json()["jobs"].clone();
                let open = ["pending", "claimed", "in_progress"].map(|status| jobs[status].as_u64());
                // The statistics have no counts while the store is unavailable.
                open.into_iter().sum::<Option<u64>>().filter(|open| *open < open_jobs)
            });
        }
    }

    fn assert_nothing_lost(&self, server: &TestServer) {
        let mut caller = ApiClient::at(server.address());
        for (id, number) in self.submitted.lock().unwrap().iter() {
            let job = caller.job(id);
            assert_eq!(job["status"], "completed", "{number}: {job}");
            assert_eq!(job["result"]["output_data"]["number"], *number, "{job}");
        }
        for (id, outputs) in self.completed.lock().unwrap().iter() {
            let job = caller.job(id);
            assert!(
                outputs.iter().all(|output| *output == job["result"]["output_data"]),
                "{outputs:?}: {job}"
            );
        }
        let stats = caller.get("/api/admin/stats").json();
        assert_eq!(stats["jobs"]["failed"], 0, "{stats}");
    }
}

/// The body of the response; `None` when the connection ended without one, or the service is unavailable (503).
fn ok(response: Result<Response, NoResponse>) -> Option<Value> {
    let response = response.ok()?;
    match response.status {
        204 => Some(Value::Null),
        503 => None,
        _ => Some(response.json()),
    }
}
