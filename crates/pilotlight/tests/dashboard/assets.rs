//! The files of the dashboard: they use no other host and no inline script, and are sent compressed and only when they
//! changed.

use std::process::Command;

use pilotlight_testkit::http::Response;
use pilotlight_testkit::need;
use pilotlight_testkit::server::TestServer;

fn get(server: &TestServer, path: &str, headers: &str) -> Response {
    let mut connection = server.connect();
    connection.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n"));
    connection.response().expect("an answer")
}

const FILES: &[(&str, &str)] = &[
    ("/", "text/html; charset=utf-8"),
    ("/assets/app.js", "text/javascript; charset=utf-8"),
    ("/assets/app.css", "text/css; charset=utf-8"),
    ("/assets/licences.txt", "text/plain; charset=utf-8"),
];

#[test]
fn every_file_has_its_type_and_a_content_security_policy() {
    let server = TestServer::start();
    for (path, content_type) in FILES {
        let file = get(&server, path, "");
        assert_eq!(file.status, 200, "{path}");
        assert_eq!(file.header("content-type"), Some(*content_type));
        assert_eq!(
            file.header("content-security-policy"),
            Some(
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            )
        );
        assert_eq!(file.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(file.header("referrer-policy"), Some("same-origin"));
    }
}

#[test]
fn an_unchanged_file_is_not_sent_again() {
    let server = TestServer::start();
    for (path, _) in FILES {
        let tag = get(&server, path, "").header("etag").expect("a tag").to_owned();
        for tags in [tag.clone(), format!("\"other\", W/{tag}")] {
            let again = get(&server, path, &format!("if-none-match: {tags}\r\n"));
            assert_eq!((again.status, again.body.len()), (304, 0), "{path}");
            assert_eq!(again.header("etag"), Some(tag.as_str()));
        }
        assert_eq!(get(&server, path, "if-none-match: \"other\"\r\n").status, 200);
    }
}

#[test]
fn a_file_is_sent_in_the_smallest_accepted_encoding() {
    let server = TestServer::start();
    let whole = get(&server, "/assets/app.js", "");
    assert_eq!((whole.header("content-encoding"), whole.header("vary")), (None, Some("accept-encoding")));
    let mut tags = vec![whole.header("etag").map(str::to_owned)];
    for (accepts, encoding) in [("gzip, deflate, br, zstd", "br"), ("gzip", "gzip"), ("br;q=0, gzip", "gzip")]
    {
        let compressed = get(&server, "/assets/app.js", &format!("accept-encoding: {accepts}\r\n"));
        assert_eq!(compressed.header("content-encoding"), Some(encoding), "{accepts}");
        assert_eq!(compressed.header("content-type"), whole.header("content-type"));
        assert!(compressed.body.len() * 2 < whole.body.len(), "{accepts}: {} bytes", compressed.body.len());
        tags.push(compressed.header("etag").map(str::to_owned));
    }
    tags.dedup();
    assert_eq!(tags.len(), 3, "each encoding has its own tag: {tags:?}");
}

#[test]
fn only_files_of_the_page_are_served() {
    let server = TestServer::start();
    for name in ["app.js.br", "app.css.gz", "app", "..%2fCargo.toml", "../Cargo.toml", "%00.js", "nothing.js"]
    {
        let answer = get(&server, &format!("/assets/{name}"), "accept-encoding: br\r\n");
        assert_eq!(answer.status, 404, "{name}");
    }
}

#[test]
fn the_page_loads_nothing_from_other_hosts() {
    let server = TestServer::start();
    let page = get(&server, "/", "").text();
    for link in page.split(['"', '\'']).filter(|text| text.contains("//")) {
        assert_eq!(link, "http://www.w3.org/2000/svg", "the page links to another host");
    }
    let style = get(&server, "/assets/app.css", "").text();
    assert!(!style.contains("url(") && !style.contains("@import"), "the style sheet loads another file");
}

#[test]
fn the_page_is_open_to_this_machine_only() {
    let server = TestServer::start();
    for (path, _) in FILES {
        let mut caller = server.connect();
        caller.send(format!("GET {path} HTTP/1.1\r\nhost: pilotlight.example\r\n\r\n"));
        assert_eq!(caller.response().expect("an answer").status, 403, "{path}");
    }
}

#[test]
fn the_embedded_page_is_built_from_its_source() {
    need!("node", "dashboard");
    let output = Command::new("node")
        .args(["build.mjs", "--check"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../dashboard"))
        .output()
        .expect("node starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
