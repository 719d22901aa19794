//! The permissions of jobs: every endpoint of callers, runners and operators is called by every kind of caller on every
//! listener.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{ADMIN, KEYS, RUNNER, SUBMIT, bearer, call_from_page, outer_address, signed_in};
use pilotlight_testkit::http::{Connection, Response};
use pilotlight_testkit::server::TestServer;

const ID: &str = "0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

/// An endpoint, a request to it, and the status of the response to an allowed caller.
struct Endpoint {
    method: &'static str,
    /// The path as in the OpenAPI document.
    path: &'static str,
    query: &'static str,
    body: &'static str,
    kind: Kind,
    allowed_status: u16,
}

/// The kind of callers that the endpoint is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Submit,
    SubmitRead,
    Run,
    AdminRead,
    AdminWrite,
}

impl Kind {
    /// The keys that allow the request.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Submit | Self::SubmitRead => &[SUBMIT],
            Self::Run => &[RUNNER],
            Self::AdminRead => &[ADMIN, RUNNER],
            Self::AdminWrite => &[ADMIN],
        }
    }

    const fn is_admin(self) -> bool {
        matches!(self, Self::AdminRead | Self::AdminWrite)
    }

    /// Whether the operators' own address serves the endpoint. The dashboard also submits and shows jobs.
    const fn is_on_control_address(self) -> bool {
        match self {
            Self::Submit | Self::SubmitRead | Self::AdminRead | Self::AdminWrite => true,
            Self::Run => false,
        }
    }
}

const fn get(path: &'static str, kind: Kind, allowed_status: u16) -> Endpoint {
    Endpoint { method: "GET", path, query: "", body: "", kind, allowed_status }
}

const fn post(path: &'static str, body: &'static str, kind: Kind, allowed_status: u16) -> Endpoint {
    Endpoint { method: "POST", body, ..get(path, kind, allowed_status) }
}

const VALID: &str = r#"{"job_type":"access","input_params":{}}"#;

/// All endpoints of jobs. None of these requests changes anything.
const ENDPOINTS: &[Endpoint] = &[
    post("/api/jobs/check", VALID, Kind::Submit, 200),
    post("/api/jobs/submit", "{}", Kind::Submit, 400),
    get("/api/jobs/{id}", Kind::SubmitRead, 404),
    get("/api/jobs/{id}/events", Kind::SubmitRead, 404),
    post("/api/jobs/{id}/cancel", "", Kind::Submit, 404),
    post("/api/runner/register", "{}", Kind::Run, 400),
    get("/api/runner/verify", Kind::Run, 404),
    get("/api/runner/jobs/available", Kind::Run, 200),
    Endpoint { query: "?types[]=access", ..get("/api/runner/jobs/next", Kind::Run, 204) },
    post("/api/runner/jobs/{id}/claim", "", Kind::Run, 409),
    post("/api/runner/jobs/{id}/start", r#"{"lease":1}"#, Kind::Run, 409),
    post("/api/runner/jobs/{id}/heartbeat", "{}", Kind::Run, 400),
    post("/api/runner/jobs/{id}/complete", r#"{"output_data":{}}"#, Kind::Run, 400),
    post("/api/runner/jobs/{id}/error", r#"{"error_message":"e"}"#, Kind::Run, 400),
    get("/api/admin/jobs", Kind::AdminRead, 200),
    get("/api/admin/jobs/{id}", Kind::AdminRead, 404),
    post("/api/admin/jobs/{id}/again", "", Kind::AdminWrite, 404),
    Endpoint { method: "DELETE", ..get("/api/admin/jobs/{id}", Kind::AdminWrite, 404) },
    post("/api/admin/jobs/batch-delete", "{}", Kind::AdminWrite, 400),
    get("/api/admin/runners", Kind::AdminRead, 200),
    get("/api/admin/runners/{id}", Kind::AdminRead, 404),
    get("/api/admin/stats", Kind::AdminRead, 200),
];

impl Endpoint {
    fn target(&self) -> String {
        self.path.replace("{id}", ID) + self.query
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// The response to a request with these header lines. Each line has its line break.
    fn answer(&self, at: SocketAddr, headers: &str) -> Response {
        let (method, body) = (self.method, self.body);
        let host = if headers.contains("host:") { "" } else { "host: localhost\r\n" };
        let length =
            if method == "POST" { format!("content-length: {}\r\n", body.len()) } else { String::new() };
        let mut connection = Connection::open(at);
        let target = self.target();
        connection.send(format!(
            "{method} {target} HTTP/1.1\r\n{host}x-runner-id: r\r\n{headers}{length}\r\n{body}"
        ));
        connection
            .response()
            .unwrap_or_else(|none| panic!("no answer to {} ({headers:?}): {none:?}", self.name()))
    }

    fn status(&self, at: SocketAddr, headers: &str) -> u16 {
        self.answer(at, headers).status
    }
}

/// A service that listens on all addresses; tests connect to a loopback address.
fn on_all_addresses(settings: &[(&str, &str)]) -> TestServer {
    TestServer::with(&[settings, &[("HOST", "0.0.0.0")]].concat()).at_address([127, 0, 0, 1].into())
}

#[test]
fn every_endpoint_of_the_openapi_document_is_tested_here() {
    let server = TestServer::start();
    let document = server.connect().get("/api/openapi.json").json();
    let paths = document["paths"].as_object().expect("an object");
    let documented: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("an object").keys();
            methods.map(move |method| format!("{} {path}", method.to_ascii_uppercase()))
        })
        .collect();
    let tested: BTreeSet<_> = ENDPOINTS.iter().map(Endpoint::name).collect();
    assert_eq!(documented, tested);
}

#[test]
fn without_keys_jobs_are_open_to_this_machine_only() {
    let server = on_all_addresses(&[]);
    let at = server.address();
    for endpoint in ENDPOINTS {
        let name = endpoint.name();
        let answer = endpoint.answer(at, "");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (endpoint.allowed_status, None),
            "{name}"
        );
        // A key changes nothing when no key is configured.
        assert_eq!(endpoint.status(at, &bearer("any")), endpoint.allowed_status, "{name}");
        for headers in [
            "origin: http://page.example\r\n",
            "origin: null\r\n",
            "origin: http://localhost\r\n",
            "sec-fetch-site: cross-site\r\n",
            "host: pilotlight.example\r\n",
            "host: localhost.example\r\n",
            "x-forwarded-for: 127.0.0.1\r\n",
            "x-forwarded-proto: https\r\n",
            "forwarded: for=127.0.0.1\r\n",
        ] {
            let answer = endpoint.answer(at, headers);
            assert_eq!(answer.status, 403, "{name} with {headers}");
            assert!(!answer.error_text().is_empty());
        }
        if let Some(outer) = outer_address(&server) {
            assert_eq!(endpoint.status(outer, ""), 403, "{name} from another address");
            assert_eq!(endpoint.status(outer, &bearer("any")), 403, "{name} from another address");
        }
    }
}

#[test]
fn with_keys_each_scope_opens_its_own_endpoints_from_all_addresses() {
    let server = on_all_addresses(&KEYS);
    let addresses: Vec<_> = [Some(server.address()), outer_address(&server)].into_iter().flatten().collect();
    for (endpoint, at) in
        ENDPOINTS.iter().flat_map(|endpoint| addresses.iter().map(move |at| (endpoint, *at)))
    {
        let refused = [
            String::new(),
            bearer("unknown key"),
            bearer(&format!("{}x", endpoint.kind.keys()[0])),
            bearer(&endpoint.kind.keys()[0][1..]),
            format!("authorization: Basic {}\r\n", endpoint.kind.keys()[0]),
            format!("authorization: {}\r\n", endpoint.kind.keys()[0]),
            format!("x-api-key: {}\r\n", endpoint.kind.keys()[0]),
        ];
        let wrong = [ADMIN, RUNNER, SUBMIT].into_iter().filter(|key| !endpoint.kind.keys().contains(key));
        for headers in refused.into_iter().chain(wrong.map(bearer)) {
            let answer = endpoint.answer(at, &headers);
            let actual = (answer.status, answer.header("access-control-allow-origin"));
            assert_eq!(actual, (401, Some("*")), "{} at {at} with {headers}", endpoint.name());
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
            assert!(!answer.error_text().is_empty());
        }
        for key in endpoint.kind.keys() {
            for more in [
                "",
                "x-forwarded-for: 198.51.100.7\r\nhost: pilotlight.example\r\n",
                "origin: http://page.example\r\n",
                "origin: http://page.example\r\nsec-fetch-site: cross-site\r\n",
            ] {
                let answer = endpoint.answer(at, &(bearer(key) + more));
                let actual = (answer.status, answer.header("access-control-allow-origin"));
                assert_eq!(
                    actual,
                    (endpoint.allowed_status, Some("*")),
                    "{} at {at} with {more}",
                    endpoint.name()
                );
            }
        }
    }
    let log = server.log();
    assert!([ADMIN, RUNNER, SUBMIT].iter().all(|key| !log.contains(key)), "a key is in the log");
}

#[test]
fn with_keys_for_one_scope_the_others_are_closed_and_name_the_setting() {
    for (setting, key) in KEYS {
        let server = TestServer::with(&[(setting, key)]);
        for endpoint in ENDPOINTS {
            let is_open = endpoint.kind.keys().contains(&key);
            let expected = if is_open { endpoint.allowed_status } else { 401 };
            assert_eq!(
                endpoint.status(server.address(), &bearer(key)),
                expected,
                "{setting}: {}",
                endpoint.name()
            );
            let without = endpoint.answer(server.address(), "");
            assert_eq!(without.status, 401, "{setting}: {}", endpoint.name());
            assert!(is_open || without.error_text().contains("auth."), "{}", without.text());
        }
    }
}

#[test]
fn an_operators_session_submits_and_administers_and_never_executes() {
    let server = TestServer::with(&KEYS);
    let (cookie, csrf) = signed_in(&server);
    let token = format!("{cookie}x-csrf-token: {csrf}\r\n");
    for endpoint in ENDPOINTS {
        let (with_cookie, with_token) = match endpoint.kind {
            Kind::Run => (401, 401),
            Kind::SubmitRead | Kind::AdminRead => (endpoint.allowed_status, endpoint.allowed_status),
            Kind::Submit | Kind::AdminWrite => (403, endpoint.allowed_status),
        };
        let own_origin = "origin: http://localhost\r\n";
        let without_token = if endpoint.kind == Kind::Run { 401 } else { 403 };
        for (headers, expected) in [
            (cookie.clone(), with_cookie),
            (token.clone(), with_token),
            (format!("{token}{own_origin}"), with_token),
            (format!("{cookie}{own_origin}"), without_token),
            (format!("{token}origin: http://page.example\r\n"), 401),
            (format!("{token}sec-fetch-site: same-site\r\n"), 401),
            (format!("cookie: pilotlight_session=wrong\r\nx-csrf-token: {csrf}\r\n"), 401),
        ] {
            assert_eq!(
                endpoint.status(server.address(), &headers),
                expected,
                "{} with {headers}",
                endpoint.name()
            );
        }
    }
}

#[test]
fn the_operators_address_serves_the_endpoints_of_operators_only() {
    for keys in [&[][..], &KEYS[..]] {
        let server = TestServer::with(&[keys, &[("PILOTLIGHT_SERVER_CONTROL", "127.0.0.1:0")]].concat());
        let control = server.control_address();
        for endpoint in ENDPOINTS {
            let key = if keys.is_empty() { String::new() } else { bearer(endpoint.kind.keys()[0]) };
            let main_and_control = |status| {
                let (is_admin, is_on_control) =
                    (endpoint.kind.is_admin(), endpoint.kind.is_on_control_address());
                (if is_admin { 404 } else { status }, if is_on_control { status } else { 404 })
            };
            let (main_status, control_status) = main_and_control(endpoint.allowed_status);
            assert_eq!(endpoint.status(server.address(), &key), main_status, "main {}", endpoint.name());
            assert_eq!(endpoint.status(control, &key), control_status, "control {}", endpoint.name());
            if !keys.is_empty() {
                let (main_status, control_status) = main_and_control(401);
                assert_eq!(endpoint.status(server.address(), ""), main_status, "main {}", endpoint.name());
                assert_eq!(endpoint.status(control, ""), control_status, "control {}", endpoint.name());
            }
        }
    }
    for (only, serves_jobs) in [("warm-start", false), ("dashboard", false), ("jobs", true)] {
        let server = TestServer::with_arguments(&["--only", only], &[]);
        for endpoint in ENDPOINTS {
            let answer = endpoint.answer(server.address(), "");
            if serves_jobs {
                assert_eq!(answer.status, endpoint.allowed_status, "--only {only} {}", endpoint.name());
            } else {
                assert_eq!(answer.status, 404, "--only {only} {}", endpoint.name());
                assert!(answer.error_text().contains("no such path"));
            }
        }
    }
}

#[test]
fn every_path_of_jobs_answers_preflight_requests_only_with_keys() {
    let with_keys = TestServer::with(&KEYS);
    let without_keys = TestServer::start();
    for endpoint in ENDPOINTS {
        let (target, name) = (endpoint.target(), endpoint.name());
        for headers in [
            "origin: http://page.example\r\naccess-control-request-method: POST\r\n",
            "origin: null\r\naccess-control-request-headers: authorization,x-runner-id\r\n",
            "",
        ] {
            let preflight = |server: &TestServer| {
                let mut connection = server.connect();
                connection.send(format!("OPTIONS {target} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
                connection.response().expect("an answer")
            };
            let answer = preflight(&with_keys);
            assert_eq!(answer.status, 204, "{name}");
            for (header, value) in [
                ("access-control-allow-origin", "*"),
                ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
                ("access-control-allow-headers", "Content-Type, Authorization, X-Runner-ID"),
            ] {
                assert_eq!(answer.header(header), Some(value), "{name}");
            }
            assert_eq!(
                answer.header("access-control-allow-credentials"),
                None,
                "other pages must not send cookies"
            );
            let answer = preflight(&without_keys);
            assert_ne!(answer.status, 204, "{name}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{name}");
        }
        // Responses about unknown methods and paths are readable by web pages too.
        let any = Some("*".to_owned());
        assert_eq!(call_from_page(with_keys.address(), "PUT", &target), (405, any.clone()), "{name}");
        assert_eq!(
            call_from_page(with_keys.address(), "GET", &format!("/api/nothing{target}")),
            (404, any.clone()),
            "{name}"
        );
        assert_eq!(
            call_from_page(with_keys.address(), "GET", &format!("{}/no", endpoint.target())).1,
            any,
            "{name}"
        );
    }
}
