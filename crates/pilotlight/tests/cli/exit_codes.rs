//! Exit codes and what causes each; `pilotlight explain` and `pilotlight completions`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use pilotlight_testkit::commands::{command_for, command_for_url, run_to_end};
use pilotlight_testkit::server::{TestServer, pilotlight_command};
use pilotlight_testkit::temp_dir::TempDir;

/// Starts a server that sends this response to one request and returns its URL.
fn server_with(response: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an open socket"));
    let response = response.to_owned();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("the command connects");
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).expect("a request arrives") > 0);
        stream.write_all(response.as_bytes()).expect("the command reads the response");
    });
    url
}

#[test]
fn every_response_has_its_exit_code() {
    let with_status = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    };
    for (response, code, expected_text) in [
        (with_status("400 Bad", r#"{"error": "too wide"}"#), 2, "too wide"),
        (with_status("401 No", r#"{"error": "no key"}"#), 4, "PILOTLIGHT_KEY"),
        (with_status("403 No", r#"{"error": "from elsewhere"}"#), 4, "from elsewhere"),
        (with_status("404 No", r#"{"error": "not here"}"#), 5, "not here"),
        (with_status("409 No", r#"{"error": "another"}"#), 1, "another"),
        (with_status("429 No", r#"{"error": "too many"}"#), 7, "try again later"),
        (with_status("503 No", r#"{"error": "no store"}"#), 7, "no store"),
        (with_status("200 OK", "hello"), 3, "not from a Pilotlight service"),
        (with_status("302 Away", ""), 3, "it is a redirect"),
        (String::new(), 3, "no response arrived"),
    ] {
        run_to_end(&mut command_for_url(&server_with(&response), &["jobs", "list"]))
            .failed_with(code, expected_text);
    }
    let closed = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", closed.local_addr().expect("an open socket"));
    drop(closed);
    run_to_end(&mut command_for_url(&url, &["jobs", "list"])).failed_with(3, "is the service running there?");
    for wrong in ["localhost:8080", "ftp://localhost", ""] {
        let outcome = run_to_end(pilotlight_command(&[]).args(["jobs", "list", "--url", wrong]));
        outcome.failed_with(2, "--url");
    }
}

#[test]
fn each_command_accepts_only_the_keys_of_its_role() {
    let keys = [("SUBMIT_API_KEY", "s"), ("RUNNER_API_KEY", "r"), ("ADMIN_API_KEY", "a")];
    let server = TestServer::with(&keys);
    let id = run_to_end(command_for(&server, &["submit", "t"]).env("PILOTLIGHT_KEY", "s"))
        .exited_with(0)
        .stdout_line()
        .to_owned();
    let exit_code = |key: &str, arguments: &[&str]| {
        run_to_end(command_for(&server, arguments).env("PILOTLIGHT_KEY", key)).code
    };
    run_to_end(&mut command_for(&server, &["submit", "t"])).failed_with(4, "PILOTLIGHT_KEY");
    for (arguments, submit_key, runner_key, admin_key) in [
        (&["jobs", "list"] as &[_], 4, 0, 0),
        (&["jobs", "show", &id], 4, 0, 0),
        (&["submit", "t"], 0, 4, 4),
        (&["jobs", "tail", &id, "--timeout", "3s"], 6, 4, 4),
        (&["jobs", "retry", &id], 4, 4, 0),
        (&["status"], 0, 0, 0),
        (&["jobs", "delete", "-y", &id], 4, 4, 0),
    ] {
        let codes = [exit_code("s", arguments), exit_code("r", arguments), exit_code("a", arguments)];
        assert_eq!(codes, [Some(submit_key), Some(runner_key), Some(admin_key)], "{arguments:?}");
    }
    let folder = TempDir::new();
    let file = folder.path().join("key");
    std::fs::write(&file, "s\n").unwrap();
    let mut command = command_for(&server, &["submit", "t", "--key-file"]);
    run_to_end(command.arg(&file)).exited_with(0);
    run_to_end(&mut command_for(&server, &["submit", "t", "--key-file", "/no/such/key"]))
        .failed_with(2, "/no/such/key");
}

#[test]
fn every_code_is_explained_by_number_and_by_name() {
    let all = run_to_end(pilotlight_command(&[]).arg("explain")).exited_with(0).stdout;
    for (number, name) in [
        ("0", "done"),
        ("1", "failed"),
        ("2", "usage"),
        ("3", "unreachable"),
        ("4", "refused"),
        ("5", "not-found"),
        ("6", "timed-out"),
        ("7", "not-now"),
        ("130", "interrupted"),
        ("141", "closed"),
    ] {
        let by_number = run_to_end(pilotlight_command(&[]).args(["explain", number])).exited_with(0).stdout;
        assert_eq!(
            run_to_end(pilotlight_command(&[]).args(["explain", name])).exited_with(0).stdout,
            by_number
        );
        assert!(
            by_number.starts_with(&format!("{number} {name}\n")) && all.contains(&by_number),
            "{by_number}"
        );
    }
    let json = run_to_end(pilotlight_command(&[]).args(["explain", "6", "--json"])).exited_with(0).json();
    assert_eq!(json[0]["name"], "timed-out");
    run_to_end(pilotlight_command(&[]).args(["explain", "8"])).failed_with(2, "timed-out");
}

#[test]
fn completions_exist_for_every_shell_and_bash_can_parse_its_own() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = run_to_end(pilotlight_command(&[]).args(["completions", shell])).exited_with(0).stdout;
        assert!(script.contains("idempotency-key"), "{shell}");
    }
    let script = run_to_end(pilotlight_command(&[]).args(["completions", "bash"])).exited_with(0).stdout;
    let mut bash =
        Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("every test machine has bash");
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}
