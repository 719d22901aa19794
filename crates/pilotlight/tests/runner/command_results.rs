//! The result, error text, console output and progress that the caller of a job gets from its command.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{RunningCommand, command_for};
use pilotlight_testkit::runner_process::{RunnerProcess, Scripts};
use pilotlight_testkit::server::{TestServer, pilotlight_command};
use serde_json::{Value, json};

/// Submits a job, waits for its end and returns it.
fn execute(server: &TestServer, job_type: &str, input: &Value) -> Value {
    let mut caller = ApiClient::at(server.address());
    let body = json!({ "job_type": job_type, "input_params": input });
    caller.post("/api/jobs/submit?wait_ms=25000", &body).json()
}

/// The whole console output of the job, from the admin API.
fn console(server: &TestServer, job: &Value) -> String {
    let id = job["job_id"].as_str().expect("job_id is a string");
    let admin_view = ApiClient::at(server.address()).get(&format!("/api/admin/jobs/{id}")).json();
    admin_view["console_output"].as_str().expect("console_output is a string").to_owned()
}

#[test]
fn a_command_reads_its_parameters_and_reports_result_console_output_and_progress() {
    let server = TestServer::start();
    // The command runs for longer than the runner's heartbeat interval (1 s), so a heartbeat reports the progress.
    let script = "read line\necho '::progress 1/2' >&2\necho working >&2\nsleep 1.5\n\
                  echo \"{\\\"input\\\": $line, \\\"id\\\": \\\"$PILOTLIGHT_JOB_ID\\\", \\\"attempt\\\": $PILOTLIGHT_ATTEMPT}\"";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let mut caller = ApiClient::at(server.address());
    let id =
        caller.submit("t", &json!({ "a": 1.0 }))["job_id"].as_str().expect("job_id is a string").to_owned();
    pilotlight_testkit::wait::wait_until("the job has progress while its command runs", || {
        caller.job(&id)["progress"] == json!({ "current": 1, "total": 2 })
    });
    // The parameters are equal to those of the job that runs, so this submission joins it.
    let job = execute(&server, "t", &json!({ "a": 1 }));
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(job["result"]["output_data"], json!({ "input": { "a": 1.0 }, "id": id, "attempt": 1 }));
    assert_eq!(job["result"]["console_output"], "working\n");
}

#[test]
fn every_failed_command_has_an_error_text_for_the_caller() {
    let server = TestServer::start();
    // Job type, shell script, part of the expected error text.
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
    for (name, _, expected_text) in table {
        let job = execute(&server, name, &json!({}));
        let error = job["error"].as_str().unwrap_or_else(|| panic!("{name}: {job}"));
        assert!(error.contains(expected_text), "{name}: {error}");
    }
}

#[test]
fn a_result_of_exactly_the_maximum_length_is_accepted() {
    let server = TestServer::start();
    // 512,000 bytes; the line break at the end does not count.
    let script = "printf '[\"'; head -c 511996 /dev/zero | tr '\\0' x; printf '\"]\\n'";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let job = execute(&server, "t", &json!({}));
    assert_eq!(job["status"], "completed", "{}", job["error"]);
}

#[test]
fn a_command_may_ignore_its_input_or_read_it_after_it_has_begun_its_result() {
    let server = TestServer::start();
    let scripts = Scripts::shell(&[
        ("closes", "exec <&-; sleep 0.2; echo '{\"closed\": true}'"),
        ("ignores", "sleep 0.2; echo '{\"ignored\": true}'"),
        ("late", "echo '{' ; sleep 0.2; wc -c | sed 's/^/\"bytes\": /'; echo '}'"),
    ]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let input = json!({ "text": "x".repeat(100_000) });
    assert_eq!(execute(&server, "closes", &input)["result"]["output_data"], json!({ "closed": true }));
    assert_eq!(execute(&server, "ignores", &input)["result"]["output_data"], json!({ "ignored": true }));
    let bytes = input.to_string().len();
    assert_eq!(execute(&server, "late", &input)["result"]["output_data"], json!({ "bytes": bytes }));
}

#[test]
fn only_the_beginning_and_the_end_of_30_mb_of_console_output_are_stored() {
    let server = TestServer::start();
    let script = "echo begin >&2; yes 0123456789abcdef | head -c 30000000 >&2; echo >&2; echo 'the end' >&2; echo '{}'";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let job = execute(&server, "t", &json!({}));
    assert_eq!(job["status"], "completed", "{}", job["error"]);
    let console = console(&server, &job);
    assert!(console.len() <= 1024 * 1024 && console.len() > 1000 * 1024, "{}", console.len());
    assert!(console.starts_with("begin\n0123456789abcdef\n") && console.ends_with("\nthe end\n"));
    assert!(console.contains(" bytes are left out here]\n"));
}

#[test]
fn bytes_of_console_output_that_are_not_text_become_replacement_characters() {
    let server = TestServer::start();
    let script = "printf 'a\\377\\000b' >&2; echo '{}'";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let job = execute(&server, "t", &json!({}));
    assert_eq!(job["result"]["console_output"], "a\u{fffd}\u{fffd}b", "{job}");
}

#[test]
fn a_result_arrives_although_the_service_stores_less_console_output() {
    let server = TestServer::with(&[("PILOTLIGHT_JOBS_LIMITS_CONSOLE_BYTES", "1KiB")]);
    // The pause is longer than the runner's heartbeat interval (1 s), so the output arrives in two reports.
    let script = "yes | head -c 100000 >&2; sleep 1.2; echo more >&2; echo '{\"a\": 1}'";
    let scripts = Scripts::shell(&[("t", script)]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &[]);
    let job = execute(&server, "t", &json!({}));
    assert_eq!(job["result"]["output_data"], json!({ "a": 1 }), "{job}");
}

#[test]
fn a_command_gets_only_the_listed_environment_variables() {
    let server = TestServer::start();
    let scripts =
        Scripts::shell(&[("t", "env | sed 's/=.*//' | sort | tr '\\n' ' ' >&2; echo \"[\\\"$GIVEN\\\"]\"")]);
    let _runner = RunnerProcess::start(&server.url(), &scripts, &["--env", "GIVEN=a=b"]);
    let job = execute(&server, "t", &json!({}));
    assert_eq!(job["result"]["output_data"], json!(["a=b"]), "{job}");
    let names = job["result"]["console_output"].as_str().expect("console_output is a string");
    // The testkit starts each script with `MARK` set, to find its processes.
    let expected = ["GIVEN", "MARK", "PATH", "PILOTLIGHT_ATTEMPT", "PILOTLIGHT_JOB_ID"];
    // The shell adds variables of its own.
    let names: Vec<_> =
        names.split_whitespace().filter(|name| !matches!(*name, "PWD" | "OLDPWD" | "SHLVL" | "_")).collect();
    assert_eq!(names, expected);
}

#[test]
fn a_runner_with_wrong_arguments_exits_with_code_2_and_the_reason() {
    for (arguments, expected_text) in [
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
        let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(expected_text), "{stderr}");
    }
}

#[test]
fn a_runner_with_a_closed_stdout_exits_without_an_error_text() {
    let server = TestServer::start();
    let outcome = RunningCommand::with_stdout_closed_before_start(&mut command_for(
        &server,
        &["runner", "--type", "t=cat"],
    ))
    .wait_for_exit();
    // 141 is 128 + SIGPIPE, as for any program that writes to a closed pipe.
    assert_eq!(outcome.exited_with(141).stderr, "");
}

#[test]
fn a_runner_with_a_wrong_key_names_the_setting_to_check_and_one_with_the_right_key_executes_jobs() {
    let keys =
        [("SUBMIT_API_KEY", "submit"), ("RUNNER_API_KEY", "secret-of-runners"), ("ADMIN_API_KEY", "admin")];
    let server = TestServer::with(&keys);
    let url = server.url();
    let runner = |key| pilotlight_command(&[("PILOTLIGHT_URL", url.as_str()), ("PILOTLIGHT_KEY", key)]);
    let output = runner("wrong-key").args(["runner", "--type", "t=cat"]).output().expect("the binary starts");
    let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    assert!(
        stderr.contains("(401)") && stderr.contains("PILOTLIGHT_KEY") && !stderr.contains("wrong-key"),
        "{stderr}"
    );
    let scripts = Scripts::shell(&[("t", "cat")]);
    std::fs::write(scripts.path("key"), "secret-of-runners\n").unwrap();
    let file = scripts.path("key");
    let runner =
        RunnerProcess::start(&url, &scripts, &["--key-file", file.to_str().expect("the path is UTF-8")]);
    let mut caller = ApiClient::at(server.address()).with_key("submit");
    let body = json!({ "job_type": "t", "input_params": { "a": 1 } });
    let job = caller.post("/api/jobs/submit?wait_ms=25000", &body).json();
    assert_eq!(job["result"]["output_data"], json!({ "a": 1 }), "{job}");
    assert!(!runner.log().contains("secret-of-runners"));
}
