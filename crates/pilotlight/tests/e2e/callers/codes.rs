//! Exit codes: each by what causes it, and `explain`.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Stdio};

use crate::support::commands::{about, at, ran};
use crate::support::process::Folder;
use crate::support::server::{Server, pilotlight};

/// Somebody who gives this answer once.
fn answering(answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("an open socket"));
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody connects");
        let mut head = [0; 4096];
        assert!(stream.read(&mut head).expect("a request comes") > 0);
        stream.write_all(answer.as_bytes()).expect("it is read");
    });
    url
}

#[test]
fn every_answer_has_its_code() {
    let body = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    };
    for (answer, code, told) in [
        (body("400 Bad", r#"{"error": "too wide"}"#), 2, "too wide"),
        (body("401 No", r#"{"error": "no key"}"#), 4, "PILOTLIGHT_KEY"),
        (body("403 No", r#"{"error": "from elsewhere"}"#), 4, "from elsewhere"),
        (body("404 No", r#"{"error": "not here"}"#), 5, "not here"),
        (body("409 No", r#"{"error": "another"}"#), 1, "another"),
        (body("429 No", r#"{"error": "too many"}"#), 7, "try again later"),
        (body("503 No", r#"{"error": "no store"}"#), 7, "no store"),
        (body("200 OK", "hello"), 3, "not from a Pilotlight service"),
        (body("302 Away", ""), 3, "it is a redirect"),
        (String::new(), 3, "no response arrived"),
    ] {
        ran(&mut at(&answering(&answer), &["jobs", "list"])).telling(code, told);
    }
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", taken.local_addr().expect("an open socket"));
    drop(taken);
    ran(&mut at(&url, &["jobs", "list"])).telling(3, "is the service running there?");
    for wrong in ["localhost:8080", "ftp://localhost", ""] {
        let outcome = ran(pilotlight(&[]).args(["jobs", "list", "--url", wrong]));
        outcome.telling(2, "--url");
    }
}

#[test]
fn each_command_takes_the_key_that_fits() {
    let keys = [("SUBMIT_API_KEY", "s"), ("RUNNER_API_KEY", "r"), ("ADMIN_API_KEY", "a")];
    let server = Server::with(&keys);
    let id = ran(about(&server, &["submit", "t"]).env("PILOTLIGHT_KEY", "s")).is(0).answer().to_owned();
    let with = |key: &str, arguments: &[&str]| ran(about(&server, arguments).env("PILOTLIGHT_KEY", key)).code;
    ran(&mut about(&server, &["submit", "t"])).telling(4, "PILOTLIGHT_KEY");
    for (arguments, of_submit, of_runner, of_admin) in [
        (&["jobs", "list"] as &[_], 4, 0, 0),
        (&["jobs", "show", &id], 4, 0, 0),
        (&["submit", "t"], 0, 4, 4),
        (&["jobs", "tail", &id, "--timeout", "3s"], 6, 4, 4),
        (&["jobs", "retry", &id], 4, 4, 0),
        (&["status"], 0, 0, 0),
        (&["jobs", "delete", "-y", &id], 4, 4, 0),
    ] {
        let codes = [with("s", arguments), with("r", arguments), with("a", arguments)];
        assert_eq!(codes, [Some(of_submit), Some(of_runner), Some(of_admin)], "{arguments:?}");
    }
    let folder = Folder::new();
    let file = folder.path().join("key");
    std::fs::write(&file, "s\n").unwrap();
    let mut command = about(&server, &["submit", "t", "--key-file"]);
    ran(command.arg(&file)).is(0);
    ran(&mut about(&server, &["submit", "t", "--key-file", "/no/such/key"])).telling(2, "/no/such/key");
}

#[test]
fn every_code_is_explained_by_number_and_by_name() {
    let all = ran(pilotlight(&[]).arg("explain")).is(0).stdout;
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
        let by_number = ran(pilotlight(&[]).args(["explain", number])).is(0).stdout;
        assert_eq!(ran(pilotlight(&[]).args(["explain", name])).is(0).stdout, by_number);
        assert!(
            by_number.starts_with(&format!("{number} {name}\n")) && all.contains(&by_number),
            "{by_number}"
        );
    }
    let json = ran(pilotlight(&[]).args(["explain", "6", "--json"])).is(0).json();
    assert_eq!(json[0]["name"], "timed-out");
    ran(pilotlight(&[]).args(["explain", "8"])).telling(2, "timed-out");
}

#[test]
fn a_shell_reads_its_completions() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = ran(pilotlight(&[]).args(["completions", shell])).is(0).stdout;
        assert!(script.contains("idempotency-key"), "{shell}");
    }
    let script = ran(pilotlight(&[]).args(["completions", "bash"])).is(0).stdout;
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().expect("bash is everywhere");
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
}
