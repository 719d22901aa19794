//! Who asks for jobs too often is told when to ask again.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;

use crate::support::http::{Answer, Connection};
use crate::support::server::Server;

fn ask(connection: &mut Connection, call: &str, headers: &str, body: &str) -> Answer {
    let length = body.len();
    connection.send(format!(
        "{call} HTTP/1.1\r\nhost: localhost\r\n{headers}content-length: {length}\r\n\r\n{body}"
    ));
    connection.answer().unwrap_or_else(|none| panic!("no answer to {call}: {none:?}"))
}

fn check(server: &Server, headers: &str) -> Answer {
    let body = json!({ "job_type": "any", "input_params": {} }).to_string();
    ask(&mut server.connect(), "POST /api/jobs/check", headers, &body)
}

#[test]
fn the_preset_of_runpack_lets_an_address_check_ten_times_a_minute() {
    let server = Server::with(&[("PILOTLIGHT_JOBS_PRESET", "runpack")]);
    for _ in 0..10 {
        assert_eq!(check(&server, "").status, 200);
    }
    let answer = check(&server, "");
    assert_eq!(answer.status, 429);
    let seconds: u64 = answer.header("retry-after").expect("a header").parse().expect("a number");
    assert!((1..=6).contains(&seconds), "{seconds}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
    let reset = u128::from(answer.json()["resetTime"].as_u64().expect("a number"));
    assert!(reset > now && reset <= now + 6001, "{reset} at {now}");
    assert!(answer.json()["error"].is_string(), "{answer:?}");
    // Each kind is counted by itself.
    assert_eq!(server.connect().get("/api/runner/jobs/available").status, 400);
}

#[test]
fn runners_are_counted_by_themselves() {
    let server = Server::with(&[("PILOTLIGHT_JOBS_LIMITS_AVAILABLE_PER_MINUTE", "2")]);
    let available = |runner: &str| {
        let headers = format!("x-runner-id: {runner}\r\n");
        ask(&mut server.connect(), "GET /api/runner/jobs/available?types[]=a", &headers, "").status
    };
    assert_eq!([(); 3].map(|()| available("a")), [200, 200, 429]);
    assert_eq!([(); 3].map(|()| available("b")), [200, 200, 429]);
}

#[test]
fn each_key_has_its_own_number_of_requests_and_this_machine_is_exempt() {
    let server = Server::with(&[
        ("PILOTLIGHT_AUTH_SUBMIT_KEYS", "a key, another key"),
        ("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "2"),
        ("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "127.0.0.1"),
    ]);
    let from = |key: &str, client: &str| {
        check(&server, &format!("authorization: Bearer {key}\r\nx-forwarded-for: {client}\r\n")).status
    };
    assert_eq!([(); 3].map(|()| from("a key", "192.0.2.1")), [200, 200, 429]);
    assert_eq!(from("a key", "192.0.2.2"), 429);
    assert_eq!([(); 3].map(|()| from("another key", "192.0.2.1")), [200, 200, 429]);
    // Who may not is told that, however often.
    assert_eq!([(); 3].map(|()| from("no key", "192.0.2.1")), [401; 3]);

    let server = Server::with(&[("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "2")]);
    assert_eq!([(); 5].map(|()| check(&server, "").status), [200; 5]);
}
