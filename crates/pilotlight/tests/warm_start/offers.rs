//! Invalid and unusual offers.

use std::io::Write;

use pilotlight_testkit::http::{NoResponse, post_request};
use pilotlight_testkit::run_message::{self, changed, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

/// Sends each body as an offer, and asserts that it gets a 400 with an error text and `didWarmStart: false`.
fn assert_refused(server: &TestServer, bodies: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    let mut supervisor = server.connect();
    for body in bodies {
        let body = body.as_ref();
        let start = String::from_utf8_lossy(&body[..body.len().min(200)]);
        let answer = supervisor.post("/warm-start", body);
        assert_eq!(answer.status, 400, "{start}: {}", answer.text());
        assert!(!answer.error_text().is_empty(), "{start}");
        assert_eq!(answer.json()["didWarmStart"], false, "{start}");
    }
}

fn with(path: &str, value: Value) -> String {
    run_message::offer(&changed(run("run_1"), path, value))
}

/// Invalid offers, one per line.
const INVALID_OFFERS: &str = r#"{
}
{}
null
true
1
"x"
<xml/>
dequeuedMessage=1
{'dequeuedMessage':{}}
{"dequeuedmessage":{}}
{"dequeuedMessage":}
{"dequeuedMessage":null}
{"dequeuedMessage":{}
{"dequeuedMessage":{}} x
{"dequeuedMessage":{}}{}
{"dequeuedMessage":{/**/}}
{"dequeuedMessage":{"x":1,}}
{"dequeuedMessage":{"x":01}}
{"dequeuedMessage":{"x":"	"}}
{"dequeuedMessage":{"x":"\ud800}}
{"dequeuedMessage":{"run":{"friendlyId":"\ud800"}}}
{"dequeuedMessage":{"run":{"machine":{"cpu":NaN}}}}
"#;

#[test]
fn an_invalid_body_is_refused() {
    let server = TestServer::start();
    let whole = run_message::offer(&run("run_1"));
    assert_refused(&server, INVALID_OFFERS.lines());
    assert_refused(&server, ["", " ", "\n", "\u{feff}{}", "{\"dequeuedMessage\":{\"x\":\"\n\"}}"]);
    assert_refused(&server, [&whole[..whole.len() / 2], &whole[..whole.len() - 1], &whole[1..]]);
    assert_refused(&server, [b"\xff\xfe".as_slice(), b"{\"dequeuedMessage\":{\"x\":\"\xff\"}}", &[0; 1000]]);
    server.assert_healthy();
}

#[test]
fn a_message_that_is_not_an_object_is_refused() {
    let server = TestServer::start();
    assert_refused(&server, ["1", "\"x\"", "true"].map(|it| format!("{{\"dequeuedMessage\":{it}}}")));
    server.assert_healthy();
}

#[test]
fn a_field_for_matching_is_refused_when_it_has_another_type() {
    let server = TestServer::start();
    let objects = ["/deployment", "/backgroundWorker", "/run", "/run/machine"];
    let texts = ["/deployment/friendlyId", "/backgroundWorker/version", "/run/friendlyId"];
    let numbers = ["/run/machine/cpu", "/run/machine/memory"];
    let invalid = |paths: &[&str], values: &[Value]| {
        let offers = paths.iter().flat_map(|path| values.iter().map(move |value| with(path, value.clone())));
        offers.collect::<Vec<_>>()
    };
    assert_refused(&server, invalid(&objects, &[json!(1), json!("x"), json!(true)]));
    assert_refused(&server, invalid(&texts, &[json!(1), json!(true), json!([]), json!({}), json!(["x"])]));
    assert_refused(
        &server,
        invalid(&numbers, &[json!("0.5"), json!(true), json!(null), json!([]), json!({})]),
    );
    server.assert_healthy();
}

#[test]
fn an_array_in_place_of_an_object_is_refused() {
    let server = TestServer::start();
    let run = run("run_1");
    assert_refused(
        &server,
        [json!([]), json!([{}]), json!([run]), json!({ "dequeuedMessage": [] })].map(|it| it.to_string()),
    );
    for path in ["/deployment", "/backgroundWorker", "/run", "/run/machine"] {
        assert_refused(&server, [with(path, json!([])), with(path, json!([1])), with(path, json!(["x"]))]);
    }
    assert_refused(&server, [with("/run/machine", json!([0.5, 0.5]))]);
    server.assert_healthy();
}

#[test]
fn invalid_numbers_of_a_machine_are_refused() {
    let server = TestServer::start();
    let whole = run_message::offer(&run("run_1"));
    let invalid = [
        "-1",
        "-0.5",
        "-1e-300",
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "-Infinity",
        "0x10",
        "1,5",
        ".5",
        "+1",
    ];
    for field in ["cpu", "memory"] {
        assert_refused(
            &server,
            invalid
                .map(|number| whole.replace(&format!("\"{field}\":0.5"), &format!("\"{field}\":{number}"))),
        );
    }
    server.assert_healthy();
}

#[test]
fn duplicate_fields_are_refused() {
    let server = TestServer::start();
    let whole = run_message::offer(&run("run_1"));
    let message = run("run_1");
    assert_refused(
        &server,
        [
            format!("{{\"dequeuedMessage\":{message},\"dequeuedMessage\":{message}}}"),
            whole.replace("\"deployment\":", "\"deployment\":{\"friendlyId\":\"other\"},\"deployment\":"),
            whole.replace(
                "\"version\":\"20240101.1\"",
                "\"version\":\"20240101.1\",\"version\":\"20240101.2\"",
            ),
            whole.replace("\"cpu\":0.5", "\"cpu\":0.5,\"cpu\":1"),
        ],
    );
    server.assert_healthy();
}

#[test]
fn ids_that_are_empty_or_too_long_are_refused() {
    let server = TestServer::start();
    let long = "x".repeat(300);
    for path in ["/backgroundWorker/version", "/run/friendlyId"] {
        assert_refused(&server, ["", " ", "\t\n", &long].map(|id| with(path, json!(id))));
    }
    assert_refused(&server, ["", " ", &"x".repeat(5000)].map(|id| with("/deployment/friendlyId", json!(id))));
    server.assert_healthy();
}

#[test]
fn unusual_offers_are_accepted_and_cold() {
    let server = TestServer::start();
    let mut supervisor = server.supervisor();
    for (path, value) in [
        ("/deployment/friendlyId", json!("dép-🚀-\u{202e}-\u{0}-'\"<b>")),
        ("/run/friendlyId", json!("run-🚀-\u{202e}-\u{0}-'\"\\<b>\n")),
        ("/backgroundWorker/version", json!("版本")),
        ("/run/machine/cpu", json!(1e308)),
        ("/run/machine/cpu", json!(0)),
        ("/run/machine/memory", json!(5e-324)),
        ("/run/machine/memory", json!(u64::MAX)),
        ("/deployment", json!(null)),
        ("/run/machine", json!(null)),
        ("/snapshot", json!([1, "x", null])),
        ("/version", json!(2)),
    ] {
        assert!(!supervisor.offer(&changed(run("run_1"), path, value)), "{path}");
    }
    let offers = server.offers();
    assert!(offers.iter().any(|offer| offer["runId"] == "run-🚀-\u{202e}-\u{0}-'\"\\<b>\n"), "{offers:?}");
    server.assert_healthy();
}

#[test]
fn deep_nesting_is_accepted() {
    let server = TestServer::start();
    let depth = 1_000_000;
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
        let beside = run_message::offer(&run("run_1")).replacen('{', &format!("{{\"x\":{deep},"), 1);
        assert!(!server.supervisor().offer_text(&beside));
        let within = run_message::offer(&run("run_1")).replacen(
            "\"version\":",
            &format!("\"x\":{deep},\"version\":"),
            1,
        );
        assert!(!server.supervisor().offer_text(&within));
        assert_refused(&server, [with("/run/machine/cpu", json!("deep")).replacen("\"deep\"", &deep, 1)]);
    }
    server.assert_healthy();
}

#[test]
fn a_message_of_ten_mebibytes_is_accepted_and_one_byte_more_is_not() {
    let server = TestServer::start();
    let mut poll = Poll::by("runner-1");
    poll.memory = "0".to_owned();
    poll.cpu = "0".to_owned();
    let head = format!("{{\"deployment\":{{\"friendlyId\":\"{}\"}},", run_message::DEPLOYMENT);
    let head = format!("{head}\"backgroundWorker\":{{\"version\":\"{}\"}},\"x\":\"", run_message::VERSION);
    for (bytes, is_accepted) in [(10 * 1024 * 1024, true), (10 * 1024 * 1024 + 1, false)] {
        let message = format!("{head}{}\"}}", "y".repeat(bytes - head.len() - 2));
        let mut runner = server.park(&poll);
        let reader = std::thread::spawn(move || runner.response());
        let answer = server.connect().post("/warm-start", format!("{{\"dequeuedMessage\":{message}}}"));
        if is_accepted {
            assert_eq!(answer.json()["didWarmStart"], true, "{}", answer.text());
            assert!(reader.join().unwrap().expect("the run").body == message.as_bytes());
        } else {
            assert_eq!((answer.status, answer.json()["didWarmStart"].clone()), (413, json!(false)));
            assert!(answer.error_text().contains("10485760"), "the error text has the limit");
            server.connect().post("/api/admin/retire", r#"{"runner":"runner-1"}"#);
        }
    }
    server.assert_healthy();
}

#[test]
fn a_body_of_eleven_megabytes_is_refused_while_it_is_sent() {
    let server = TestServer::start();
    let body = vec![b'x'; 11_000_000];
    for is_chunked in [false, true] {
        let mut supervisor = server.connect();
        let mut sender = supervisor.stream().try_clone().expect("an open socket");
        let request = if is_chunked { chunked(&body) } else { post_request("/warm-start", &body) };
        let sending = std::thread::spawn(move || _ = sender.write_all(&request));
        let answer = supervisor.response().expect("an answer");
        assert_eq!((answer.status, answer.json()["didWarmStart"].clone()), (413, json!(false)));
        assert!(!answer.error_text().is_empty());
        drop(supervisor);
        sending.join().unwrap();
    }
    server.assert_healthy();
}

fn chunked(body: &[u8]) -> Vec<u8> {
    let mut request =
        b"POST /warm-start HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(60_000) {
        request.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        request.extend(chunk);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    request
}

#[test]
fn a_chunked_body_is_accepted() {
    let server = TestServer::start();
    let mut supervisor = server.connect();
    supervisor.send(chunked(run_message::offer(&run("run_1")).as_bytes()));
    assert_eq!(supervisor.response().expect("an answer").json()["didWarmStart"], false);
    supervisor
        .send("POST /warm-start HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n");
    let answer = supervisor.response().expect("an answer");
    assert!(!answer.error_text().is_empty());
    server.assert_healthy();
}

#[test]
fn an_incomplete_body_leaves_nothing_open() {
    let server = TestServer::start();
    let request = post_request("/warm-start", run_message::offer(&run("run_1")));
    let mut closed = server.connect();
    closed.send(&request[..request.len() - 10]);
    drop(closed);
    let mut half_closed = server.connect();
    half_closed.send(&request[..request.len() - 10]);
    half_closed.shutdown_write();
    match half_closed.response() {
        Ok(answer) => assert!(!answer.error_text().is_empty()),
        Err(none) => assert_eq!(none, NoResponse::Closed),
    }
    wait_until("both connections are closed", || server.health()["connections"] == 1);
    server.assert_healthy();
}

#[test]
fn a_half_closed_supervisor_is_answered_or_closed() {
    let server = TestServer::start();
    let mut supervisor = server.connect();
    supervisor.send(post_request("/warm-start", run_message::offer(&run("run_1"))));
    supervisor.shutdown_write();
    match supervisor.response() {
        Ok(answer) => assert_eq!(answer.json()["didWarmStart"], false),
        Err(none) => assert_eq!(none, NoResponse::Closed),
    }
    server.assert_healthy();
}

#[test]
fn a_body_announced_with_expect_is_requested() {
    let server = TestServer::start();
    let request = String::from_utf8(post_request("/warm-start", run_message::offer(&run("run_1")))).unwrap();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut supervisor = server.connect();
    supervisor.send(format!("{head}\r\nexpect: 100-continue\r\n\r\n"));
    assert_eq!(supervisor.response().expect("an interim response").status, 100);
    supervisor.send(body);
    assert_eq!(supervisor.response().expect("an answer").json()["didWarmStart"], false);
    server.assert_healthy();
}
