//! Processes that are kept for the next job.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::jobs::Party;
use crate::support::process::Folder;
use crate::support::python;
use crate::support::runner::{Runner, Scripts};
use crate::support::server::Server;
use crate::support::skip::need;
use crate::support::wait;

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
    if what == "leave":
        sys.exit(0)
"#;

struct Scene {
    caller: Party,
    next: u32,
    _runner: Runner,
    scripts: Scripts,
    _server: Server,
}

impl Scene {
    fn with(arguments: &[&str]) -> Self {
        let server = Server::start();
        let interpreter = python::interpreter();
        let scripts = Scripts::by(interpreter.to_str().expect("a plain path"), &[("t", KEPT)]);
        let runner = Runner::start(&server.url(), &scripts, &[arguments, &["--keep"]].concat());
        Self { caller: Party::at(server.address()), next: 0, _runner: runner, scripts, _server: server }
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
fn a_kept_process_does_one_job_after_the_other() {
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
fn a_kept_process_is_replaced_after_its_jobs_or_at_its_age() {
    need!("clients");
    let mut scene = Scene::with(&["--keep-jobs", "2"]);
    let processes: Vec<_> = (0..4).map(|_| scene.process("")).collect();
    assert!(processes[0] == processes[1] && processes[1] != processes[2] && processes[2] == processes[3]);
    let mut scene = Scene::with(&["--keep-for", "1ms"]);
    assert_ne!(scene.process(""), scene.process(""));
}

#[test]
fn a_kept_process_that_ends_fails_its_job_and_no_other() {
    need!("clients");
    let mut scene = Scene::with(&["--timeout", "2s", "--kill-after", "200ms"]);
    let first = scene.process("");
    let died = scene.job("die");
    assert_eq!(died["error"], "the kept command exited with code 1 before it answered: no more", "{died}");
    let second = scene.process("leave");
    assert_ne!(second, first);
    assert_ne!(scene.process(""), second, "one that ended between two jobs is replaced");
    let slow = scene.job("hang");
    assert_eq!(slow["error"], "the command took longer than 2 s and was killed", "{slow}");
    scene.process("");
}

#[test]
fn a_line_too_many_is_nobodys_result() {
    need!("clients");
    let mut scene = Scene::with(&[]);
    for what in ["twice", "later"] {
        let first = scene.process(what);
        // Or else it would be in time for the next job.
        wait::pause(Duration::from_millis(600));
        assert_ne!(scene.process(""), first, "it is out of step and was not replaced");
    }
    assert!(scene.scripts.running().len() >= 2);
}

/// The bench says how much; here only that it is worth it.
#[test]
fn a_kept_process_is_much_faster_than_a_fresh_one() {
    need!("clients");
    let data = Folder::in_memory();
    let data = data.path().to_str().expect("a plain path");
    let server = Server::with(&[("PILOTLIGHT_SERVER_DATA_DIR", data)]);
    let interpreter = python::interpreter();
    let interpreter = interpreter.to_str().expect("a plain path");
    let fresh = "import json, decimal, sys\nprint(json.dumps(json.load(sys.stdin)))";
    let kept =
        "import json, decimal, sys\nfor line in sys.stdin: print(json.dumps(json.loads(line)), flush=True)";
    let time = |scripts: Scripts, arguments: &[&str], jobs: u32| {
        let _runner = Runner::start(&server.url(), &scripts, arguments);
        let mut caller = Party::at(server.address());
        let mut job = |number: u32| {
            let body = json!({ "job_type": "t", "input_params": [number, jobs] });
            let told = caller.post("/api/jobs/submit?wait_ms=25000", &body).json();
            assert_eq!(told["result"]["output_data"], json!([number, jobs]), "{told}");
        };
        job(0);
        let started = Instant::now();
        (1..=jobs).for_each(&mut job);
        started.elapsed() / jobs
    };
    let fresh = time(Scripts::by(interpreter, &[("t", fresh)]), &[], 20);
    let kept = time(Scripts::by(interpreter, &[("t", kept)]), &["--keep"], 200);
    println!("a fresh process: {fresh:?} a job, a kept one: {kept:?}");
    assert!(kept * 3 < fresh, "a fresh process: {fresh:?} a job, a kept one: {kept:?}");
}
