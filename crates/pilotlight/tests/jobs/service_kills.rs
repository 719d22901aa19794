//! The service is killed (SIGKILL) again and again under load. Whatever it answered is true afterwards: every answered
//! submission exists, every answered result is there, no job ends twice, and none is stuck.
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

/// A dead runner's jobs come back soon, so that the end is not far.
const SETTINGS: [(&str, &str); 3] = [
    ("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "1s"),
    ("PILOTLIGHT_JOBS_DISPATCH_TIMEOUT", "300ms"),
    ("PILOTLIGHT_JOBS_LOST_RETRIES", "1000"),
];

/// Ends every connection but the one that says so.
const END_ALL: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                       WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";

/// One of the service's.
const ONE: &str = "SELECT max(pid) FROM pg_stat_activity \
                   WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'";

const CALLERS: usize = 4;
const RUNNERS: usize = 4;
const TYPE: &str = "killed";

#[test]
fn over_sqlite_nothing_acknowledged_is_lost_when_the_service_is_killed() {
    play(&JobStore::sqlite());
}

#[test]
fn over_postgres_nothing_acknowledged_is_lost_when_the_service_is_killed() {
    need!("postgresql");
    play(&JobStore::postgres_of_its_own());
}

/// All of its connections at once, again and again.
#[test]
fn nothing_acknowledged_is_lost_when_postgres_closes_its_connections() {
    need!("postgresql");
    let store = JobStore::postgres_of_its_own();
    let JobStore::Postgres { cluster: database, url } = &store else { unreachable!("it was asked for") };
    let scene = Scene::default();
    scene.play(|scene| {
        let server = scene.serve(&store);
        for _ in 0..kills() / 2 {
            // Load between two faults.
            pause(Duration::from_millis(20) + random::time(Duration::from_millis(100)));
            database.sql(url, END_ALL);
        }
        server
    });
}

/// One of its processes at a time, as the kernel does when memory is short: the others end themselves, and the
/// database repairs what was left.
#[test]
fn nothing_acknowledged_is_lost_when_postgres_processes_are_killed() {
    need!("postgresql");
    let store = JobStore::postgres_of_its_own();
    let JobStore::Postgres { cluster: database, url } = &store else { unreachable!("it was asked for") };
    let scene = Scene::default();
    scene.play(|scene| {
        let server = scene.serve(&store);
        for _ in 0..kills() / 10 {
            // Load between two faults.
            pause(Duration::from_millis(20) + random::time(Duration::from_millis(100)));
            let process = wait_for("the service is connected to the database", || {
                database.try_sql(url, ONE).filter(|process| !process.is_empty())
            });
            let killed = Command::new("kill").args(["-s", "KILL", &process]).status();
            // It may have ended by itself in between.
            killed.expect("kill is everywhere");
        }
        server
    });
}

fn kills() -> usize {
    if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 400 } else { 40 }
}

/// What was answered, and where the service is at this moment.
#[derive(Default)]
struct Scene {
    address: Mutex<Option<SocketAddr>>,
    submitted: Mutex<Vec<(String, u64)>>,
    completed: Mutex<HashMap<String, Vec<Value>>>,
    next: AtomicU64,
    callers_rest: AtomicBool,
    is_over: AtomicBool,
}

fn play(store: &JobStore) {
    let scene = Scene::default();
    scene.play(|scene| {
        for _ in 0..kills() {
            let server = scene.serve(store);
            // Load between two faults.
            pause(Duration::from_millis(20) + random::time(Duration::from_millis(150)));
            drop(server);
        }
        scene.serve(store)
    });
    let submitted = scene.submitted.lock().unwrap().len();
    println!("{} kills, {submitted} submissions answered, none lost", kills());
    assert!(submitted > kills(), "too few to tell anything: {submitted}");
}

struct Over<'a>(&'a Scene);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
    }
}

impl Scene {
    /// Under load, does what is bad for the service, and looks what is left in the one that it leaves.
    fn play(&self, fault: impl FnOnce(&Self) -> TestServer) {
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| self.work("caller", Self::submit));
            }
            for number in 0..RUNNERS {
                let runner = format!("runner-{number}");
                scope.spawn(move || self.work(&runner, |scene, party| scene.execute(&runner, party)));
            }
            // A failed look ends the others too.
            let _over = Over(self);
            let server = fault(self);
            self.callers_rest.store(true, Ordering::Relaxed);
            self.settle(&server);
            self.look(&server);
        });
    }

    fn serve(&self, store: &JobStore) -> TestServer {
        *self.address.lock().unwrap() = None;
        let server = store.serve(&SETTINGS);
        *self.address.lock().unwrap() = Some(server.address());
        server
    }

    /// Does it again and again, wherever the service is.
    fn work(&self, name: &str, mut once: impl FnMut(&Self, &mut ApiClient) -> Option<()>) {
        while !self.is_over.load(Ordering::Relaxed) {
            let address = *self.address.lock().unwrap();
            let connection =
                address.and_then(|address| Connection::try_open(address, Duration::from_secs(1)));
            let Some(connection) = connection else {
                // There is no service just now.
                pause(Duration::from_millis(1));
                continue;
            };
            let mut party = ApiClient::on(connection).as_runner(name);
            while once(self, &mut party).is_some() {
                if self.is_over.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    fn submit(&self, caller: &mut ApiClient) -> Option<()> {
        if self.callers_rest.load(Ordering::Relaxed) {
            // Submissions have stopped; runners go on until all jobs have ended.
            pause(Duration::from_millis(10));
            return Some(());
        }
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let body = json!({ "job_type": TYPE, "input_params": { "number": number } });
        let told = ok(caller.try_request("POST", "/api/jobs/submit", body.to_string().as_bytes()))?;
        let id = told["job_id"].as_str().expect("an id").to_owned();
        self.submitted.lock().unwrap().push((id, number));
        Some(())
    }

    fn execute(&self, runner: &str, party: &mut ApiClient) -> Option<()> {
        let path = format!("/api/runner/jobs/next?types[]={TYPE}&wait_ms=200");
        let mut ask = |method: &str, path: &str, body: &Value| {
            let body = if body.is_null() { String::new() } else { body.to_string() };
            ok(party.try_request(method, path, body.as_bytes()))
        };
        let job = ask("GET", &path, &Value::Null)?["job"].clone();
        let Some(id) = job["job_id"].as_str() else { return Some(()) };
        let started =
            ask("POST", &format!("/api/runner/jobs/{id}/start"), &json!({ "lease": job["lease"] }))?;
        if started["success"] != true {
            return Some(());
        }
        let output = json!({ "number": job["input_params"]["number"], "by": runner, "lease": job["lease"] });
        let done = json!({ "lease": job["lease"], "output_data": output, "console_output": "" });
        let done = ask("POST", &format!("/api/runner/jobs/{id}/complete"), &done)?;
        if done["success"] == true {
            self.completed.lock().unwrap().entry(id.to_owned()).or_default().push(output);
        }
        Some(())
    }

    /// Every job that was submitted ends, also those whose submission was never answered. There may be many: the time is
    /// for one of them.
    fn settle(&self, server: &TestServer) {
        let mut operator = ApiClient::at(server.address());
        let mut left = u64::MAX;
        while left > 0 {
            left = wait_for("another job ends", || {
                let jobs = operator.get("/api/admin/stats").json()["jobs"].clone();
                let open = ["pending", "claimed", "in_progress"].map(|status| jobs[status].as_u64());
                // While the store does not answer, nothing is told.
                open.into_iter().sum::<Option<u64>>().filter(|open| *open < left)
            });
        }
    }

    fn look(&self, server: &TestServer) {
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

/// The answer's body; `None` when the service is gone, or says that it cannot serve just now.
fn ok(answer: Result<Response, NoResponse>) -> Option<Value> {
    let answer = answer.ok()?;
    match answer.status {
        204 => Some(Value::Null),
        503 => None,
        _ => Some(answer.json()),
    }
}
