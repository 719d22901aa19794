//! Requests to the jobs API that are framed wrongly, cut off, or sent in great numbers: each ends in time and uses no
//! memory afterwards.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::http::NoResponse;
use pilotlight_testkit::wait::wait_until;

use super::hostile_requests::{assert_nothing_changed, paths_with_body, serve_with_claimed_job};

#[test]
fn invalid_framing_is_refused() {
    let (server, id) = serve_with_claimed_job();
    for path in paths_with_body(&id) {
        let head =
            |lines: &str| format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nx-runner-id: r\r\n{lines}\r\n");
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
        for (bytes, is_too_large) in [
            (head("content-length: 100000000\r\n"), true),
            (head("content-length: 18446744073709551615\r\n"), false),
            (head("content-length: 99999999999999999999\r\n"), false),
            (head("content-length: -1\r\n"), false),
            (head("content-length: 2\r\ncontent-length: 3\r\n") + "{}", false),
            (head("content-length: 2\r\ntransfer-encoding: chunked\r\n") + "{}", false),
            (head("transfer-encoding: chunked\r\n") + "zz\r\n{}\r\n0\r\n\r\n", false),
            (head("transfer-encoding: chunked\r\n") + "ffffffffffffffff1\r\n", false),
            (head("transfer-encoding: chunked\r\n") + &chunk.repeat(10), true),
            (head("transfer-encoding: gzip\r\n") + "{}", false),
            (head(&format!("x: {}\r\n", "x".repeat(10_000_000))), false),
            (head(&"x: y\r\n".repeat(200_000)), false),
        ] {
            let excerpt = &bytes[..bytes.len().min(150)];
            let mut caller = server.connect();
            // The service may refuse the request and close the connection before the last byte is sent.
            _ = caller.try_send(&bytes);
            match caller.response() {
                Ok(response) => {
                    assert!((400..500).contains(&response.status), "{excerpt}: {response:?}");
                    assert!(
                        !is_too_large || response.error_text().contains("the body is larger than"),
                        "{excerpt}: {response:?}"
                    );
                }
                Err(none) => {
                    assert!(!matches!(none, NoResponse::Timeout), "{excerpt}: {none:?}");
                    assert!(!is_too_large || matches!(none, NoResponse::Reset), "{excerpt}: {none:?}");
                }
            }
        }
    }
    assert_nothing_changed(&server, &id);
}

#[test]
fn a_chunked_body_and_a_body_after_100_continue_are_read() {
    let (server, id) = serve_with_claimed_job();
    let body = r#"{"job_type":"claimed","input_params":{}}"#;
    let head = "POST /api/jobs/submit HTTP/1.1\r\nhost: localhost\r\n";
    let chunks: String = body.chars().map(|letter| format!("1\r\n{letter}\r\n")).collect();
    for request in [
        format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"),
        format!(
            "{head}transfer-encoding: chunked\r\n\r\n{:x};ext=1\r\n{body}\r\n0\r\nx-trailer: y\r\n\r\n",
            body.len()
        ),
    ] {
        let mut caller = server.connect();
        for byte in request.as_bytes() {
            caller.send([*byte]);
        }
        assert_eq!(caller.response().expect("a response").json()["job_id"], id.as_str());
    }
    let mut caller = server.connect();
    caller.send(format!("{head}expect: 100-continue\r\ncontent-length: {}\r\n\r\n", body.len()));
    assert_eq!(caller.response().expect("100 continue").status, 100);
    caller.send(body);
    assert_eq!(caller.response().expect("a response").json()["job_id"], id.as_str());
    assert_nothing_changed(&server, &id);
}

#[test]
fn a_caller_that_disconnects_mid_request_affects_no_other_client() {
    let (server, id) = serve_with_claimed_job();
    for path in paths_with_body(&id) {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\nx-runner-id: r\r\ncontent-length: 40\r\n\r\n{}",
            " ".repeat(40)
        );
        for sent_bytes in [10, 60, request.len() - 41, request.len() - 40, request.len() - 1, request.len()] {
            let mut caller = server.connect();
            caller.send(&request[..sent_bytes]);
            caller.shutdown_write();
            match caller.response() {
                Ok(response) => assert_eq!(response.status, 400, "{path} {sent_bytes}"),
                Err(none) => {
                    assert!(
                        matches!(none, NoResponse::Closed | NoResponse::Reset),
                        "{path} {sent_bytes}: {none:?}"
                    )
                }
            }
            let mut caller = server.connect();
            caller.send(&request[..sent_bytes]);
        }
    }
    wait_until("all other connections are closed", || server.health()["connections"] == 1);
    assert_nothing_changed(&server, &id);
}

#[test]
fn alone_twenty_thousand_bad_submissions_use_no_lasting_memory() {
    const TIMES: usize = 20_000;
    const CALLERS: usize = 4;
    let (server, id) = serve_with_claimed_job();
    let large = format!(r#"{{"job_type":"a","input_params":{{"a":"{}","a":1}}}}"#, "x".repeat(90_000));
    let bodies = [
        "{",
        "",
        r#"{"job_type":1}"#,
        r#"{"job_type":"a","input_params":{"a":1,"a":1}}"#,
        &large,
        r#"{"job_type":"a","input_params":{"a":NaN}}"#,
        r#"{"job_type":"a","input_params":[[[[]]]],"ttl_ms":0}"#,
    ];
    let send = |times: usize| {
        std::thread::scope(|scope| {
            for _ in 0..CALLERS {
                scope.spawn(|| {
                    let mut caller = ApiClient::at(server.address());
                    for number in 0..times / CALLERS {
                        let body = bodies[number % bodies.len()];
                        let response = caller.request("POST", "/api/jobs/submit", body.as_bytes());
                        assert_eq!(response.status, 400, "{}", response.text());
                    }
                });
            }
        });
    };
    send(TIMES / 10);
    let before = server.resident_kib();
    send(TIMES);
    wait_until("memory use returns to within 4 MiB of the first measurement", || {
        // Idle threads return memory to the system only when they wake, so a request wakes one.
        server.health();
        server.resident_kib().saturating_sub(before) < 4096
    });
    println!("{before} KiB before {TIMES} bad submissions, {} KiB after", server.resident_kib());
    assert_nothing_changed(&server, &id);
}
