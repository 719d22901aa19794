//! The same for jobs: every endpoint of callers, runners and operators, asked by every kind of caller on every listener.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::{ADMIN, KEYS, RUNNER, SUBMIT, bearer, from_page, outer_address, signed_in};
use pilotlight_testkit::http::{Connection, Response};
use pilotlight_testkit::server::TestServer;

const ID: &str = "0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

/// What may be asked for, a way to ask, and what is answered to whoever is let in.
struct Endpoint {
    method: &'static str,
    /// As the document spells it.
    path: &'static str,
    query: &'static str,
    body: &'static str,
    kind: Kind,
    let_in: u16,
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Submit,
    SubmitQuestion,
    Run,
    AdminQuestion,
    AdminChange,
}

impl Kind {
    /// The keys that open it.
    const fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Submit | Self::SubmitQuestion => &[SUBMIT],
            Self::Run => &[RUNNER],
            Self::AdminQuestion => &[ADMIN, RUNNER],
            Self::AdminChange => &[ADMIN],
        }
    }

    const fn is_admin(self) -> bool {
        matches!(self, Self::AdminQuestion | Self::AdminChange)
    }

    /// Whether it is there at the operators' own address. Their page submits and watches jobs.
    const fn is_for_operators(self) -> bool {
        match self {
            Self::Submit | Self::SubmitQuestion | Self::AdminQuestion | Self::AdminChange => true,
            Self::Run => false,
        }
    }
}

const fn get(path: &'static str, kind: Kind, let_in: u16) -> Endpoint {
    Endpoint { method: "GET", path, query: "", body: "", kind, let_in }
}

const fn post(path: &'static str, body: &'static str, kind: Kind, let_in: u16) -> Endpoint {
    Endpoint { method: "POST", body, ..get(path, kind, let_in) }
}

const VALID: &str = r#"{"job_type":"access","input_params":{}}"#;

/// Nothing of this changes anything.
const ENDPOINTS: &[Endpoint] = &[
    post("/api/jobs/check", VALID, Kind::Submit, 200),
    post("/api/jobs/submit", "{}", Kind::Submit, 400),
    get("/api/jobs/{id}", Kind::SubmitQuestion, 404),
    get("/api/jobs/{id}/events", Kind::SubmitQuestion, 404),
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
    get("/api/admin/jobs", Kind::AdminQuestion, 200),
    get("/api/admin/jobs/{id}", Kind::AdminQuestion, 404),
    post("/api/admin/jobs/{id}/again", "", Kind::AdminChange, 404),
    Endpoint { method: "DELETE", ..get("/api/admin/jobs/{id}", Kind::AdminChange, 404) },
    post("/api/admin/jobs/batch-delete", "{}", Kind::AdminChange, 400),
    get("/api/admin/runners", Kind::AdminQuestion, 200),
    get("/api/admin/runners/{id}", Kind::AdminQuestion, 404),
    get("/api/admin/stats", Kind::AdminQuestion, 200),
];

impl Endpoint {
    fn target(&self) -> String {
        self.path.replace("{id}", ID) + self.query
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// What is answered to these headers, each line with its end.
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

    fn ask(&self, at: SocketAddr, headers: &str) -> u16 {
        self.answer(at, headers).status
    }
}

/// On every address, reached at loopback's.
fn everywhere(settings: &[(&str, &str)]) -> TestServer {
    TestServer::with(&[settings, &[("HOST", "0.0.0.0")]].concat()).at_address([127, 0, 0, 1].into())
}

#[test]
fn every_endpoint_of_the_openapi_document_is_tested_here() {
    let server = TestServer::start();
    let document = server.connect().get("/api/openapi.json").json();
    let paths = document["paths"].as_object().expect("an object");
    let named: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().expect("an object").keys();
            methods.map(move |method| format!("{} {path}", method.to_ascii_uppercase()))
        })
        .collect();
    let walked: BTreeSet<_> = ENDPOINTS.iter().map(Endpoint::name).collect();
    assert_eq!(named, walked);
}

#[test]
fn without_keys_jobs_are_for_this_machine() {
    let server = everywhere(&[]);
    let at = server.address();
    for endpoint in ENDPOINTS {
        let name = endpoint.name();
        let answer = endpoint.answer(at, "");
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (endpoint.let_in, None),
            "{name}"
        );
        // A key that nobody configured changes nothing.
        assert_eq!(endpoint.ask(at, &bearer("any")), endpoint.let_in, "{name}");
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
            assert_eq!(endpoint.ask(outer, ""), 403, "{name} from another address");
            assert_eq!(endpoint.ask(outer, &bearer("any")), 403, "{name} from another address");
        }
    }
}

#[test]
fn with_keys_each_scope_opens_what_is_its_own_from_everywhere() {
    let server = everywhere(&KEYS);
    let addresses: Vec<_> = [Some(server.address()), outer_address(&server)].into_iter().flatten().collect();
    for (endpoint, at) in
        ENDPOINTS.iter().flat_map(|endpoint| addresses.iter().map(move |at| (endpoint, *at)))
    {
        let refused = [
            String::new(),
            bearer("nobody's key"),
            bearer(&format!("{}x", endpoint.kind.keys()[0])),
            bearer(&endpoint.kind.keys()[0][1..]),
            format!("authorization: Basic {}\r\n", endpoint.kind.keys()[0]),
            format!("authorization: {}\r\n", endpoint.kind.keys()[0]),
            format!("x-api-key: {}\r\n", endpoint.kind.keys()[0]),
        ];
        let wrong = [ADMIN, RUNNER, SUBMIT].into_iter().filter(|key| !endpoint.kind.keys().contains(key));
        for headers in refused.into_iter().chain(wrong.map(bearer)) {
            let answer = endpoint.answer(at, &headers);
            let told = (answer.status, answer.header("access-control-allow-origin"));
            assert_eq!(told, (401, Some("*")), "{} at {at} with {headers}", endpoint.name());
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
                let told = (answer.status, answer.header("access-control-allow-origin"));
                assert_eq!(told, (endpoint.let_in, Some("*")), "{} at {at} with {more}", endpoint.name());
            }
        }
    }
    let log = server.log();
    assert!([ADMIN, RUNNER, SUBMIT].iter().all(|key| !log.contains(key)), "a key is in the log");
}

#[test]
fn with_keys_for_one_scope_the_others_are_closed_and_say_what_to_set() {
    for (setting, key) in KEYS {
        let server = TestServer::with(&[(setting, key)]);
        for endpoint in ENDPOINTS {
            let is_open = endpoint.kind.keys().contains(&key);
            let expected = if is_open { endpoint.let_in } else { 401 };
            assert_eq!(
                endpoint.ask(server.address(), &bearer(key)),
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
        let (by_cookie, by_token) = match endpoint.kind {
            Kind::Run => (401, 401),
            Kind::SubmitQuestion | Kind::AdminQuestion => (endpoint.let_in, endpoint.let_in),
            Kind::Submit | Kind::AdminChange => (403, endpoint.let_in),
        };
        let own = "origin: http://localhost\r\n";
        let by_own_without = if endpoint.kind == Kind::Run { 401 } else { 403 };
        for (headers, expected) in [
            (cookie.clone(), by_cookie),
            (token.clone(), by_token),
            (format!("{token}{own}"), by_token),
            (format!("{cookie}{own}"), by_own_without),
            (format!("{token}origin: http://page.example\r\n"), 401),
            (format!("{token}sec-fetch-site: same-site\r\n"), 401),
            (format!("cookie: pilotlight_session=wrong\r\nx-csrf-token: {csrf}\r\n"), 401),
        ] {
            assert_eq!(
                endpoint.ask(server.address(), &headers),
                expected,
                "{} with {headers}",
                endpoint.name()
            );
        }
    }
}

#[test]
fn operators_ask_about_jobs_at_their_own_address_and_nobody_else_does() {
    for keys in [&[][..], &KEYS[..]] {
        let server = TestServer::with(&[keys, &[("PILOTLIGHT_SERVER_CONTROL", "127.0.0.1:0")]].concat());
        let control = server.control_address();
        for endpoint in ENDPOINTS {
            let key = if keys.is_empty() { String::new() } else { bearer(endpoint.kind.keys()[0]) };
            let here_or_there = |answer| {
                let (is_admin, is_there) = (endpoint.kind.is_admin(), endpoint.kind.is_for_operators());
                (if is_admin { 404 } else { answer }, if is_there { answer } else { 404 })
            };
            let (here, there) = here_or_there(endpoint.let_in);
            assert_eq!(endpoint.ask(server.address(), &key), here, "main {}", endpoint.name());
            assert_eq!(endpoint.ask(control, &key), there, "control {}", endpoint.name());
            if !keys.is_empty() {
                let (here, there) = here_or_there(401);
                assert_eq!(endpoint.ask(server.address(), ""), here, "main {}", endpoint.name());
                assert_eq!(endpoint.ask(control, ""), there, "control {}", endpoint.name());
            }
        }
    }
    for (only, are_there) in [("warm-start", false), ("dashboard", false), ("jobs", true)] {
        let server = TestServer::with_arguments(&["--only", only], &[]);
        for endpoint in ENDPOINTS {
            let answer = endpoint.answer(server.address(), "");
            if are_there {
                assert_eq!(answer.status, endpoint.let_in, "--only {only} {}", endpoint.name());
            } else {
                assert_eq!(answer.status, 404, "--only {only} {}", endpoint.name());
                assert!(answer.error_text().contains("no such path"));
            }
        }
    }
}

#[test]
fn every_path_of_jobs_answers_what_browsers_ask_before_and_only_with_keys() {
    let with = TestServer::with(&KEYS);
    let without = TestServer::start();
    for endpoint in ENDPOINTS {
        let (target, name) = (endpoint.target(), endpoint.name());
        for headers in [
            "origin: http://page.example\r\naccess-control-request-method: POST\r\n",
            "origin: null\r\naccess-control-request-headers: authorization,x-runner-id\r\n",
            "",
        ] {
            let ask = |server: &TestServer| {
                let mut connection = server.connect();
                connection.send(format!("OPTIONS {target} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
                connection.response().expect("an answer")
            };
            let answer = ask(&with);
            assert_eq!(answer.status, 204, "{name}");
            for (header, value) in [
                ("access-control-allow-origin", "*"),
                ("access-control-allow-methods", "GET, POST, DELETE, OPTIONS"),
                ("access-control-allow-headers", "Content-Type, Authorization, X-Runner-ID"),
            ] {
                assert_eq!(answer.header(header), Some(value), "{name}");
            }
            assert_eq!(answer.header("access-control-allow-credentials"), None, "cookies stay at home");
            let answer = ask(&without);
            assert_ne!(answer.status, 204, "{name}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{name}");
        }
        // Methods and paths that are none are told so to pages too.
        let any = Some("*".to_owned());
        assert_eq!(from_page(with.address(), "PUT", &target), (405, any.clone()), "{name}");
        assert_eq!(
            from_page(with.address(), "GET", &format!("/api/nothing{target}")),
            (404, any.clone()),
            "{name}"
        );
        assert_eq!(from_page(with.address(), "GET", &format!("{}/no", endpoint.target())).1, any, "{name}");
    }
}
