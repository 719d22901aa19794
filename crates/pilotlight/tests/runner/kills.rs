//! Runners, commands and the service are killed (SIGKILL) at random under load. Every job ends exactly once with its
//! own result, and no process of any command remains.
//!
//! 200 jobs in `cargo xtask test`, 1,000 in `cargo xtask soak`.

use std::process::Command;
use std::time::{Duration, Instant};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::fixed_address::FixedAddress;
use pilotlight_testkit::random;
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::pause;
use serde_json::json;

/// The jobs of a killed runner are pending again after about a second, and lost attempts do not fail a job.
const SETTINGS: [(&str, &str); 3] = [
    ("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "1s"),
    ("PILOTLIGHT_JOBS_DISPATCH_TIMEOUT", "300ms"),
    ("PILOTLIGHT_JOBS_LOST_RETRIES", "1000"),
];

/// Leaves a child in its process group and another child in a session of its own, and runs for 10 to 90 ms.
const SCRIPT: &str = "read input; sleep 300 & setsid sleep 301 & echo \"$input\" >&2; sleep 0.0$((${#input} % 9 + 1)); \
                      echo \"{\\\"input\\\": $input, \\\"id\\\": \\\"$PILOTLIGHT_JOB_ID\\\"}\"";

const SLOTS: [&str; 2] = ["--slots", "8"];

fn jobs() -> u64 {
    if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 1000 } else { 200 }
}

/// A service, a runner, and how often each of them was killed.
struct Fixture {
    address: FixedAddress,
    scripts: Scripts,
    server: TestServer,
    runner: RunnerProcess,
    /// Killed runners, commands and services.
    kills: [u32; 3],
}

mod alone {
    use super::*;

    #[test]
    fn every_job_ends_once_with_its_own_result_despite_random_kills() {
        let address = FixedAddress::new();
        let scripts = Scripts::shell(&[("t", SCRIPT)]);
        let server = address.serve(&SETTINGS);
        let runner = RunnerProcess::start(&address.url(), &scripts, &SLOTS);
        let ids = submit(&server);
        let mut fixture = Fixture { address, scripts, server, runner, kills: [0; 3] };
        let started = Instant::now();
        while fixture.unfinished_jobs() > 0 {
            assert!(
                started.elapsed() < Duration::from_secs(600),
                "{} jobs have not ended",
                fixture.unfinished_jobs()
            );
            // Between two kills, jobs are executed.
            pause(random::time(Duration::from_millis(300)));
            fixture = fixture.kill_at_random();
        }
        fixture.check_results(&ids);
        let [runners, commands, services] = fixture.kills;
        println!(
            "{} jobs in {:?}; killed: {runners} runners, {commands} commands, {services} services",
            ids.len(),
            started.elapsed()
        );
        drop(fixture.runner);
        fixture.scripts.wait_until_gone();
    }
}

fn submit(server: &TestServer) -> Vec<String> {
    let mut caller = ApiClient::at(server.address());
    let submit = |number| {
        let input = json!({ "number": number, "text": "x".repeat(number as usize % 9) });
        let (status, response) = caller.submit_with("t", &input, &json!({ "max_attempts": 100 }));
        assert_eq!(status, 201, "{response}");
        response["job_id"].as_str().expect("job_id is a string").to_owned()
    };
    (0..jobs()).map(submit).collect()
}

impl Fixture {
    /// The number of jobs that have not ended.
    fn unfinished_jobs(&self) -> u64 {
        let stats = ApiClient::at(self.server.address()).get("/api/admin/stats").json();
        ["pending", "claimed", "in_progress"].iter().filter_map(|status| stats["jobs"][status].as_u64()).sum()
    }

    /// Kills the runner, the service or, most often, a process of a command.
    fn kill_at_random(mut self) -> Self {
        match random::number(10) {
            0 => {
                self.kills[0] += 1;
                drop(self.runner);
                self.scripts.wait_until_gone();
                self.runner = RunnerProcess::start(&self.address.url(), &self.scripts, &SLOTS);
            }
            1 => {
                self.kills[2] += 1;
                drop(self.server);
                self.server = self.address.serve(&SETTINGS);
            }
            _ => {
                let running = self.scripts.running_processes();
                let Some(process) = running.get(random::number(running.len().max(1) as u64) as usize) else {
                    return self;
                };
                self.kills[1] += 1;
                // The process may have exited by itself.
                _ = Command::new("kill").args(["-s", "KILL", &process.to_string()]).output();
            }
        }
        self
    }

    /// Asserts that every job has its own result, and one line of console output.
    fn check_results(&self, ids: &[String]) {
        let mut caller = ApiClient::at(self.server.address());
        for (number, id) in ids.iter().enumerate() {
            let job = caller.job(id);
            assert_eq!(job["status"], "completed", "{number}: {job}");
            let output = &job["result"]["output_data"];
            assert_eq!(output["input"]["number"], number, "{job}");
            assert_eq!(output["id"], id.as_str(), "{job}");
            let console = job["result"]["console_output"].as_str().expect("console_output is a string");
            // The shell writes a line about a killed child; the job's own line is there exactly once.
            let lines: Vec<_> = console.lines().filter(|line| !line.contains("Killed")).collect();
            assert_eq!(lines, [output["input"].to_string()], "{job}");
        }
        let stats = caller.get("/api/admin/stats").json();
        assert_eq!(stats["jobs"]["completed"], ids.len(), "{stats}");
        assert_eq!(stats["jobs"]["total"], ids.len(), "{stats}");
    }
}
