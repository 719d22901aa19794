//! Warm processes (`--keep`): one process executes one job after the other.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::need;
use pilotlight_testkit::python;
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

/// Writes its process id and the job's input as the result, after the action that the input's `do` names.
const WARM_PROCESS: &str = r#"
import json, os, sys, time
done = 0
for line in sys.stdin:
    job = json.loads(line)
    done += 1
    print("job", done, file=sys.stderr)
    action = job.get("do")
    if action == "die":
        sys.exit("no more")
    if action == "fail":
        print("::error no such file", flush=True)
        continue
    if action == "hang":
        time.sleep(1000)
    print(json.dumps({"process": os.getpid(), "done": done, "job": job}), flush=True)
    if action == "twice":
        print(json.dumps({"belongs to": "no job"}), flush=True)
    if action == "later":
        time.sleep(0.3)
        print(json.dumps({"belongs to": "no job"}), flush=True)
    if action == "log-later":
        time.sleep(0.3)
        print("::progress 9/10\nlate text\nhalf a line", end="", file=sys.stderr, flush=True)
    if action == "exit":
        sys.exit(0)
"#;

/// A service and a runner whose one command is a warm process.
struct Fixture {
    caller: ApiClient,
    next: u32,
    _runner: RunnerProcess,
    scripts: Scripts,
    _server: TestServer,
}

impl Fixture {
    fn start(arguments: &[&str]) -> Self {
        Self::with_script(WARM_PROCESS, arguments)
    }

    fn with_script(script: &str, arguments: &[&str]) -> Self {
        let server = TestServer::start();
        let interpreter = python::interpreter();
        let scripts =
            Scripts::for_interpreter(interpreter.to_str().expect("the path is UTF-8"), &[("t", script)]);
        let runner = RunnerProcess::start(&server.url(), &scripts, &[arguments, &["--keep"]].concat());
        Self { caller: ApiClient::at(server.address()), next: 0, _runner: runner, scripts, _server: server }
    }

    /// Submits a job with this action, waits for its end and returns it.
    fn execute(&mut self, action: &str) -> Value {
        self.next += 1;
        let input = json!({ "do": action, "number": self.next, "text": "a\nb" });
        let body = json!({ "job_type": "t", "input_params": input });
        let job = self.caller.post("/api/jobs/submit?wait_ms=25000", &body).json();
        if job["status"] == "completed" {
            assert_eq!(job["result"]["output_data"]["job"], input, "the result belongs to another job");
        }
        job
    }

    /// The id of the process that executed a job with this action.
    fn process(&mut self, action: &str) -> Value {
        let job = self.execute(action);
        assert_eq!(job["status"], "completed", "{job}");
        job["result"]["output_data"]["process"].clone()
    }
}

#[test]
fn a_warm_process_executes_one_job_after_the_other() {
    need!("clients");
    let mut fixture = Fixture::start(&[]);
    let job = fixture.execute("");
    assert_eq!(job["result"]["console_output"], "job 1\n", "{job}");
    let first = job["result"]["output_data"]["process"].clone();
    let job = fixture.execute("");
    assert_eq!(job["result"]["console_output"], "job 2\n", "{job}");
    assert_eq!(job["result"]["output_data"]["process"], first);
    let failed = fixture.execute("fail");
    assert_eq!(failed["error"], "no such file", "{failed}");
    assert_eq!(
        fixture.process(""),
        first,
        "a job that the process reports as failed does not end the process"
    );
}

#[test]
fn a_warm_process_is_replaced_after_keep_jobs_jobs_or_at_the_age_of_keep_for() {
    need!("clients");
    let mut fixture = Fixture::start(&["--keep-jobs", "2"]);
    let processes: Vec<_> = (0..4).map(|_| fixture.process("")).collect();
    assert!(processes[0] == processes[1] && processes[1] != processes[2] && processes[2] == processes[3]);
    let mut fixture = Fixture::start(&["--keep-for", "1ms"]);
    assert_ne!(fixture.process(""), fixture.process(""));
}

#[test]
fn a_warm_process_that_exits_fails_only_its_current_job() {
    need!("clients");
    let mut fixture = Fixture::start(&["--timeout", "2s", "--kill-after", "200ms"]);
    let first = fixture.process("");
    let died = fixture.execute("die");
    assert_eq!(died["error"], "the warm process exited with code 1 before it answered: no more", "{died}");
    let second = fixture.process("exit");
    assert_ne!(second, first);
    assert_ne!(fixture.process(""), second, "a process that exited between two jobs is replaced");
    let slow = fixture.execute("hang");
    assert_eq!(slow["error"], "the command took longer than 2 s and was killed", "{slow}");
    fixture.process("");
}

#[test]
fn an_unsolicited_line_is_not_the_result_of_the_next_job() {
    need!("clients");
    let mut fixture = Fixture::start(&[]);
    for action in ["twice", "later"] {
        let first = fixture.process(action);
        assert_ne!(fixture.process(""), first, "the process wrote an unsolicited line and was not replaced");
    }
}

#[test]
fn late_console_output_of_one_job_is_not_in_that_of_the_next_job() {
    need!("clients");
    let mut fixture = Fixture::start(&[]);
    let first = fixture.process("log-later");
    let job = fixture.execute("");
    assert_eq!(job["result"]["output_data"]["process"], first, "{job}");
    assert_eq!(job["result"]["console_output"], "job 2\n", "{job}");
}

#[test]
fn a_line_before_the_first_job_is_not_a_result() {
    need!("clients");
    for greeting in ["", "time.sleep(0.3)"] {
        let script =
            format!("import time\n{greeting}\nprint('{{\"hello\": 1}}', flush=True)\n{WARM_PROCESS}");
        let job = Fixture::with_script(&script, &[]).execute("");
        let error = job["error"].as_str().unwrap_or_else(|| panic!("{job}"));
        assert!(error.contains("writes to stdout before it has read its job"), "{error}");
    }
}

#[test]
fn a_command_that_exits_before_it_reads_is_reported_with_its_exit_code_and_last_stderr_line() {
    need!("clients");
    let job =
        Fixture::with_script("import sys\nprint('no model', file=sys.stderr)\nsys.exit(3)", &[]).execute("");
    assert_eq!(job["error"], "the warm process exited with code 3 before it answered: no model", "{job}");
}

#[test]
fn a_warm_process_may_execute_a_complete_value_before_it_reads_the_line_break() {
    need!("clients");
    let script = r#"
import json, os, sys
text = ""
while byte := os.read(0, 1).decode("latin-1"):
    text += byte
    try:
        job = json.loads(text)
    except ValueError:
        continue
    text = ""
    if isinstance(job, dict):
        print(json.dumps({"process": os.getpid(), "job": job}), flush=True)
"#;
    let mut fixture = Fixture::with_script(script, &[]);
    assert_eq!(fixture.process(""), fixture.process(""));
}

#[test]
fn an_old_warm_process_is_replaced_while_it_is_idle() {
    need!("clients");
    let mut fixture = Fixture::start(&["--keep-for", "3s"]);
    let first = fixture.process("");
    let is_first = |id: &i32| first == *id;
    assert!(fixture.scripts.running_processes().iter().any(is_first));
    wait_until("the process is replaced without another job", || {
        let running = fixture.scripts.running_processes();
        running.len() > 1 && !running.iter().any(is_first)
    });
}
