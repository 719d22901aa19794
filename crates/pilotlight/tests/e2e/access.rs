//! Who may do what: DESIGN's table, walked. Every endpoint is asked by every kind of caller on every listener.

mod jobs;

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::support::http::{Answer, Connection, NoAnswer, post};
use crate::support::message::{self, run};
use crate::support::parties::Poll;
use crate::support::server::Server;

const ADMIN: &str = "an admin's key of good length";
const RUNNER: &str = "a runner's key of good length";
const SUBMIT: &str = "a caller's key of good length";
const KEYS: [(&str, &str); 3] = [
    ("PILOTLIGHT_AUTH_ADMIN_KEYS", ADMIN),
    ("PILOTLIGHT_AUTH_RUNNER_KEYS", RUNNER),
    ("PILOTLIGHT_AUTH_SUBMIT_KEYS", SUBMIT),
];

/// What may be asked for, and a way to ask.
struct Endpoint {
    method: &'static str,
    path: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No credentials; never from a page.
    Protocol,
    /// Holds nothing of runs and runners.
    Shell,
    /// Tells.
    Look,
    /// Changes something.
    Change,
    /// For callers of jobs.
    Submit,
    /// For runners of jobs.
    Run,
    /// Tells of all jobs.
    AdminQuestion,
    /// Deletes jobs.
    AdminChange,
}

impl Kind {
    /// Whether it is for clients of jobs, each with its own key.
    const fn is_of_jobs(self) -> bool {
        match self {
            Self::Submit | Self::Run | Self::AdminQuestion | Self::AdminChange => true,
            Self::Protocol | Self::Shell | Self::Look | Self::Change => false,
        }
    }
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
    endpoint("GET", "/api/session", Kind::Shell),
    endpoint("DELETE", "/api/session", Kind::Shell),
    endpoint("GET", "/", Kind::Shell),
    endpoint("GET", "/assets/app.js", Kind::Shell),
    endpoint("GET", "/api/openapi.json", Kind::Shell),
    endpoint("GET", "/api/dashboard", Kind::Look),
    endpoint("GET", "/api/dashboard/events", Kind::Look),
    endpoint("GET", "/metrics", Kind::Look),
    endpoint("DELETE", "/api/dashboard", Kind::Change),
    endpoint("POST", "/api/admin/retire", Kind::Change),
    endpoint("POST", "/api/jobs/check", Kind::Submit),
    endpoint("POST", "/api/jobs/submit", Kind::Submit),
    endpoint("GET", NO_JOB, Kind::Submit),
    endpoint("POST", "/api/runner/register", Kind::Run),
    endpoint("GET", "/api/runner/verify", Kind::Run),
    endpoint("GET", "/api/runner/jobs/available", Kind::Run),
    endpoint("GET", "/api/admin/jobs", Kind::AdminQuestion),
    endpoint("GET", "/api/admin/runners", Kind::AdminQuestion),
    endpoint("GET", "/api/admin/stats", Kind::AdminQuestion),
    endpoint("DELETE", NO_JOB_OF_ADMINS, Kind::AdminChange),
    endpoint("POST", "/api/admin/jobs/batch-delete", Kind::AdminChange),
];

const NO_JOB: &str = "/api/jobs/0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";
const NO_JOB_OF_ADMINS: &str = "/api/admin/jobs/0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

impl Endpoint {
    /// The status for who may.
    fn answered(&self) -> u16 {
        match self.path {
            "/api/jobs/submit" | "/api/runner/register" => 201,
            NO_JOB | NO_JOB_OF_ADMINS | "/api/runner/verify" => 404,
            _ => 200,
        }
    }

    /// The status of asking with these headers, each line with its end.
    fn ask(&self, at: SocketAddr, headers: &str) -> u16 {
        self.answer(at, headers).status
    }

    fn answer(&self, at: SocketAddr, headers: &str) -> Answer {
        let Self { method, path, kind: _ } = self;
        let body = match *path {
            "/warm-start" | "/api/warm-start" => message::offer(&run("run_nobody_waits_for")),
            "/api/admin/retire" => json!({ "runner": "nobody" }).to_string(),
            "/api/jobs/check" => json!({ "job_type": "any", "input_params": {} }).to_string(),
            "/api/jobs/submit" => json!({ "job_type": "any", "input_params": {}, "fresh": true }).to_string(),
            "/api/runner/register" => json!({ "name": "any", "capabilities": ["any"] }).to_string(),
            "/api/admin/jobs/batch-delete" => json!({ "job_ids": [NO_JOB] }).to_string(),
            _ => String::new(),
        };
        let host = if headers.contains("host:") { "" } else { "host: localhost\r\n" };
        let length =
            if *method == "POST" { format!("content-length: {}\r\n", body.len()) } else { String::new() };
        let mut connection = Connection::open(at);
        let runner = if self.kind == Kind::Run { "x-runner-id: any\r\n" } else { "" };
        connection.send(format!("{method} {path} HTTP/1.1\r\n{host}{runner}{headers}{length}\r\n{body}"));
        // What is streamed has no length.
        let answer = match *path {
            "/api/dashboard/events" => connection.answer_without_body(),
            _ => connection.answer(),
        };
        answer.unwrap_or_else(|none| panic!("no answer to {method} {path} ({headers:?}): {none:?}"))
    }
}

/// An address of this machine that is not loopback's, when it has one.
fn outer_address(server: &Server) -> Option<SocketAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: the kernel only says from where it would be.
    socket.connect("192.0.2.1:9").ok()?;
    let address = socket.local_addr().ok()?.ip();
    (!address.is_loopback()).then(|| SocketAddr::new(address, server.address().port()))
}

fn bearer(key: &str) -> String {
    format!("authorization: Bearer {key}\r\n")
}

#[test]
fn without_keys_everything_but_the_protocol_is_for_this_machine() {
    let server = Server::with(&[("HOST", "0.0.0.0")]).reached_at([127, 0, 0, 1].into());
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
        assert_eq!(endpoint.ask(at, ""), endpoint.answered(), "{name}");
        for headers in foreign {
            let is_from_page = headers.starts_with("origin");
            let is_own_page = headers == "origin: http://localhost\r\n";
            let expected = match endpoint.kind {
                Kind::Protocol if !is_from_page => 200,
                Kind::Shell if is_own_page => 200,
                Kind::Protocol | Kind::Shell | Kind::Look | Kind::Change => 403,
                Kind::Submit | Kind::Run | Kind::AdminQuestion | Kind::AdminChange => 403,
            };
            assert_eq!(endpoint.ask(at, headers), expected, "{name} with {headers}");
        }
        if let Some(outer) = outer_address(&server) {
            let expected = if endpoint.kind == Kind::Protocol { 200 } else { 403 };
            assert_eq!(endpoint.ask(outer, ""), expected, "{name} from another address");
        }
    }
}

#[test]
fn with_keys_each_scope_opens_what_is_its_own() {
    let server =
        Server::with(&[&KEYS[..], &[("HOST", "0.0.0.0")]].concat()).reached_at([127, 0, 0, 1].into());
    let addresses: Vec<_> = [Some(server.address()), outer_address(&server)].into_iter().flatten().collect();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| !endpoint.kind.is_of_jobs()) {
        let name = format!("{} {}", endpoint.method, endpoint.path);
        for at in &addresses {
            let is_open = matches!(endpoint.kind, Kind::Protocol | Kind::Shell);
            for (headers, expected) in [
                (String::new(), 401),
                (bearer("nobody's key"), 401),
                (bearer(&format!("{ADMIN}x")), 401),
                (format!("authorization: Basic {ADMIN}\r\n"), 401),
                (bearer(RUNNER), 403),
                (bearer(SUBMIT), 403),
                (bearer(ADMIN), 200),
                (bearer(ADMIN) + "x-forwarded-for: 198.51.100.7\r\nhost: pilotlight.example\r\n", 200),
                (bearer(ADMIN) + "origin: http://page.example\r\n", 403),
            ] {
                let from_page = headers.contains("origin");
                let expected = if is_open && !from_page { 200 } else { expected };
                assert_eq!(endpoint.ask(*at, &headers), expected, "{name} at {at} with {headers}");
            }
        }
    }
    assert!(!server.log().contains(ADMIN), "a key is in the log");
}

#[test]
fn with_keys_each_client_of_jobs_shows_its_own_from_wherever_it_is() {
    let server =
        Server::with(&[&KEYS[..], &[("HOST", "0.0.0.0")]].concat()).reached_at([127, 0, 0, 1].into());
    let addresses: Vec<_> = [Some(server.address()), outer_address(&server)].into_iter().flatten().collect();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.kind.is_of_jobs()) {
        for at in &addresses {
            for key in [ADMIN, RUNNER, SUBMIT, "nobody's key"] {
                let may = match endpoint.kind {
                    Kind::Submit => key == SUBMIT,
                    Kind::Run => key == RUNNER,
                    Kind::AdminQuestion => key == ADMIN || key == RUNNER,
                    Kind::AdminChange => key == ADMIN,
                    Kind::Protocol | Kind::Shell | Kind::Look | Kind::Change => false,
                };
                let expected = if may { endpoint.answered() } else { 401 };
                for also in ["", "origin: http://page.example\r\n", "x-forwarded-for: 198.51.100.7\r\n"] {
                    let answer = endpoint.answer(*at, &(bearer(key) + also));
                    let name = format!("{} {} with {key} {also}", endpoint.method, endpoint.path);
                    assert_eq!(answer.status, expected, "{name}");
                    assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{name}");
                    if !may {
                        assert!(answer.json()["error"].is_string(), "{name}");
                    }
                }
            }
            for headers in [String::new(), format!("authorization: Basic {ADMIN}\r\n")] {
                assert_eq!(endpoint.ask(*at, &headers), 401, "{} with {headers}", endpoint.path);
            }
        }
    }
}

#[test]
fn a_scope_without_a_key_is_closed_once_another_has_one() {
    let server = Server::with(&[("SUBMIT_API_KEY", SUBMIT)]);
    for endpoint in ENDPOINTS {
        let expected = match endpoint.kind {
            Kind::Run | Kind::AdminQuestion | Kind::AdminChange => 401,
            Kind::Submit | Kind::Protocol | Kind::Shell | Kind::Look | Kind::Change => endpoint.answered(),
        };
        assert_eq!(endpoint.ask(server.address(), &bearer(SUBMIT)), expected, "{}", endpoint.path);
    }
    let closed = endpoint("GET", "/api/admin/stats", Kind::AdminQuestion).answer(server.address(), "");
    assert!(
        closed.json()["error"].as_str().is_some_and(|text| text.contains("auth.admin_keys")),
        "{closed:?}"
    );
}

#[test]
fn an_operators_session_submits_and_deletes_jobs_by_its_token_and_never_executes_them() {
    let server = Server::with(&KEYS);
    let (cookie, csrf) = signed_in(&server);
    let token = format!("x-csrf-token: {csrf}\r\n");
    for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.kind.is_of_jobs()) {
        let (by_cookie, by_token) = match endpoint.kind {
            Kind::Run => (401, 401),
            Kind::AdminQuestion => (endpoint.answered(), endpoint.answered()),
            Kind::Submit | Kind::AdminChange => (403, endpoint.answered()),
            Kind::Protocol | Kind::Shell | Kind::Look | Kind::Change => continue,
        };
        let page = format!("{cookie}{token}origin: http://page.example\r\n");
        let own = format!("{cookie}{token}origin: http://localhost\r\n");
        for (headers, expected) in [(cookie.clone(), by_cookie), (own, by_token), (page, 401)] {
            assert_eq!(endpoint.ask(server.address(), &headers), expected, "{} {headers}", endpoint.path);
        }
    }
}

/// Signs in; the lines that show the session, and its token.
fn signed_in(server: &Server) -> (String, String) {
    let mut connection = server.connect();
    let answer = connection.post("/api/session", json!({ "key": ADMIN }).to_string());
    session_of(&answer)
}

fn session_of(answer: &Answer) -> (String, String) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let cookie = answer.header("set-cookie").expect("a cookie").to_owned();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    let pair = cookie.split(';').next().expect("the pair comes first").to_owned();
    let csrf = answer.json()["csrf"].as_str().expect("a token").to_owned();
    (format!("cookie: {pair}\r\n"), csrf)
}

#[test]
fn a_session_reads_by_its_cookie_and_changes_by_its_token() {
    let server = Server::with(&KEYS);
    let asked: Value = server.connect().get("/api/session").json();
    assert_eq!(asked, json!({ "key": "needed", "signedIn": false, "csrf": null }));
    for key in ["wrong", RUNNER, SUBMIT, ""] {
        let answer = server.connect().post("/api/session", json!({ "key": key }).to_string());
        assert_eq!((answer.status, answer.header("set-cookie")), (401, None), "{key}");
    }
    let (cookie, csrf) = signed_in(&server);
    let token = format!("x-csrf-token: {csrf}\r\n");
    let own = "origin: http://localhost\r\n";
    let at = server.address();
    for endpoint in ENDPOINTS.iter().filter(|endpoint| matches!(endpoint.kind, Kind::Look | Kind::Change)) {
        let reads = if endpoint.kind == Kind::Change { 403 } else { 200 };
        for (headers, expected) in [
            (cookie.clone(), reads),
            (format!("{cookie}{token}"), 200),
            (format!("{cookie}{token}{own}"), 200),
            (format!("{cookie}{own}"), 403),
            (format!("{cookie}x-csrf-token: wrong\r\n{own}"), 403),
            (format!("{cookie}{token}origin: http://page.example\r\n"), 403),
            (token.clone(), 401),
            (format!("cookie: pilotlight_session=wrong\r\n{token}"), 401),
        ] {
            assert_eq!(endpoint.ask(at, &headers), expected, "{} with {headers}", endpoint.path);
        }
    }
    let sign_out = endpoint("DELETE", "/api/session", Kind::Shell);
    assert_eq!(sign_out.ask(at, &cookie), 200);
    assert_eq!(endpoint("GET", "/api/dashboard", Kind::Look).ask(at, &cookie), 401);
}

#[test]
fn without_keys_the_own_page_changes_things_by_its_token() {
    let server = Server::start();
    let answer = server.connect().get("/api/session");
    assert_eq!(answer.json()["key"], "not-needed");
    let (cookie, csrf) = session_of(&answer);
    let clear = endpoint("DELETE", "/api/dashboard", Kind::Change);
    let own = "origin: http://localhost\r\n";
    assert_eq!(clear.ask(server.address(), &format!("{cookie}x-csrf-token: {csrf}\r\n{own}")), 200);
    assert_eq!(clear.ask(server.address(), &format!("{cookie}{own}")), 403);
}

#[test]
fn the_protocol_is_for_allowed_networks_behind_trusted_proxies_too() {
    let settings =
        [("PILOTLIGHT_SERVER_ALLOW", "10.1.0.0/16"), ("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "127.0.0.1")];
    let server = Server::with(&settings);
    for (client, may) in [("10.1.2.3", true), ("10.2.0.1", false), ("10.1.2.3, 10.2.0.1", false)] {
        let headers = format!("x-forwarded-for: {client}\r\n");
        for endpoint in ENDPOINTS.iter().filter(|endpoint| endpoint.kind == Kind::Protocol) {
            let expected = if may { 200 } else { 403 };
            assert_eq!(endpoint.ask(server.address(), &headers), expected, "{client} {}", endpoint.path);
        }
        // A poll that may not wait is closed without a byte.
        let mut poll =
            Poll::by("runner").with(&format!("x-forwarded-for: {client}")).send_to(server.address());
        if may {
            server.wait_for_waiting(1);
        } else {
            assert_eq!(poll.answer(), Err(NoAnswer::Closed), "{client}");
        }
        drop(poll);
        server.wait_for_waiting(0);
    }
}

/// Whether every listener answers it, whatever it is for.
fn is_everywhere(endpoint: &Endpoint) -> bool {
    endpoint.path.ends_with("health") || endpoint.path.ends_with("openapi.json")
}

#[test]
fn operators_can_have_an_address_of_their_own_and_parts_can_be_left_out() {
    let server = Server::with(&[("PILOTLIGHT_SERVER_CONTROL", "127.0.0.1:0")]);
    let control = server.control_address();
    for endpoint in ENDPOINTS {
        let is_everywhere = is_everywhere(endpoint);
        let is_for_clients = matches!(endpoint.kind, Kind::Protocol | Kind::Submit | Kind::Run);
        let here = if is_for_clients || is_everywhere { endpoint.answered() } else { 404 };
        let there = if is_for_clients && !is_everywhere { 404 } else { endpoint.answered() };
        assert_eq!(endpoint.ask(server.address(), ""), here, "main {}", endpoint.path);
        assert_eq!(endpoint.ask(control, ""), there, "control {}", endpoint.path);
    }
    for only in ["warm-start", "jobs", "dashboard"] {
        let server = Server::serving(&["--only", only], &[]);
        for endpoint in ENDPOINTS {
            let part = match endpoint.kind {
                _ if is_everywhere(endpoint) => only,
                Kind::Protocol => "warm-start",
                Kind::Shell | Kind::Look | Kind::Change => "dashboard",
                Kind::Submit | Kind::Run | Kind::AdminQuestion | Kind::AdminChange => "jobs",
            };
            let expected = if part == only { endpoint.answered() } else { 404 };
            assert_eq!(endpoint.ask(server.address(), ""), expected, "--only {only} {}", endpoint.path);
        }
    }
}

#[test]
fn a_poll_from_a_page_is_told_that_it_must_not() {
    let server = Server::start();
    let mut poll = Poll::by("page").with("origin: http://page.example").send_to(server.address());
    assert_eq!(poll.answer().expect("an answer").status, 400);
    let mut supervisor = server.connect();
    let offer = String::from_utf8(post("/warm-start", message::offer(&run("run_1")))).expect("text");
    supervisor.send(offer.replacen("\r\n", "\r\norigin: http://page.example\r\n", 1));
    let answer = supervisor.answer().expect("an answer");
    assert_eq!((answer.status, &answer.json()["didWarmStart"]), (403, &json!(false)));
}

/// The value of `access-control-allow-origin`, and the status.
fn from_page(at: SocketAddr, method: &str, path: &str) -> (u16, Option<String>) {
    let mut connection = Connection::open(at);
    connection
        .send(format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\norigin: http://page.example\r\n\r\n"));
    let answer = connection.answer().expect("an answer");
    (answer.status, answer.header("access-control-allow-origin").map(str::to_owned))
}

#[test]
fn pages_of_others_may_call_the_jobs_paths_once_there_are_keys() {
    let any = || Some("*".to_owned());
    let with = Server::with(&[("SUBMIT_API_KEY", SUBMIT)]);
    for path in ["/api/jobs/submit", "/api/runner/register", "/api/admin/stats"] {
        assert_eq!(from_page(with.address(), "OPTIONS", path), (204, any()), "{path}");
        assert_eq!(from_page(with.address(), "PUT", path).1, any(), "{path}");
    }
    assert_eq!(from_page(with.address(), "GET", "/api/nothing"), (404, any()));
    assert_eq!(from_page(with.address(), "GET", "/api/dashboard"), (403, None));
    assert_eq!(from_page(with.address(), "GET", "/nothing"), (404, None));
    let without = Server::start();
    for method in ["OPTIONS", "GET"] {
        assert_eq!(from_page(without.address(), method, "/api/jobs/submit").1, None, "{method}");
    }
}
