//! Malicious or malformed bodies, paths, queries and headers sent to the jobs API: each is refused with an error that
//! says why, and changes nothing.

use pilotlight_core::limits::JSON_DEPTH;
use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::http::Response;
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::server::TestServer;
use serde_json::json;

/// A service with a job that the runner `r` has claimed, and the job's id.
pub(super) fn serve_with_claimed_job() -> (TestServer, String) {
    let server = JobStore::sqlite().serve(&[]);
    let submitted = ApiClient::at(server.address()).submit("claimed", &json!({}));
    let id = submitted["job_id"].as_str().expect("an id").to_owned();
    let claim = format!("/api/runner/jobs/{id}/claim");
    assert_eq!(ApiClient::at(server.address()).as_runner("r").post(&claim, &json!({})).status, 200);
    (server, id)
}

/// All paths of the jobs API that read a body.
pub(super) fn paths_with_body(id: &str) -> Vec<String> {
    let report_path = |action: &str| format!("/api/runner/jobs/{id}/{action}");
    let mut paths: Vec<_> = ["start", "heartbeat", "complete", "error"].map(report_path).to_vec();
    paths.extend(
        ["/api/jobs/submit", "/api/jobs/check", "/api/runner/register", "/api/admin/jobs/batch-delete"]
            .map(str::to_owned),
    );
    paths
}

/// Sends a POST request as the runner `r` on a new connection.
fn post(server: &TestServer, path: &str, body: &[u8]) -> Response {
    ApiClient::at(server.address()).as_runner("r").request("POST", path, body)
}

/// Asserts that the refused requests have changed nothing and that the claimed job can still be completed.
pub(super) fn assert_nothing_changed(server: &TestServer, id: &str) {
    let stats = server.connect().get("/api/admin/stats").json();
    assert_eq!((&stats["jobs"]["total"], &stats["runners"]["total"]), (&json!(1), &json!(0)), "{stats}");
    let done = post(server, &format!("/api/runner/jobs/{id}/complete"), br#"{"output_data":{"is":"well"}}"#);
    assert_eq!(done.status, 200, "{done:?}");
    let submitted = ApiClient::at(server.address()).submit("claimed", &json!({}));
    assert_eq!(submitted["result"]["output_data"]["is"], "well");
}

/// Bodies that are not a JSON object, one on each line.
const NOT_OBJECTS: &str = r#"{
}
{}}
null
true
1
-0
"x"
[]
[{}]
<xml/>
job_type=a
{'job_type':'a'}
{job_type:"a"}
{"job_type":}
{"job_type":"a",}
{"job_type":"a"} x
{"job_type":"a"}{}
{"job_type":/**/"a"}
{"a":01}
{"a":+1}
{"a":.5}
{"a":1.}
{"a":1e}
{"a":0x10}
{"a":NaN}
{"a":Infinity}
{"a":-Infinity}
{"a":undefined}
{"a":"	"}
{"a":"\x"}
{"a":"\u12"}
{"a":tru}
{"job_type" "a"}
{"a":"unclosed}
{"a":[1,2}
{"a":{"b":1]}
"#;

#[test]
fn a_body_that_is_not_a_json_object_is_refused_by_every_path() {
    let (server, id) = serve_with_claimed_job();
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    let unclosed = "[".repeat(50_000);
    let large = [("job_type", "x"), ("console_append", "y")]
        .map(|(name, x)| format!("{{\"{name}\":\"{}", x.repeat(60_000)));
    let mut bodies: Vec<Vec<u8>> = NOT_OBJECTS.lines().map(|line| line.as_bytes().to_vec()).collect();
    bodies.extend(
        [" ", "\n", "\u{feff}{}", "{\"a\":\"\n\"}", "{\"a\":\"\0\"}"].map(|text| text.as_bytes().to_vec()),
    );
    bodies.extend([
        b"\xff\xfe{\0}\0".to_vec(),
        b"{\"a\":\"\xff\"}".to_vec(),
        b"{\"\xc3\x28\":1}".to_vec(),
        vec![0; 1000],
    ]);
    bodies.extend([deep, unclosed].map(String::into_bytes));
    bodies.extend(large.map(String::into_bytes));
    for path in paths_with_body(&id) {
        for body in &bodies {
            let excerpt = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
            let response = post(&server, &path, body);
            assert_eq!(response.status, 400, "{path} {excerpt}: {}", response.text());
            let error = response.error_text();
            assert!(error.starts_with("the body is"), "{path} {excerpt}: {error}");
        }
    }
    assert_nothing_changed(&server, &id);
}

#[test]
fn a_field_of_the_wrong_type_or_given_twice_is_named_in_the_error() {
    let (server, id) = serve_with_claimed_job();
    let report_path = |action: &str| format!("/api/runner/jobs/{id}/{action}");
    let fields: [(&str, &str, &[&str]); 7] = [
        (
            "/api/jobs/submit",
            r#""job_type":"a","input_params":{}"#,
            &[
                "job_type",
                "input_params",
                "code_version",
                "fresh",
                "priority",
                "run_at",
                "max_attempts",
                "retry_backoff_ms",
                "ttl_ms",
            ],
        ),
        (
            "/api/jobs/check",
            r#""job_type":"a","input_params":{}"#,
            &["job_type", "input_params", "code_version"],
        ),
        ("/api/runner/register", r#""name":"n","capabilities":[]"#, &["name", "capabilities"]),
        (
            &report_path("heartbeat"),
            "",
            &["progress_current", "progress_total", "console_output", "console_append", "lease"],
        ),
        (
            &report_path("complete"),
            r#""output_data":{}"#,
            &["output_data", "console_output", "console_append", "lease"],
        ),
        (
            &report_path("error"),
            r#""error_message":"e""#,
            &["error_message", "console_output", "console_append", "lease"],
        ),
        ("/api/admin/jobs/batch-delete", r#""job_ids":["a"]"#, &["job_ids"]),
    ];
    // Invalid for every field: numbers out of range or not whole, and invalid or empty strings.
    let values = [
        "1e999",
        "-1e-999",
        "0.1",
        "99999999999999999999999999",
        "\"\\ud800\"",
        "\"\\u0000\"",
        "\"\"",
        "\" \"",
    ];
    for (path, required, names) in fields {
        for name in names {
            let others: Vec<_> = required
                .split_inclusive(',')
                .filter(|part| !part.starts_with(&format!("\"{name}\"")))
                .collect();
            let others = others.concat();
            let others = others.trim_end_matches(',');
            let comma = if others.is_empty() { "" } else { "," };
            for value in values {
                let is_prose = matches!(*name, "console_output" | "console_append" | "error_message");
                if is_prose && value.starts_with('"') {
                    continue;
                }
                let body = format!("{{{others}{comma}\"{name}\":{value}}}");
                let response = post(&server, path, body.as_bytes());
                assert_eq!(response.status, 400, "{path} {body}: {}", response.text());
                let error = response.error_text();
                assert!(error.contains(name), "{path} {body}: {error}");
                assert!(!error.contains("999"), "the error repeats the value that was sent: {error}");
            }
            let body = format!("{{{others}{comma}\"{name}\":null,\"{name}\":null}}");
            let error = post(&server, path, body.as_bytes()).error_text();
            assert!(error.contains(&format!("{name} is given twice")), "{path} {body}: {error}");
        }
    }
    assert_nothing_changed(&server, &id);
}

#[test]
fn unusual_parameters_and_results_are_accepted_and_ambiguous_ones_refused() {
    let (server, id) = serve_with_claimed_job();
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}1{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    let complete = format!("/api/runner/jobs/{id}/complete");
    let submit = |input: &str| format!(r#"{{"job_type":"strange","input_params":{input}}}"#);
    for invalid in [
        nested(JSON_DEPTH + 1),
        nested(50_000),
        objects(JSON_DEPTH + 1),
        r#"{"a":1,"a":1}"#.into(),
        r#"{"a":1,"\u0061":2}"#.into(),
        r#"{"x":[{"y":{"a":1,"b":2,"a":3}}]}"#.into(),
        r#"{"a":"\ud800"}"#.into(),
        r#"{"\udc00":1}"#.into(),
    ] {
        let response = post(&server, "/api/jobs/submit", submit(&invalid).as_bytes());
        assert_eq!(response.status, 400, "{}: {}", &invalid[..invalid.len().min(60)], response.text());
        assert!(response.error_text().contains("input_params"), "{}", response.text());
    }
    let response =
        post(&server, &complete, format!(r#"{{"output_data":{}}}"#, nested(JSON_DEPTH + 1)).as_bytes());
    assert!(response.error_text().contains("output_data"), "{response:?}");
    // Parameters that are valid and unambiguous JSON are accepted, and returned unchanged.
    let mut ids = Vec::new();
    for valid in [
        nested(JSON_DEPTH),
        objects(JSON_DEPTH),
        r#"{"a":1e999,"b":-1e-999,"c":123456789012345678901234567890,"d":0.1000000000000000055511151231257827}"#.into(),
        format!(r#"{{"a":1{}}}"#, "0".repeat(90_000)),
        r#"{"":0," ":1,"\u0000":"\u0000","é":"é","e\u0301":"\ud83d\ude80"}"#.into(),
        r#"{"__proto__":{"x":1},"constructor":null,"a.b":[[],{}]}"#.into(),
        format!("[{}1]", "1,".repeat(40_000)),
    ] {
        let body = submit(&valid);
        let response = post(&server, "/api/jobs/submit", body.as_bytes());
        assert_eq!(response.status, 201, "{}: {}", &valid[..valid.len().min(60)], response.text());
        assert_eq!(post(&server, "/api/jobs/submit", body.as_bytes()).status, 200);
        let id = response.json()["job_id"].as_str().expect("an id").to_owned();
        let details = server.connect().get(&format!("/api/admin/jobs/{id}")).text();
        assert!(details.contains(&valid), "the parameters are returned unchanged: {}", &valid[..valid.len().min(60)]);
        ids.push(id);
    }
    let deleted =
        post(&server, "/api/admin/jobs/batch-delete", json!({ "job_ids": ids }).to_string().as_bytes());
    assert_eq!(deleted.json()["deleted"], ids.len());
    assert_nothing_changed(&server, &id);
}

#[test]
fn invalid_paths_queries_and_headers_are_refused() {
    let (server, id) = serve_with_claimed_job();
    let send = |method: &str, path: &str, headers: &[u8]| {
        let mut connection = server.connect();
        let start = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n");
        connection.send([start.as_bytes(), headers, b"\r\n"].concat());
        connection.response().unwrap_or_else(|none| panic!("no response to {method} {path}: {none:?}"))
    };
    let assert_refused = |response: &Response, what: &str| {
        assert!((400..500).contains(&response.status), "{what}: {}", response.text());
        let body = response.json();
        let error = body["error"].as_str().or(body["message"].as_str()).unwrap_or_default().to_owned();
        assert!(error.split(' ').count() >= 3, "{what}: {body}");
    };
    let long = "x".repeat(8000);
    for unknown_id in [
        "no-id",
        "%00",
        "%FF",
        "%2e%2e%2f",
        "..",
        "%F0%9F%9A%80",
        "'%20OR%201=1",
        &long,
        &id.to_uppercase()[1..],
    ] {
        for path in ["/api/jobs/{}", "/api/jobs/{}/events", "/api/admin/jobs/{}", "/api/admin/runners/{}"] {
            assert_refused(&send("GET", &path.replace("{}", unknown_id), b""), unknown_id);
        }
        for path in ["/api/jobs/{}/cancel", "/api/runner/jobs/{}/claim"] {
            assert_refused(&send("POST", &path.replace("{}", unknown_id), b"x-runner-id: r\r\n"), unknown_id);
        }
        assert_refused(&send("DELETE", &format!("/api/admin/jobs/{unknown_id}"), b""), unknown_id);
    }
    let types = "types[]=a&".repeat(1001);
    for query in [
        "wait_ms=-1",
        "wait_ms=1.5",
        "wait_ms=NaN",
        "wait_ms=600001",
        "wait_ms=18446744073709551616",
        "wait_ms=%FF",
        "wait_ms=1&wait_ms=1",
        "wait_ms=0x10",
        "types[]=",
        "types[]=%00",
        "types[]=a&types[]=%20",
        &types,
    ] {
        assert_refused(&send("GET", &format!("/api/runner/jobs/next?{query}"), b"x-runner-id: r\r\n"), query);
    }
    for query in [
        "status=none",
        "status=pending&status=failed",
        "limit=0",
        "limit=-1",
        "limit=1001",
        "limit=1e2",
        "limit=a",
    ] {
        assert_refused(&send("GET", &format!("/api/admin/jobs?{query}"), b""), query);
    }
    let long = format!("x-runner-id: {}\r\n", "r".repeat(257));
    for header in [
        b"".as_slice(),
        b"x-runner-id: \r\n",
        b"x-runner-id: a\r\nx-runner-id: a\r\n",
        b"x-runner-id: \xff\r\n",
        "x-runner-id: \u{1f680}\r\n".as_bytes(),
        long.as_bytes(),
    ] {
        for (method, path) in [
            ("GET", "/api/runner/verify"),
            ("GET", "/api/runner/jobs/next?types[]=a"),
            ("POST", "/api/runner/jobs/no-id/claim"),
        ] {
            assert_refused(&send(method, path, header), &String::from_utf8_lossy(header));
        }
    }
    let body = br#"{"job_type":"a","input_params":{}}"#;
    for key in ["", "k\r\nidempotency-key: k", "\u{e9}", &"k".repeat(257)] {
        let mut caller = ApiClient::at(server.address()).with_header("idempotency-key", key);
        assert_refused(&caller.request("POST", "/api/jobs/submit", body), key);
    }
    assert_nothing_changed(&server, &id);
}
