//! Runners, commands and the service are killed (SIGKILL) at random under load. Every job ends exactly once with its own
//! result, and nothing of any command remains.
//!
//! 200 jobs in the usual run, 1,000 in `cargo xtask soak`.

use std::process::Command;
use std::time::{Duration, Instant};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::fixed_address::FixedAddress;
use pilotlight_testkit::random;
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::pause;
use serde_json::json;

/// A dead runner's jobs come back soon, and a killed command is no end.
const SETTINGS: [(&str, &str); 3] = [
    ("PILOTLIGHT_JOBS_HEARTBEAT_TIMEOUT", "1s"),
    ("PILOTLIGHT_JOBS_DISPATCH_TIMEOUT", "300ms"),
    ("PILOTLIGHT_JOBS_LOST_RETRIES", "1000"),
];

/// Leaves a child in its group and another that goes away, and takes some time.
const SCRIPT: &str = "read input; sleep 300 & setsid sleep 301 & echo \"$input\" >&2; sleep 0.0$((${#input} % 9 + 1)); \
                      echo \"{\\\"input\\\": $input, \\\"id\\\": \\\"$PILOTLIGHT_JOB_ID\\\"}\"";

const SLOTS: [&str; 2] = ["--slots", "8"];

fn jobs() -> u64 {
    if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 1000 } else { 200 }
}

struct Scene {
    place: FixedAddress,
    scripts: Scripts,
    server: TestServer,
    runner: RunnerProcess,
    kills: [u32; 3],
}

mod alone {
    use super::*;

    #[test]
    fn every_job_ends_once_with_its_own_result_whoever_is_killed() {
        let place = FixedAddress::new();
        let scripts = Scripts::shell(&[("t", SCRIPT)]);
        let server = place.serve(&SETTINGS);
        let runner = RunnerProcess::start(&place.url(), &scripts, &SLOTS);
        let ids = submit(&server);
        let mut scene = Scene { place, scripts, server, runner, kills: [0; 3] };
        let started = Instant::now();
        while scene.left() > 0 {
            assert!(started.elapsed() < Duration::from_secs(600), "{} jobs are left", scene.left());
            // Load between two kills.
            pause(random::time(Duration::from_millis(300)));
            scene = scene.kill();
        }
        scene.look(&ids);
        let [runners, commands, services] = scene.kills;
        println!(
            "{} jobs in {:?}; killed: {runners} runners, {commands} commands, {services} services",
            ids.len(),
            started.elapsed()
        );
        drop(scene.runner);
        scene.scripts.wait_until_gone();
    }
}

fn submit(server: &TestServer) -> Vec<String> {
    let mut caller = ApiClient::at(server.address());
    let submit = |number| {
        let input = json!({ "number": number, "text": "x".repeat(number as usize % 9) });
        let (status, told) = caller.submit_with("t", &input, &json!({ "max_attempts": 100 }));
        assert_eq!(status, 201, "{told}");
        told["job_id"].as_str().expect("an id").to_owned()
    };
    (0..jobs()).map(submit).collect()
}

impl Scene {
    /// Jobs that have not ended.
    fn left(&self) -> u64 {
        let stats = ApiClient::at(self.server.address()).get("/api/admin/stats").json();
        ["pending", "claimed", "in_progress"].iter().filter_map(|status| stats["jobs"][status].as_u64()).sum()
    }

    /// Kills somebody.
    fn kill(mut self) -> Self {
        match random::number(10) {
            0 => {
                self.kills[0] += 1;
                drop(self.runner);
                self.scripts.wait_until_gone();
                self.runner = RunnerProcess::start(&self.place.url(), &self.scripts, &SLOTS);
            }
            1 => {
                self.kills[2] += 1;
                drop(self.server);
                self.server = self.place.serve(&SETTINGS);
            }
            _ => {
                let running = self.scripts.running_processes();
                let Some(one) = running.get(random::number(running.len().max(1) as u64) as usize) else {
                    return self;
                };
                self.kills[1] += 1;
                // It may have ended by itself.
                _ = Command::new("kill").args(["-s", "KILL", &one.to_string()]).output();
            }
        }
        self
    }

    fn look(&self, ids: &[String]) {
        let mut caller = ApiClient::at(self.server.address());
        for (number, id) in ids.iter().enumerate() {
            let job = caller.job(id);
            assert_eq!(job["status"], "completed", "{number}: {job}");
            let output = &job["result"]["output_data"];
            assert_eq!(output["input"]["number"], number, "{job}");
            assert_eq!(output["id"], id.as_str(), "{job}");
            let console = job["result"]["console_output"].as_str().expect("a text");
            // The shell tells of a child that was killed; the job's own line is there once.
            let lines: Vec<_> = console.lines().filter(|line| !line.contains("Killed")).collect();
            assert_eq!(lines, [output["input"].to_string()], "{job}");
        }
        let stats = caller.get("/api/admin/stats").json();
        assert_eq!(stats["jobs"]["completed"], ids.len(), "{stats}");
        assert_eq!(stats["jobs"]["total"], ids.len(), "{stats}");
    }
}
