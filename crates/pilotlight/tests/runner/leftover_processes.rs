//! Nothing of a command remains, whatever it does and whoever is killed.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

/// Goes away from its group and its session, leaves its parents behind, and does not listen.
const DAEMON: &str = "trap '' TERM HUP INT; (trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 1000 & sleep 1000' \
                      </dev/null >/dev/null 2>&1 &) ; ";

struct Scene {
    _server: TestServer,
    runner: RunnerProcess,
    scripts: Scripts,
    caller: ApiClient,
}

impl Scene {
    fn of(script: &str, arguments: &[&str]) -> Self {
        let server = TestServer::start();
        let scripts = Scripts::shell(&[("t", script)]);
        let runner = RunnerProcess::start(&server.url(), &scripts, arguments);
        let caller = ApiClient::at(server.address());
        Self { _server: server, runner, scripts, caller }
    }

    fn submit(&mut self) -> String {
        self.caller.submit("t", &json!({}))["job_id"].as_str().expect("an id").to_owned()
    }

    /// Submits a job and waits until its command and so many more processes run.
    fn begin(&mut self, processes: usize) -> String {
        let id = self.submit();
        wait_until("the command runs", || self.scripts.running_processes().len() > processes);
        id
    }

    fn ended(&mut self, id: &str) -> Value {
        self.caller.get(&format!("/api/jobs/{id}?wait_ms=25000")).json()
    }
}

#[test]
fn a_daemon_that_a_command_leaves_is_killed_and_the_result_is_taken() {
    let mut scene =
        Scene::of(&format!("{DAEMON} while [ ! -e \"$MARK/go\" ]; do sleep 0.05; done; echo '{{}}'"), &[]);
    // The guard, the shell, and the daemon's.
    let id = scene.begin(3);
    std::fs::write(scene.scripts.path("go"), "").unwrap();
    assert_eq!(scene.ended(&id)["status"], "completed");
    scene.scripts.wait_until_gone();
}

#[test]
fn a_child_that_keeps_stdout_open_does_not_delay_the_result() {
    let mut scene = Scene::of("sleep 1000 & echo '{\"a\": 1}'", &[]);
    let id = scene.submit();
    assert_eq!(scene.ended(&id)["result"]["output_data"], json!({ "a": 1 }));
    scene.scripts.wait_until_gone();
}

#[test]
fn a_command_that_ignores_sigterm_is_killed_when_its_time_is_over() {
    let mut scene =
        Scene::of(&format!("{DAEMON} sleep 1000; sleep 1000"), &["--timeout", "4s", "--kill-after", "300ms"]);
    let id = scene.begin(3);
    let told = scene.ended(&id);
    assert_eq!(told["error"], "the command took longer than 4 s and was killed", "{told}");
    scene.scripts.wait_until_gone();
}

#[test]
fn a_command_may_exit_by_itself_after_sigterm() {
    let script = "trap 'touch \"$MARK/tidy\"; exit 0' TERM; while :; do sleep 0.05; done";
    let mut scene = Scene::of(script, &["--timeout", "4s", "--kill-after", "20s"]);
    let id = scene.begin(1);
    assert!(scene.ended(&id)["error"].as_str().is_some_and(|why| why.contains("took longer")));
    assert!(scene.scripts.path("tidy").exists(), "it was not let to tidy up");
}

#[test]
fn a_heartbeat_response_with_a_cancellation_stops_the_command() {
    let server = TestServer::with(&[("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "1s")]);
    let scripts = Scripts::shell(&[("t", &format!("{DAEMON} sleep 1000"))]);
    let runner = RunnerProcess::start(&server.url(), &scripts, &["--kill-after", "300ms"]);
    let mut caller = ApiClient::at(server.address());
    for what in ["cancelled", "deleted"] {
        let id = caller.submit("t", &json!({ "what": what }))["job_id"].as_str().expect("an id").to_owned();
        wait_until("the command runs", || scripts.running_processes().len() > 3);
        match what {
            "cancelled" => caller.post(&format!("/api/jobs/{id}/cancel"), &json!({})),
            _ => caller.request("DELETE", &format!("/api/admin/jobs/{id}"), b""),
        };
        scripts.wait_until_gone();
    }
    wait_until("the runner says so", || runner.log().contains("a job was cancelled or its lease was lost"));
}

#[test]
fn a_runner_that_is_killed_takes_its_commands_with_it() {
    let mut scene = Scene::of(&format!("{DAEMON} sleep 1000"), &[]);
    scene.begin(3);
    scene.runner.signal("KILL");
    scene.scripts.wait_until_gone();
}

/// Kills the guard of a command that runs.
fn kill_the_guard(scripts: &Scripts) {
    let is_guard = |id: &&i32| {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.contains("guard")
    };
    let running = scripts.running_processes();
    let guard = running.iter().find(is_guard).expect("a guard");
    let killed = std::process::Command::new("kill").args(["-s", "KILL", &guard.to_string()]).status();
    assert!(killed.expect("kill is everywhere").success());
}

#[test]
fn a_killed_reaper_takes_its_command_with_it_and_the_job_fails() {
    let mut scene = Scene::of(&format!("{DAEMON} sleep 1000"), &[]);
    let id = scene.begin(3);
    kill_the_guard(&scene.scripts);
    let told = scene.ended(&id);
    assert_eq!(told["error"], "the command was killed together with its supervising process", "{told}");
    scene.scripts.wait_until_gone();
}

#[test]
fn a_reaper_killed_while_its_command_is_idle_leaves_nothing_and_is_replaced() {
    let script = format!("{DAEMON} while read line; do echo '{{}}'; done");
    let mut scene = Scene::of(&script, &["--keep"]);
    let id = scene.begin(3);
    assert_eq!(scene.ended(&id)["status"], "completed");
    let old = scene.scripts.running_processes();
    kill_the_guard(&scene.scripts);
    wait_until("the old ones are gone without a job, and new ones are there", || {
        let running = scene.scripts.running_processes();
        running.len() > 3 && !old.iter().any(|id| running.contains(id))
    });
}
