//! The permissions of callers: every endpoint is called by every kind of caller on every listener. The endpoints of
//! jobs are in `permissions/jobs.rs`.

mod jobs;

use std::net::SocketAddr;

use pilotlight_testkit::http::{Connection, NoResponse, Response, post_request};
use pilotlight_testkit::run_message::{self, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

const ADMIN: &str = "an admin's key of good length";
const RUNNER: &str = "a runner's key of good length";
const SUBMIT: &str = "a caller's key of good length";
const KEYS: [(&str, &str); 3] = [
    ("PILOTLIGHT_AUTH_ADMIN_KEYS", ADMIN),
    ("PILOTLIGHT_AUTH_RUNNER_KEYS", RUNNER),
    ("PILOTLIGHT_AUTH_SUBMIT_KEYS", SUBMIT),
];

/// An endpoint, and a request to it.
struct Endpoint {
    method: &'static str,
    path: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It needs no key, and rejects requests of web pages.
    Protocol,
    /// It has no data about runs and runners: the page itself, its session, and the API document.
    Page,
    /// It reads data.
    Read,
    /// It changes data.
    Change,
}

const fn endpoint(method: &'static str, path: &'static str, kind: Kind) -> Endpoint {
    Endpoint { method, path, kind }
}

const ENDPOINTS: &[Endpoint] = &[
    endpoint("GET", "/health", Kind::Protocol),
    endpoint("GET", "/api/health", Kind::Protocol),
    endpoint("GET", "/connect", Kind::Protocol),
    endpoint("GET", "/api/connect", Kind::Protocol),
    endpoint("POST", "/warm-start", Kind::Protocol),
    endpoint("POST", "/api/warm-start", Kind::Protocol),
    endpoint("GET", "/api/session", Kind::Page),
    endpoint("DELETE", "/api/session", Kind::Page),
    endpoint("GET", "/", Kind::Page),
    endpoint("GET", "/assets/app.js", Kind::Page),
    endpoint("GET", "/api/openapi.json", Kind::Page),
    endpoint("GET", "/api/dashboard", Kind::Read),
    endpoint("GET", "/api/dashboard/events", Kind::Read),
    endpoint("GET", "/metrics", Kind::Read),
    endpoint("DELETE", "/api/dashboard", Kind::Change),
    endpoint("POST", "/api/admin/retire", Kind::Change),
];

impl Endpoint {
    /// The status of the response to a request with these header lines. Each line has its line break.
    fn status(&self, at: SocketAddr, headers: &str) -> u16 {
        self.answer(at, headers).status
    }

    fn answer(&self, at: SocketAddr, headers: &str) -> Response {
        let Self { method, path, kind: _ } = self;
        let body = match *path {
            "/warm-start" | "/api/warm-start" => run_message::offer(&run("run_without_a_runner")),
            "/api/admin/retire" => json!({ "runner": "unknown" }).to_string(),
            _ => String::new(),
        };
        let host = if headers.contains("host:") { "" } else { "host: localhost\r\n" };
        let length =
            if *method == "POST" { format!("content-length: {}\r\n", body.len()) } else { String::new() };
        let mut connection = Connection::open(at);
        connection.send(format!("{method} {path} HTTP/1.1\r\n{host}{headers}{length}\r\n{body}"));
        // An event stream has no content length.
        let answer = match *path {
            "/api/dashboard/events" => connection.response_without_body(),
            _ => connection.response(),
        };
        answer.unwrap_or_else(|none| panic!("no answer to {method} {path} ({headers:?}): {none:?}"))
    }
}

/// An address of this machine other than a loopback address; `None` when it has none.
fn outer_address(server: &TestServer) -> Option<SocketAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // No packet is sent: the kernel only selects the local address that it would use.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then(|| SocketAddr::new(address, server.address().port()))
}

fn bearer(key: &str) -> String {
    format!("authorization: Bearer {key}\r\n")
}

#[test]
fn without_keys_only_the_protocol_is_open_to_other_machines() {
    let server = TestServer::with(&[("HOST", "0.0.0.0")]).at_address([127, 0, 0, 1].into());
    let at = server.address();
    let foreign = [
        "origin: http://page.example\r\n",
        "origin: null\r\n",
        "origin: http://localhost\r\n",
        "host: pilotlight.example\r\n",
        "x-forwarded-for: 127.0.0.1\r\n",
        "forwarded: for=127.0.0.1\r\n",
        "x-forwarded-host: localhost\r\n",
    ];
    for endpoint in ENDPOINTS {
        let name = format!("{} {}", endpoint.method, endpoint.path);
        assert_eq!(endpoint.status(at, ""), 200, "{name}");
        for headers in foreign {
            let is_from_page = headers.starts_with("origin");
            let is_own_page = headers == "origin: http://localhost\r\n";
            let expected = match endpoint.kind {
                Kind::Protocol if !is_from_page => 200,
                Kind::Page if is_own_page => 200,
                Kind::Protocol | Kind::Page | Kind::Read | Kind::Change => 403,
            };
            assert_eq!(endpoint.status(at, headers), expected, "{name} with {headers}");
        }
        if let Some(outer) = outer_address(&server) {
            let expected = if endpoint.kind == Kind::Protocol { 200 } else { 403 };
            assert_eq!(endpoint.status(outer, ""), expected, "{name} from another address");
        }
    }
}

#[test]
fn with_keys_each_scope_opens_its_own_endpoints() {
    let server =
        TestServer::with(&[&KEYS[..], &[("HOST", "0.0.0.0")]].concat()).at_address([127, 0, 0, 1].into());
    let addresses: Vec<_> = [Some(server.address()), outer_address(&server)].into_iter().flatten().collect();
    for endpoint in ENDPOINTS {
        let name = format!("{} {}", endpoint.method, endpoint.path);
        for at in &addresses {
            let is_open = matches!(endpoint.kind, Kind::Protocol | Kind::Page);
            for (headers, expected) in [
                (String::new(), 401),
                (bearer("unknown key"), 401),
                (bearer(&format!("{ADMIN}x")), 401),
                (format!("authorization: Basic {ADMIN}\r\n"), 401),
                (bearer(RUNNER), 403),
                (bearer(SUBMIT), 403),
                (bearer(ADMIN), 200),
                (bearer(ADMIN) + "x-forwarded-for: 198.51.100.7\r\nhost: pilotlight.example\r\n", 200),
                (bearer(ADMIN) + "origin: http://page.example\r\n", 403),
            ] {
                let is_from_page = headers.contains("origin");
                let expected = if is_open && !is_from_page { 200 } else { expected };
                assert_eq!(endpoint.status(*at, &headers), expected, "{name} at {at} with {headers}");
            }
        }
    }
    assert!(!server.log().contains(ADMIN), "a key is in the log");
}

#[test]
fn keys_of_runners_and_callers_do_not_close_the_dashboard() {
    let server = TestServer::with(&KEYS[1..]);
    for endpoint in ENDPOINTS {
        for headers in [String::new(), bearer(SUBMIT)] {
            assert_eq!(endpoint.status(server.address(), &headers), 200, "{} {headers}", endpoint.path);
        }
    }
}

/// Signs in. Returns the header line with the session's cookie, and the session's token.
fn signed_in(server: &TestServer) -> (String, String) {
    let mut connection = server.connect();
    let answer = connection.post("/api/session", json!({ "key": ADMIN }).to_string());
    session_of(&answer)
}

fn session_of(answer: &Response) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let pair = cookie.split(';').next().expect("a cookie begins with its name and value").to_owned();
    let csrf = answer.json()["csrf"].as_str().expect("a token").to_owned();
    (format!("cookie: {pair}\r\n"), csrf)
}

#[test]
fn a_session_reads_with_its_cookie_and_changes_with_its_token() {
    let server = TestServer::with(&KEYS);
    let session: Value = server.connect().get("/api/session").json();
    assert_eq!(session, json!({ "key": "needed", "signedIn": false, "csrf": null }));
    for key in ["wrong", RUNNER, SUBMIT, ""] {
        let answer = server.connect().post("/api/session", json!({ "key": key }).to_string());
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{key}");
    }
    let (cookie, csrf) = signed_in(&server);
    let token = format!("x-csrf-token: {csrf}\r\n");
    let own_origin = "origin: http://localhost\r\n";
    let at = server.address();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| matches!(endpoint.kind, Kind::Read | Kind::Change)) {
        let with_cookie = if endpoint.kind == Kind::Change { 403 } else { 200 };
        for (headers, expected) in [
            (cookie.clone(), with_cookie),
            (format!("{cookie}{token}"), 200),
            (format!("{cookie}{token}{own_origin}"), 200),
            (format!("{cookie}{own_origin}"), 403),
            (format!("{cookie}x-csrf-token: wrong\r\n{own_origin}"), 403),
            (format!("{cookie}{token}origin: http://page.example\r\n"), 403),
            (token.clone(), 401),
            (format!("cookie: pilotlight_session=wrong\r\n{token}"), 401),
        ] {
            assert_eq!(endpoint.status(at, &headers), expected, "{} with {headers}", endpoint.path);
        }
    }
    let sign_out = endpoint("DELETE", "/api/session", Kind::Page);
    assert_eq!(sign_out.status(at, &cookie), 200);
    assert_eq!(endpoint("GET", "/api/dashboard", Kind::Read).status(at, &cookie), 401);
}

#[test]
fn without_keys_the_dashboard_changes_data_with_its_token() {
    let server = TestServer::start();
    let answer = server.connect().get("/api/session");
    assert_eq!(answer.json()["key"], "not-needed");
    let (cookie, csrf) = session_of(&answer);
    let clear = endpoint("DELETE", "/api/dashboard", Kind::Change);
    let own_origin = "origin: http://localhost\r\n";
    assert_eq!(clear.status(server.address(), &format!("{cookie}x-csrf-token: {csrf}\r\n{own_origin}")), 200);
    assert_eq!(clear.status(server.address(), &format!("{cookie}{own_origin}")), 403);
}

#[test]
fn allowed_networks_apply_to_clients_behind_trusted_proxies() {
    let settings =
        [("PILOTLIGHT_SERVER_ALLOW", "10.1.0.0/16"), ("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "127.0.0.1")];
    let server = TestServer::with(&settings);
    for (client, is_allowed) in [("10.1.2.3", true), ("10.2.0.1", false), ("10.1.2.3, 10.2.0.1", false)] {
        let headers = format!("x-forwarded-for: {client}\r\n");
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.kind == Kind::Protocol) {
            let expected = if is_allowed { 200 } else { 403 };
            assert_eq!(endpoint.status(server.address(), &headers), expected, "{client} {}", endpoint.path);
        }
        // The connection of a poll that is not allowed is closed without a byte.
        let mut poll =
            Poll::by("runner").with_header(&format!("x-forwarded-for: {client}")).send_to(server.address());
        if is_allowed {
            server.wait_for_parked(1);
        } else {
            assert_eq!(poll.response(), Err(NoResponse::Closed), "{client}");
        }
        drop(poll);
        server.wait_for_parked(0);
    }
}

/// Whether every listener serves this endpoint.
fn is_on_every_listener(endpoint: &Endpoint) -> bool {
    endpoint.path.ends_with("health") || endpoint.path.ends_with("openapi.json")
}

/// Whether the dashboard needs this endpoint for data of warm starts, which exist only where warm starts are served.
fn is_about_warm_starts(endpoint: &Endpoint) -> bool {
    matches!(endpoint.path, "/api/dashboard" | "/api/admin/retire")
}

#[test]
fn operators_can_have_their_own_address_and_capabilities_can_be_omitted() {
    let server = TestServer::with(&[("PILOTLIGHT_SERVER_CONTROL", "127.0.0.1:0")]);
    let control = server.control_address();
    for endpoint in ENDPOINTS {
        let is_protocol = endpoint.kind == Kind::Protocol;
        let main_status = if is_protocol || is_on_every_listener(endpoint) { 200 } else { 404 };
        let control_status = if is_protocol && !is_on_every_listener(endpoint) { 404 } else { 200 };
        assert_eq!(endpoint.status(server.address(), ""), main_status, "main {}", endpoint.path);
        assert_eq!(endpoint.status(control, ""), control_status, "control {}", endpoint.path);
    }
    for only in ["warm-start", "jobs", "dashboard", "warm-start,dashboard"] {
        let server = TestServer::with_arguments(&["--only", only], &[]);
        for endpoint in ENDPOINTS {
            let needs: &[&str] = match endpoint.kind {
                _ if is_on_every_listener(endpoint) => &[],
                Kind::Protocol => &["warm-start"],
                _ if is_about_warm_starts(endpoint) => &["warm-start", "dashboard"],
                Kind::Page | Kind::Read | Kind::Change => &["dashboard"],
            };
            let is_served = needs.iter().all(|name| only.split(',').any(|served| served == *name));
            let expected = if is_served { 200 } else { 404 };
            assert_eq!(endpoint.status(server.address(), ""), expected, "--only {only} {}", endpoint.path);
        }
    }
}

#[test]
fn a_poll_or_offer_with_an_origin_is_refused() {
    let server = TestServer::start();
    let mut poll = Poll::by("page").with_header("origin: http://page.example").send_to(server.address());
    assert_eq!(poll.response().expect("an answer").status, 400);
    let mut supervisor = server.connect();
    let offer =
        String::from_utf8(post_request("/warm-start", run_message::offer(&run("run_1")))).expect("text");
    supervisor.send(offer.replacen("\r\n", "\r\norigin: http://page.example\r\n", 1));
    let answer = supervisor.response().expect("an answer");
    assert_eq!((answer.status, &answer.json()["didWarmStart"]), (403, &json!(false)));
}

/// Sends a request of a web page. Returns the status, and the value of `access-control-allow-origin`.
fn call_from_page(at: SocketAddr, method: &str, path: &str) -> (u16, Option<String>) {
    let mut connection = Connection::open(at);
    connection
        .send(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\norigin: http://page.example\r\n\r\n"));
    let answer = connection.response().expect("an answer");
    (answer.status, answer.header("access-control-allow-origin").map(str::to_owned))
}

#[test]
fn other_web_pages_may_call_the_jobs_paths_only_with_keys() {
    let any = || Some("*".to_owned());
    let with_key = TestServer::with(&[("SUBMIT_API_KEY", SUBMIT)]);
    for path in ["/api/jobs/submit", "/api/runner/register", "/api/admin/stats"] {
        assert_eq!(call_from_page(with_key.address(), "OPTIONS", path), (204, any()), "{path}");
        assert_eq!(call_from_page(with_key.address(), "PUT", path).1, any(), "{path}");
    }
    assert_eq!(call_from_page(with_key.address(), "GET", "/api/nothing"), (404, any()));
    assert_eq!(call_from_page(with_key.address(), "GET", "/api/dashboard"), (403, None));
    assert_eq!(call_from_page(with_key.address(), "GET", "/nothing"), (404, None));
    let without_key = TestServer::start();
    for method in ["OPTIONS", "GET"] {
        assert_eq!(call_from_page(without_key.address(), method, "/api/jobs/submit").1, None, "{method}");
    }
}
