//! Every path with every method, and which callers may use it.

use pilotlight_testkit::http::{Connection, Response};
use pilotlight_testkit::run_message::{self, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::is_warm;

/// Paths for runners and supervisors, with their methods.
const PROTOCOL: [(&str, &[&str]); 6] = [
    ("/connect", &["GET", "HEAD"]),
    ("/api/connect", &["GET", "HEAD"]),
    ("/health", &["GET", "HEAD"]),
    ("/api/health", &["GET", "HEAD"]),
    ("/warm-start", &["GET", "POST"]),
    ("/api/warm-start", &["GET", "POST"]),
];

/// Paths for operators on this machine, with their methods.
const CONTROL: [(&str, &[&str]); 6] = [
    ("/", &["GET", "HEAD"]),
    ("/assets/app.js", &["GET", "HEAD"]),
    ("/api/dashboard/events", &["GET", "HEAD"]),
    ("/api/dashboard", &["GET", "HEAD", "DELETE"]),
    ("/api/admin/retire", &["POST"]),
    ("/metrics", &["GET", "HEAD"]),
];

const UNKNOWN: [&str; 9] = [
    "/assets/",
    "/warm-start/",
    "/WARM-START",
    "/api",
    "/api/",
    "/%00",
    "/..%2f..%2fetc/passwd",
    "//health",
    "/dashboard.php",
];

fn call(server: &TestServer, method: &str, path: &str, headers: &str) -> Response {
    let mut caller = server.connect();
    caller.send(format!("{method} {path} HTTP/1.1\r\n{headers}\r\n"));
    let answer = if method == "HEAD" { caller.response_without_body() } else { caller.response() };
    answer.unwrap_or_else(|none| panic!("{method} {path}: {none:?}"))
}

#[test]
fn an_unknown_method_is_refused_with_an_error_text() {
    let server = TestServer::start();
    for (path, methods) in PROTOCOL.into_iter().chain(CONTROL) {
        for method in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"] {
            if methods.contains(&method) {
                continue;
            }
            let answer = call(&server, method, path, "host: localhost\r\n");
            assert_eq!(answer.status, 405, "{method} {path}");
            if method != "HEAD" {
                assert!(!answer.error_text().is_empty(), "{method} {path}");
            }
        }
    }
    server.assert_healthy();
}

#[test]
fn a_405_names_the_allowed_methods() {
    let server = TestServer::start();
    for (path, methods) in PROTOCOL.into_iter().chain(CONTROL) {
        let refused = ["HEAD", "PUT"].into_iter().filter(|method| !methods.contains(method));
        for method in refused {
            let answer = call(&server, method, path, "host: localhost\r\n");
            let allowed: Vec<_> = answer.header("allow").unwrap_or_default().split(',').collect();
            assert_eq!(allowed, methods, "{method} {path} (RFC 9110, 15.5.6)");
        }
    }
}

#[test]
fn head_is_answered_like_get_and_parks_no_poll() {
    let server = TestServer::start();
    for (path, methods) in PROTOCOL.into_iter().chain(CONTROL) {
        let answer = call(&server, "HEAD", path, "host: localhost\r\n");
        assert_eq!(answer.status, if methods.contains(&"HEAD") { 200 } else { 405 }, "{path}");
    }
    let poll = pilotlight_testkit::warm_start::Poll::by("runner-1").request().replacen("GET", "HEAD", 1);
    let mut caller = server.connect();
    caller.send(poll);
    assert_eq!(caller.response_without_body().expect("an answer").status, 405);
    server.assert_healthy();
}

#[test]
fn an_unknown_path_is_refused_with_an_error_text() {
    let server = TestServer::start();
    for path in UNKNOWN {
        for method in ["GET", "POST", "PUT", "OPTIONS"] {
            let answer = call(&server, method, path, "host: localhost\r\n");
            assert_eq!(answer.status, 404, "{method} {path}");
            assert!(!answer.error_text().is_empty(), "{method} {path}");
        }
    }
    for (method, target) in
        [("OPTIONS", "*"), ("CONNECT", "localhost:80"), ("GET", "http://localhost/nothing")]
    {
        let answer = call(&server, method, target, "host: localhost\r\n");
        assert!((400..500).contains(&answer.status), "{method} {target}: {answer:?}");
    }
    server.assert_healthy();
}

#[test]
fn web_pages_are_refused_on_every_path() {
    let server = TestServer::start();
    for (path, methods) in PROTOCOL.into_iter().chain(CONTROL) {
        for method in methods {
            for origin in ["http://page.example", "null", ""] {
                let headers = format!("host: localhost\r\norigin: {origin}\r\n");
                let answer = call(&server, method, path, &headers);
                let expected =
                    if (path.ends_with("warm-start"), *method) == (true, "GET") { 400 } else { 403 };
                assert_eq!(answer.status, expected, "{method} {path} from {origin}");
                if *method != "HEAD" {
                    assert!(!answer.error_text().is_empty(), "{method} {path} from {origin}");
                }
                assert_eq!(
                    answer.header("access-control-allow-origin"),
                    None,
                    "{method} {path} from {origin}"
                );
            }
        }
    }
    server.assert_healthy();
}

#[test]
fn control_paths_are_for_direct_requests_to_a_loopback_name_only() {
    let server = TestServer::start();
    let remote_headers = [
        "host: pilotlight.example\r\n",
        "host: localhost.example\r\n",
        "host: 127.0.0.1.example:80\r\n",
        "host: 10.0.0.1\r\n",
        "host: \r\n",
        "",
        "host: localhost\r\nx-forwarded-for: 127.0.0.1\r\n",
        "host: localhost\r\nx-forwarded-host: localhost\r\n",
        "host: localhost\r\nx-forwarded-proto: http\r\n",
        "host: localhost\r\nx-real-ip: 127.0.0.1\r\n",
        "host: localhost\r\nforwarded: for=127.0.0.1\r\n",
    ];
    for (path, methods) in CONTROL {
        for method in methods {
            for headers in remote_headers {
                let answer = call(&server, method, path, headers);
                assert_eq!(answer.status, 403, "{method} {path} with {headers:?}");
                if *method != "HEAD" {
                    assert!(!answer.error_text().is_empty(), "{method} {path} with {headers:?}");
                }
            }
        }
    }
    for host in ["localhost", "LOCALHOST:1", "127.0.0.1", "[::1]:8080"] {
        assert_eq!(
            call(&server, "GET", "/api/dashboard", &format!("host: {host}\r\n")).status,
            200,
            "{host}"
        );
    }
    server.assert_healthy();
}

#[test]
fn every_forwarding_header_makes_a_request_remote() {
    let server = TestServer::start();
    for header in ["x-forwarded-port", "x-forwarded-server", "x-forwarded-prefix", "x-forwarded-anything"] {
        let answer = call(&server, "GET", "/api/dashboard", &format!("host: localhost\r\n{header}: x\r\n"));
        assert_eq!(answer.status, 403, "{header}");
    }
}

#[test]
fn a_second_host_does_not_open_control_paths() {
    let server = TestServer::start();
    for hosts in [["localhost", "evil.example"], ["evil.example", "localhost"]] {
        let headers = format!("host: {}\r\nhost: {}\r\n", hosts[0], hosts[1]);
        let answer = call(&server, "GET", "/api/dashboard", &headers);
        assert!((400..500).contains(&answer.status), "{hosts:?}: {}", answer.status);
    }
}

#[test]
fn the_host_of_an_absolute_target_is_used() {
    let server = TestServer::start();
    let absolute = call(&server, "GET", "http://evil.example/api/dashboard", "host: localhost\r\n");
    assert!(
        (400..500).contains(&absolute.status),
        "the host of the request target is used (RFC 9112, 3.2.2): {}",
        absolute.status
    );
    server.assert_healthy();
}

#[test]
fn protocol_paths_are_open_to_proxies_and_other_hosts() {
    let server = TestServer::start();
    for headers in
        ["host: pilotlight.example\r\nx-forwarded-for: 10.0.0.1\r\n", "forwarded: for=10.0.0.1\r\n", ""]
    {
        for path in ["/health", "/connect"] {
            assert_eq!(call(&server, "GET", path, headers).status, 200, "{path} with {headers:?}");
        }
        let body = run_message::offer(&run("run_1"));
        let mut supervisor = server.connect();
        let head = format!("POST /warm-start HTTP/1.1\r\n{headers}content-length: {}\r\n\r\n", body.len());
        supervisor.send(head + &body);
        assert!(!is_warm(&supervisor.response().expect("an answer")));
    }
    server.assert_healthy();
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let server = TestServer::start();
    for path in ["/health", "/connect"] {
        let mut caller = server.connect();
        caller.send(format!("GET {path} HTTP/1.0\r\n\r\n"));
        assert_eq!(caller.response().expect("an answer").status, 200, "{path}");
        assert_eq!(caller.drain(), b"", "{path}");
    }
    let mut caller: Connection = server.connect();
    caller.send("GET /api/dashboard HTTP/1.0\r\n\r\n");
    assert_eq!(
        caller.response().expect("an answer").status,
        403,
        "a request without a host is a remote request"
    );
    server.assert_healthy();
}

/// Invalid bodies of a retire request, one per line.
const INVALID_BODIES: &str = r#"{
{}
null
1
[]
{"all":true}
{"runner":1}
{"runner":""}
{"runner":null}
{"version":["x"]}
{"runner":"a","runner":"b"}
{"runner":"a","for_ms":-1}
{"runner":"a","for_ms":1.5}
{"runner":"a","for_ms":"1h"}
{"runner":"a","for_ms":18446744073709551615}
"#;

#[test]
fn an_invalid_retire_request_is_refused_with_an_error_text() {
    let server = TestServer::start();
    for body in INVALID_BODIES.lines().chain([""]) {
        let answer = server.connect().post("/api/admin/retire", body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
        assert!(!answer.error_text().is_empty(), "{body}");
    }
    let large = format!(r#"{{"runner":"{}"}}"#, "x".repeat(100_000));
    assert_eq!(server.connect().post("/api/admin/retire", large).status, 413);
    server.assert_healthy();
}

#[test]
fn a_retire_request_must_be_an_object() {
    let server = TestServer::start();
    let answer = server.connect().post("/api/admin/retire", r#"["a_deployment"]"#);
    assert_eq!(answer.status, 400, "{}", answer.text());
}
