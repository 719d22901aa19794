//! What a command does, and what its caller is told.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{RunningCommand, command_for};
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::{TestServer, pilotlight_command};
use serde_json::{Value, json};

/// Submits a job and waits for its end.
fn end(server: &TestServer, job_type: &str, input: &Value) -> Value {
    let mut caller = ApiClient::at(server.address());
    let body = json!({ "job_type": job_type, "input_params": input });
    caller.post("/api/jobs/submit?wait_ms=25000", &body).json()
}

fn console(server: &TestServer, told: &Value) -> String {
    let id = told["job_id"].as_str().expect("an id");
    let job = ApiClient::at(server.address()).get(&format!("/api/admin/jobs/{id}")).json();
    job["console_output"].as_str().expect("a text").to_owned()
}

#[test]
fn a_command_gets_its_parameters_and_gives_result_console_and_progress() {
    let server = TestServer::start();
    let script = "read line\necho '::progress 1/2' >&2\necho \"it goes\" >&2\nsleep 1.5\n\
                  echo \"{\\\"input\\\": $line, \\\"id\\\": \\\"$PILOTLIGHT_JOB_ID\\\", \\\"try\\\": $PILOTLIGHT_ATTEMPT}\"";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let mut caller = ApiClient::at(server.address());
    let id = caller.submit("t", &json!({ "a": 1.0 }))["job_id"].as_str().expect("an id").to_owned();
    pilotlight_testkit::wait::wait_until("progress is told while it runs", || {
        caller.job(&id)["progress"] == json!({ "current": 1, "total": 2 })
    });
    let told = end(&server, "t", &json!({ "a": 1 }));
    assert_eq!(told["status"], "completed", "{told}");
    assert_eq!(told["result"]["output_data"], json!({ "input": { "a": 1.0 }, "id": id, "try": 1 }));
    assert_eq!(told["result"]["console_output"], "it goes\n");
}

#[test]
fn every_failed_command_has_an_error_text_for_the_caller() {
    let server = TestServer::start();
    let table = [
        ("code", "echo one >&2; echo 'no memory' >&2; echo; exit 3", "exited with code 3: no memory"),
        ("signal", "kill -s SEGV $$", "killed by signal 11 (SIGSEGV)"),
        ("nothing", "cat > /dev/null", "wrote nothing to stdout"),
        ("text", "echo hello", "not JSON to stdout (at byte 0)"),
        ("half", "printf '{\"a\": [1, 2'", "it ends after 11 bytes"),
        ("binary", "printf '{}\\377\\376'", "not UTF-8 to stdout (at byte 2)"),
        ("several", "echo '{}'; echo '{}'", "more than one value to stdout (at byte 3)"),
        ("scalar", "echo 1", "neither object nor list"),
        (
            "long",
            "printf '[\"'; head -c 511997 /dev/zero | tr '\\0' x; printf '\"]'",
            "longer than 512000 bytes",
        ),
        ("endless", "exec cat /dev/zero", "more than 1048576 bytes to stdout and was killed"),
        ("slow", "sleep 60", "took longer than 2 s and was killed"),
        (
            "deep",
            "head -c 200 /dev/zero | tr '\\0' '['; head -c 200 /dev/zero | tr '\\0' ']'",
            "nested deeper",
        ),
    ];
    let scripts: Vec<_> = table.iter().map(|(name, script, _)| (*name, *script)).collect();
    let scripts = Scripts::shell(&scripts);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &["--timeout", "2s", "--slots", "4"]);
    for (name, _, says) in table {
        let told = end(&server, name, &json!({}));
        let error = told["error"].as_str().unwrap_or_else(|| panic!("{name}: {told}"));
        assert!(error.contains(says), "{name}: {error}");
    }
}

#[test]
fn a_result_of_500_kib_is_taken() {
    let server = TestServer::start();
    let script = "printf '[\"'; head -c 511996 /dev/zero | tr '\\0' x; printf '\"]\\n'";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let told = end(&server, "t", &json!({}));
    assert_eq!(told["status"], "completed", "{}", told["error"]);
}

#[test]
fn a_command_that_does_not_read_its_input_is_not_blocked() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[
        ("closes", "exec <&-; sleep 0.2; echo '{\"closed\": true}'"),
        ("ignores", "sleep 0.2; echo '{\"ignored\": true}'"),
        ("late", "echo '{' ; sleep 0.2; wc -c | sed 's/^/\"bytes\": /'; echo '}'"),
    ]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let input = json!({ "text": "x".repeat(100_000) });
    assert_eq!(end(&server, "closes", &input)["result"]["output_data"], json!({ "closed": true }));
    assert_eq!(end(&server, "ignores", &input)["result"]["output_data"], json!({ "ignored": true }));
    let bytes = input.to_string().len();
    assert_eq!(end(&server, "late", &input)["result"]["output_data"], json!({ "bytes": bytes }));
}

#[test]
fn of_megabytes_of_console_output_the_beginning_and_the_end_are_kept() {
    let server = TestServer::start();
    let script = "echo begin >&2; yes 0123456789abcdef | head -c 30000000 >&2; echo >&2; echo 'the end' >&2; echo '{}'";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let told = end(&server, "t", &json!({}));
    assert_eq!(told["status"], "completed", "{}", told["error"]);
    let console = console(&server, &told);
    assert!(console.len() <= 1024 * 1024 && console.len() > 1000 * 1024, "{}", console.len());
    assert!(console.starts_with("begin\n0123456789abcdef\n") && console.ends_with("\nthe end\n"));
    assert!(console.contains(" bytes are left out here]\n"));
}

#[test]
fn console_output_that_is_no_text_has_replacement_characters() {
    let server = TestServer::start();
    let script = "printf 'a\\377\\000b' >&2; echo '{}'";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let told = end(&server, "t", &json!({}));
    assert_eq!(told["result"]["console_output"], "a\u{fffd}\u{fffd}b", "{told}");
}

#[test]
fn a_service_that_keeps_less_console_still_gets_the_result() {
    let server = TestServer::with(&[("PILOTLIGHT_JOBS_LIMITS_CONSOLE_BYTES", "1KiB")]);
    let script = "yes | head -c 100000 >&2; sleep 1.2; echo more >&2; echo '{\"a\": 1}'";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let told = end(&server, "t", &json!({}));
    assert_eq!(told["result"]["output_data"], json!({ "a": 1 }), "{told}");
}

#[test]
fn a_command_has_the_environment_that_is_listed_and_no_other() {
    let server = TestServer::start();
    let scripts =
        Scripts::shell(&[("t", "env | sed 's/=.*//' | sort | tr '\\n' ' ' >&2; echo \"[\\\"$GIVEN\\\"]\"")]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &["--env", "GIVEN=a=b"]);
    let told = end(&server, "t", &json!({}));
    assert_eq!(told["result"]["output_data"], json!(["a=b"]), "{told}");
    let names = told["result"]["console_output"].as_str().expect("a text");
    let expected = ["GIVEN", "MARK", "PATH", "PILOTLIGHT_ATTEMPT", "PILOTLIGHT_JOB_ID"];
    // The shell adds its own.
    let names: Vec<_> =
        names.split_whitespace().filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_")).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_runner_that_cannot_work_says_why_at_once() {
    for (arguments, says) in [
        (&["--type", "t=./no-such-program"][..], "there is no file ./no-such-program"),
        (&["--type", "t=no-such-program"], "not in PATH"),
        (&["--type", "t=sh 'a"], "a quote is not closed"),
        (&["--type", "t=sh", "--type", "t=cat"], "given twice"),
        (&["--type", "t=sh", "--env", "NO_SUCH_VARIABLE"], "NO_SUCH_VARIABLE is not set"),
        (&["--type", "t=sh", "--url", "localhost"], "not a URL"),
        (&["--type", "t=sh", "--key-file", "/no/such/file"], "/no/such/file"),
        (&["--slots", "2"], "--type"),
    ] {
        let output =
            pilotlight_command(&[]).arg("runner").args(arguments).output().expect("the binary starts");
        let stderr = String::from_utf8(output.stderr).expect("it writes text");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
    }
}

#[test]
fn a_runner_with_a_closed_stdout_exits_without_an_error_text() {
    let server = TestServer::start();
    let outcome =
        RunningCommand::with_stdout_closed_before(&mut command_for(&server, &["runner", "--type", "t=cat"]))
            .wait_for_exit();
    assert_eq!(outcome.exited_with(141).stderr, "");
}

#[test]
fn a_runner_without_the_key_says_what_to_do_and_with_it_works() {
    let keys =
        [("SUBMIT_API_KEY", "submit"), ("RUNNER_API_KEY", "secret-of-runners"), ("ADMIN_API_KEY", "admin")];
    let server = TestServer::with(&keys);
    let url = server.url();
    let runner = |key| pilotlight_command(&[("PILOTLIGHT_URL", url.as_str()), ("PILOTLIGHT_KEY", key)]);
    let output = runner("wrong-key").args(["runner", "--type", "t=cat"]).output().expect("the binary starts");
    let stderr = String::from_utf8(output.stderr).expect("it writes text");
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(
        stderr.contains("(401)") && stderr.contains("PILOTLIGHT_KEY") && !stderr.contains("wrong-key"),
        "{stderr}"
    );
    let scripts = Scripts::shell(&[("t", "cat")]);
    std::fs::write(scripts.path("key"), "secret-of-runners\n").unwrap();
    let file = scripts.path("key");
    let runner = RunnerProcess::start(&url, &scripts, &["--key-file", file.to_str().expect("a plain path")]);
    let mut caller = ApiClient::at(server.address()).with_key("submit");
    let body = json!({ "job_type": "t", "input_params": { "a": 1 } });
    let told = caller.post("/api/jobs/submit?wait_ms=25000", &body).json();
    assert_eq!(told["result"]["output_data"], json!({ "a": 1 }), "{told}");
    assert!(!runner.log().contains("secret-of-runners"));
}
