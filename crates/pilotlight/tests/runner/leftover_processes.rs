//! No process of a command remains, whatever the command does, and whether the command, its reaper or the runner is
//! killed.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

/// Starts a daemon: processes in a session and a process group of their own, without a parent, that ignore SIGTERM.
const DAEMON: &str = "trap '' TERM HUP INT; (trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 1000 & sleep 1000' \
                      </dev/null >/dev/null 2>&1 &) ; ";

/// A service, a runner, and the runner's scripts.
struct Fixture {
    _server: TestServer,
    runner: RunnerProcess,
    scripts: Scripts,
    caller: ApiClient,
}

impl Fixture {
    fn start(script: &str, arguments: &[&str]) -> Self {
        let server = TestServer::start();
        let scripts = Scripts::shell(&[("t", script)]);
        let runner = RunnerProcess::start(&server.url(), &scripts, arguments);
        let caller = ApiClient::at(server.address());
        Self { _server: server, runner, scripts, caller }
    }

    fn submit(&mut self) -> String {
        self.caller.submit("t", &json!({}))["job_id"].as_str().expect("job_id is a string").to_owned()
    }

    /// Submits a job and waits until more than this number of processes run.
    fn submit_and_wait_for_processes(&mut self, processes: usize) -> String {
        let id = self.submit();
        wait_until("the command runs", || self.scripts.running_processes().len() > processes);
        id
    }

    fn wait_for_end(&mut self, id: &str) -> Value {
        self.caller.get(&format!("/api/jobs/{id}?wait_ms=25000")).json()
    }
}

#[test]
fn a_daemon_that_a_command_leaves_is_killed_and_the_result_is_accepted() {
    let mut fixture = Fixture::start(
        &format!("{DAEMON} while [ ! -e \"$MARK/go\" ]; do sleep 0.05; done; echo '{{}}'"),
        &[],
    );
    // More than 3 processes: the reaper, the shell, and those of the daemon.
    let id = fixture.submit_and_wait_for_processes(3);
    std::fs::write(fixture.scripts.path("go"), "").unwrap();
    assert_eq!(fixture.wait_for_end(&id)["status"], "completed");
    fixture.scripts.wait_until_gone();
}

#[test]
fn a_child_that_keeps_stdout_open_does_not_delay_the_result() {
    let mut fixture = Fixture::start("sleep 1000 & echo '{\"a\": 1}'", &[]);
    let id = fixture.submit();
    assert_eq!(fixture.wait_for_end(&id)["result"]["output_data"], json!({ "a": 1 }));
    fixture.scripts.wait_until_gone();
}

#[test]
fn a_command_that_ignores_sigterm_is_killed_after_its_timeout() {
    let mut fixture = Fixture::start(
        &format!("{DAEMON} sleep 1000; sleep 1000"),
        &["--timeout", "4s", "--kill-after", "300ms"],
    );
    let id = fixture.submit_and_wait_for_processes(3);
    let job = fixture.wait_for_end(&id);
    assert_eq!(job["error"], "the command took longer than 4 s and was killed", "{job}");
    fixture.scripts.wait_until_gone();
}

#[test]
fn a_command_may_exit_by_itself_after_sigterm() {
    let script = "trap 'touch \"$MARK/tidy\"; exit 0' TERM; while :; do sleep 0.05; done";
    let mut fixture = Fixture::start(script, &["--timeout", "4s", "--kill-after", "20s"]);
    let id = fixture.submit_and_wait_for_processes(1);
    assert!(fixture.wait_for_end(&id)["error"].as_str().is_some_and(|error| error.contains("took longer")));
    assert!(fixture.scripts.path("tidy").exists(), "the command was killed before it could exit by itself");
}

#[test]
fn a_heartbeat_response_with_a_cancellation_stops_the_command() {
    let server = TestServer::with(&[("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "1s")]);
    let scripts = Scripts::shell(&[("t", &format!("{DAEMON} sleep 1000"))]);
    let runner = RunnerProcess::start(&server.url(), &scripts, &["--kill-after", "300ms"]);
    let mut caller = ApiClient::at(server.address());
    for action in ["cancelled", "deleted"] {
        let id = caller.submit("t", &json!({ "action": action }))["job_id"]
            .as_str()
            .expect("job_id is a string")
            .to_owned();
        wait_until("the command runs", || scripts.running_processes().len() > 3);
        match action {
            "cancelled" => caller.post(&format!("/api/jobs/{id}/cancel"), &json!({})),
            _ => caller.request("DELETE", &format!("/api/admin/jobs/{id}"), b""),
        };
        scripts.wait_until_gone();
    }
    wait_until("the runner logs that it stopped the command", || {
        runner.log().contains("a job was cancelled or its lease was lost")
    });
}

#[test]
fn commands_of_a_killed_runner_are_killed() {
    let mut fixture = Fixture::start(&format!("{DAEMON} sleep 1000"), &[]);
    fixture.submit_and_wait_for_processes(3);
    fixture.runner.signal("KILL");
    fixture.scripts.wait_until_gone();
}

/// Kills the reaper of the running command.
fn kill_reaper(scripts: &Scripts) {
    let is_reaper = |id: &&i32| {
        let line = std::fs::read_to_string(format!("/proc/{id}/cmdline")).unwrap_or_default();
        line.contains("guard")
    };
    let running = scripts.running_processes();
    let reaper = running.iter().find(is_reaper).expect("a reaper runs");
    let killed = std::process::Command::new("kill").args(["-s", "KILL", &reaper.to_string()]).status();
    assert!(killed.expect("every machine has kill").success());
}

#[test]
fn the_command_of_a_killed_reaper_is_killed_and_the_job_fails() {
    let mut fixture = Fixture::start(&format!("{DAEMON} sleep 1000"), &[]);
    let id = fixture.submit_and_wait_for_processes(3);
    kill_reaper(&fixture.scripts);
    let job = fixture.wait_for_end(&id);
    assert_eq!(job["error"], "the command was killed together with its supervising process", "{job}");
    fixture.scripts.wait_until_gone();
}

#[test]
fn a_reaper_killed_while_its_warm_process_is_idle_leaves_no_process_and_is_replaced() {
    let script = format!("{DAEMON} while read line; do echo '{{}}'; done");
    let mut fixture = Fixture::start(&script, &["--keep"]);
    let id = fixture.submit_and_wait_for_processes(3);
    assert_eq!(fixture.wait_for_end(&id)["status"], "completed");
    let old = fixture.scripts.running_processes();
    kill_reaper(&fixture.scripts);
    wait_until("the old processes are gone and new ones run, without another job", || {
        let running = fixture.scripts.running_processes();
        running.len() > 3 && !old.iter().any(|id| running.contains(id))
    });
}
