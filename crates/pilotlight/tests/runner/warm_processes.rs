//! Processes that are kept for the next job.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::need;
use pilotlight_testkit::python;
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

/// Answers with its process and its input, and does what the input says.
const KEPT: &str = r#"
import json, os, sys, time
done = 0
for line in sys.stdin:
    job = json.loads(line)
    done += 1
    print("job", done, file=sys.stderr)
    what = job.get("do")
    if what == "die":
        sys.exit("no more")
    if what == "fail":
        print("::error no such file", flush=True)
        continue
    if what == "hang":
        time.sleep(1000)
    print(json.dumps({"process": os.getpid(), "done": done, "job": job}), flush=True)
    if what == "twice":
        print(json.dumps({"this is": "nobody's"}), flush=True)
    if what == "later":
        time.sleep(0.3)
        print(json.dumps({"this is": "nobody's"}), flush=True)
    if what == "mutter":
        time.sleep(0.3)
        print("::progress 9/10\nlate words\nhalf a line", end="", file=sys.stderr, flush=True)
    if what == "leave":
        sys.exit(0)
"#;

struct Scene {
    caller: ApiClient,
    next: u32,
    _runner: RunnerProcess,
    scripts: Scripts,
    _server: TestServer,
}

impl Scene {
    fn with(arguments: &[&str]) -> Self {
        Self::of(KEPT, arguments)
    }

    fn of(script: &str, arguments: &[&str]) -> Self {
        let server = TestServer::start();
        let interpreter = python::interpreter();
        let scripts = Scripts::for_interpreter(interpreter.to_str().expect("a plain path"), &[("t", script)]);
        let runner = RunnerProcess::start(&server.url(), &scripts, &[arguments, &["--keep"]].concat());
        Self { caller: ApiClient::at(server.address()), next: 0, _runner: runner, scripts, _server: server }
    }

    /// A job that does this; what its caller is told.
    fn job(&mut self, what: &str) -> Value {
        self.next += 1;
        let input = json!({ "do": what, "number": self.next, "text": "a\nb" });
        let body = json!({ "job_type": "t", "input_params": input });
        let told = self.caller.post("/api/jobs/submit?wait_ms=25000", &body).json();
        if told["status"] == "completed" {
            assert_eq!(told["result"]["output_data"]["job"], input, "the result is another job's");
        }
        told
    }

    fn process(&mut self, what: &str) -> Value {
        let told = self.job(what);
        assert_eq!(told["status"], "completed", "{told}");
        told["result"]["output_data"]["process"].clone()
    }
}

#[test]
fn a_warm_process_executes_one_job_after_the_other() {
    need!("clients");
    let mut scene = Scene::with(&[]);
    let told = scene.job("");
    assert_eq!(told["result"]["console_output"], "job 1\n", "{told}");
    let first = told["result"]["output_data"]["process"].clone();
    let told = scene.job("");
    assert_eq!(told["result"]["console_output"], "job 2\n", "{told}");
    assert_eq!(told["result"]["output_data"]["process"], first);
    let failed = scene.job("fail");
    assert_eq!(failed["error"], "no such file", "{failed}");
    assert_eq!(scene.process(""), first, "a failure that it tells of does not end it");
}

#[test]
fn a_warm_process_is_replaced_after_its_number_of_jobs_or_at_its_age() {
    need!("clients");
    let mut scene = Scene::with(&["--keep-jobs", "2"]);
    let processes: Vec<_> = (0..4).map(|_| scene.process("")).collect();
    assert!(processes[0] == processes[1] && processes[1] != processes[2] && processes[2] == processes[3]);
    let mut scene = Scene::with(&["--keep-for", "1ms"]);
    assert_ne!(scene.process(""), scene.process(""));
}

#[test]
fn a_warm_process_that_exits_fails_its_job_and_no_other() {
    need!("clients");
    let mut scene = Scene::with(&["--timeout", "2s", "--kill-after", "200ms"]);
    let first = scene.process("");
    let died = scene.job("die");
    assert_eq!(died["error"], "the warm process exited with code 1 before it answered: no more", "{died}");
    let second = scene.process("leave");
    assert_ne!(second, first);
    assert_ne!(scene.process(""), second, "one that ended between two jobs is replaced");
    let slow = scene.job("hang");
    assert_eq!(slow["error"], "the command took longer than 2 s and was killed", "{slow}");
    scene.process("");
}

#[test]
fn an_unsolicited_line_is_no_jobs_result() {
    need!("clients");
    let mut scene = Scene::with(&[]);
    for what in ["twice", "later"] {
        let first = scene.process(what);
        assert_ne!(scene.process(""), first, "it is out of step and was not replaced");
    }
}

#[test]
fn output_for_one_job_is_not_in_the_next_jobs_console() {
    need!("clients");
    let mut scene = Scene::with(&[]);
    let first = scene.process("mutter");
    let told = scene.job("");
    assert_eq!(told["result"]["output_data"]["process"], first, "{told}");
    assert_eq!(told["result"]["console_output"], "job 2\n", "{told}");
}

#[test]
fn a_greeting_is_nobodys_result() {
    need!("clients");
    for greeting in ["", "time.sleep(0.3)"] {
        let script = format!("import time\n{greeting}\nprint('{{\"hello\": 1}}', flush=True)\n{KEPT}");
        let told = Scene::of(&script, &[]).job("");
        let error = told["error"].as_str().unwrap_or_else(|| panic!("{told}"));
        assert!(error.contains("writes to stdout before it has read its job"), "{error}");
    }
}

#[test]
fn a_command_that_exits_before_it_reads_is_reported_with_its_exit_code_and_last_stderr_line() {
    need!("clients");
    let told = Scene::of("import sys\nprint('no model', file=sys.stderr)\nsys.exit(3)", &[]).job("");
    assert_eq!(told["error"], "the warm process exited with code 3 before it answered: no model", "{told}");
}

#[test]
fn a_warm_process_may_act_on_a_complete_value_before_the_line_break() {
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
    let mut scene = Scene::of(script, &[]);
    assert_eq!(scene.process(""), scene.process(""));
}

#[test]
fn an_old_warm_process_is_replaced_while_it_is_idle() {
    need!("clients");
    let mut scene = Scene::with(&["--keep-for", "3s"]);
    let first = scene.process("");
    let is_first = |id: &i32| first == *id;
    assert!(scene.scripts.running_processes().iter().any(is_first));
    wait_until("it is replaced without a job", || {
        let running = scene.scripts.running_processes();
        running.len() > 1 && !running.iter().any(is_first)
    });
}
