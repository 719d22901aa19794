//! The protocol is served by the fast path and by the general HTTP server. Both must give equal responses.

use pilotlight_testkit::http::{Connection, NoResponse, post_request};
use pilotlight_testkit::run_message::{self, changed, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::{GENERAL_PATH, Poll, is_warm};

/// Header lines of a poll. Each replaces the header of the same name.
const LINES: [&[u8]; 26] = [
    b"X-TRIGGER-DEPLOYMENT-ID: d",
    b"x-trigger-deployment-id:d",
    b"x-trigger-deployment-id: \t d \t ",
    b"x-trigger-deployment-id: d e",
    b"x-trigger-deployment-id: d\te",
    b"x-trigger-deployment-id:",
    b"x-trigger-deployment-id: \xff",
    b"x-trigger-deployment-id: d\xc3\xa9p",
    b"x-trigger-deployment-id: \x7f",
    b"x-trigger-deployment-id: a\x01b",
    b"x-trigger-deployment-id: a\0b",
    b"x-trigger-deployment-id : d",
    b" x-trigger-deployment-id: d",
    b"x-trigger-deployment-id: d\r\n e",
    b"x-trigger-deployment-id: d\nx: y",
    b"x-trigger-deployment-id: d\r\nX-Trigger-Deployment-Id: e",
    b"x-trigger-deployment-id: a,b;c=\"d\"",
    b"x-trigger-machine-cpu: 0.5, 0.5",
    b"x-trigger-machine-cpu: \t1e0",
    b"x-trigger-machine-cpu: ",
    b"x-trigger-machine-cpu: -1",
    b"x-trigger-machine-cpu: 1_000",
    b"x-trigger-machine-cpu: \xd9\xa1",
    b"x-trigger-worker-instance-name: ",
    b"x-trigger-worker-instance-name: \xf0\x9f\x9a\x80",
    b"content-length: 0",
];

#[test]
fn polls_get_equal_responses() {
    let server = TestServer::start();
    for line in LINES {
        let [fast, general] = ["/warm-start", GENERAL_PATH].map(|path| outcome(&server, poll(path, line)));
        assert_eq!(fast, general, "{}", String::from_utf8_lossy(line));
    }
    server.assert_healthy();
}

/// A poll in which this line replaces the header of the same name.
fn poll(path: &str, line: &[u8]) -> Vec<u8> {
    let name = line.split(|byte| *byte == b':').next().unwrap().trim_ascii().to_ascii_lowercase();
    let poll = Poll::by("runner-1").request().replacen("/warm-start", path, 1);
    let others = poll.split_inclusive("\r\n").filter(|other| !other.as_bytes().starts_with(&name));
    let others: String = others.collect();
    [others.trim_end().as_bytes(), b"\r\n", line, b"\r\n\r\n"].concat()
}

/// The status and the body of the response; `None` when the poll is parked.
fn outcome(server: &TestServer, request: Vec<u8>) -> Option<Result<(u16, Vec<u8>), NoResponse>> {
    let mut runner = server.connect();
    runner.send(request);
    let mut supervisor = server.supervisor();
    let is_answered = pilotlight_testkit::wait::wait_for("the poll is answered or parked", || {
        if supervisor.parked() == 1 { Some(false) } else { runner.is_readable().then_some(true) }
    });
    let outcome = is_answered.then(|| runner.response().map(|answer| (answer.status, answer.body)));
    drop(runner);
    server.wait_for_parked(0);
    outcome
}

#[test]
fn offers_get_equal_responses() {
    let server = TestServer::start();
    let whole = run_message::offer(&run("run_1"));
    let undeployed = run_message::offer(&changed(run("run_1"), "/deployment", serde_json::json!({})));
    let bodies = [
        "",
        " ",
        "{",
        "{}",
        "[]",
        "null",
        "x",
        r#"{"dequeuedMessage":}"#,
        r#"{"dequeuedMessage":{}}"#,
        r#"{"dequeuedMessage":[]}"#,
        r#"{"dequeuedMessage":{}} "#,
        r#"{"dequeuedMessage":{}}}"#,
        r#"{"dequeuedMessage":{},"dequeuedMessage":{}}"#,
        r#" {"dequeuedMessage":{"run":1}}"#,
        r#"{"dequeuedMessage":{"run":1}}"#,
        &whole,
        &undeployed,
    ];
    for body in bodies {
        let answers = ["/warm-start", GENERAL_PATH].map(|path| server.connect().post(path, body));
        assert_eq!(answers[0].status, answers[1].status, "{body}");
        assert_eq!(answers[0].text(), answers[1].text(), "{body}");
        assert_eq!(answers[0].header("content-type"), answers[1].header("content-type"), "{body}");
        assert!(answers.iter().all(|answer| answer.header("date").is_some()), "{body}");
    }
    server.assert_healthy();
}

#[test]
fn requests_of_both_paths_share_a_connection() {
    let server = TestServer::start();
    let mut caller = server.connect();
    let offer = run_message::offer(&run("run_1"));
    for path in ["/warm-start", "/api/warm-start", GENERAL_PATH, "/warm-start"] {
        assert!(!is_warm(&caller.post(path, &offer)), "{path}");
        assert_eq!(caller.get("/connect").status, 200);
    }
    server.assert_healthy();
}

#[test]
fn pipelined_offers_are_answered_in_order() {
    let server = TestServer::start();
    for path in ["/warm-start", GENERAL_PATH] {
        let mut runner = server.park(&Poll::by("runner-1"));
        let mut supervisor: Connection = server.connect();
        let offers = ["run_1", "run_2"].map(|id| post_request(path, run_message::offer(&run(id))));
        supervisor
            .send([offers.concat(), b"GET /connect HTTP/1.1\r\nhost: localhost\r\n\r\n".to_vec()].concat());
        assert!(is_warm(&supervisor.response().expect("an answer")), "{path}");
        assert!(!is_warm(&supervisor.response().expect("an answer")), "{path}");
        assert_eq!(supervisor.response().expect("an answer").json()["keepaliveMs"], 300_000, "{path}");
        assert_eq!(runner.response().expect("the run").json(), run("run_1"), "{path}");
    }
    server.assert_healthy();
}
