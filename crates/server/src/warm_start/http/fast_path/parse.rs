//! Parses a request head and decides whether the fast path serves it: HTTP/1.1 with keep-alive, no body or one
//! `content-length`, and one of the warm-start protocol's paths. In doubt the request goes to hyper.

use std::mem::MaybeUninit;

use httparse::{Request, Status};
use pilotlight_core::ids::Runner;
use pilotlight_core::limits::HEAD_BYTES;
use pilotlight_core::pool::PoolKey;
use pilotlight_core::trace_context::TraceParent;

use crate::http::error::ApiError;
use crate::http::headers::{self, Headers};
use crate::warm_start::http::convert;
use crate::warm_start::http::protocol::OFFER_BYTES;

/// Maximum number of headers; hyper has the same limit.
const MAX_HEADERS: usize = 100;

/// The paths of polls.
const POLL_PATHS: [&[u8]; 2] = [b"/warm-start", b"/api/warm-start"];

/// A request that the fast path serves.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FastRequest {
    /// `GET /connect`
    Connect,
    /// `GET /warm-start` with the values of its headers.
    Poll(Result<(PoolKey, Runner), ApiError>),
    /// `POST /warm-start` with the length of its body and the sender's trace context.
    Offer { body_bytes: usize, trace: Option<TraceParent> },
}

/// The result of parsing the beginning of a connection's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ParsedHead {
    /// A request for the fast path, and the length of its head in bytes.
    Fast(FastRequest, usize),
    /// The head is not complete yet.
    Incomplete,
    /// A poll whose head is too long or not valid. It must not go to hyper, because hyper's error response is one that
    /// a poll must never get.
    BrokenPoll,
    /// Any other request, valid or not; hyper handles it.
    Other,
}

/// Parses the head at the beginning of `bytes`.
pub(super) fn parse_head(bytes: &[u8]) -> ParsedHead {
    let mut headers = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = Request::new(&mut []);
    match request.parse_with_uninit_headers(bytes, &mut headers) {
        Ok(Status::Complete(length)) => match fast_request(&request) {
            Some(request) => ParsedHead::Fast(request, length),
            None => ParsedHead::Other,
        },
        Ok(Status::Partial) if bytes.len() < HEAD_BYTES => ParsedHead::Incomplete,
        Ok(Status::Partial) | Err(_) if is_poll(bytes) => ParsedHead::BrokenPoll,
        Ok(Status::Partial) | Err(_) => ParsedHead::Other,
    }
}

/// Whether these bytes begin like a poll, in any form that hyper accepts (leading white space, absolute target). The
/// rest of the head is not checked.
pub(crate) fn is_poll(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    let Some(target) = start.strip_prefix(b"GET ") else { return false };
    let schemes: [&[u8]; 2] = [b"http://", b"https://"];
    let absolute = schemes.into_iter().find_map(|scheme| target.strip_prefix(scheme));
    let path = absolute.map_or(target, |rest| {
        let host = rest.iter().take_while(|byte| **byte != b'/').count();
        &rest[host..]
    });
    POLL_PATHS.into_iter().any(|poll| path.starts_with(poll))
}

fn fast_request(request: &Request<'_, '_>) -> Option<FastRequest> {
    let headers = ParsedHeaders(request.headers);
    let body_bytes = headers.fast_path_body_bytes().filter(|_| request.version == Some(1))?;
    match (request.method?, request.path?) {
        ("GET", "/connect" | "/api/connect") if body_bytes == 0 => Some(FastRequest::Connect),
        ("GET", "/warm-start" | "/api/warm-start") if body_bytes == 0 => {
            Some(FastRequest::Poll(convert::poll_params(&headers)))
        }
        ("POST", "/warm-start" | "/api/warm-start") if body_bytes <= OFFER_BYTES => {
            Some(FastRequest::Offer { body_bytes, trace: headers::trace_parent(&headers) })
        }
        _ => None,
    }
}

struct ParsedHeaders<'a>(&'a [httparse::Header<'a>]);

impl Headers for ParsedHeaders<'_> {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0.iter().filter(move |line| line.name.eq_ignore_ascii_case(name)).map(|line| line.value)
    }
}

impl ParsedHeaders<'_> {
    /// The length of the body in bytes. `None` when the fast path cannot serve the request: a header needs more than a
    /// simple response with keep-alive, a web page sent it, it has not exactly one `Host`, or its `content-length` is
    /// repeated or not a plain number.
    fn fast_path_body_bytes(&self) -> Option<usize> {
        let (mut hosts, mut body_bytes) = (0, None);
        for line in self.0 {
            let is = |name: &str| line.name.eq_ignore_ascii_case(name);
            let needs_http = is("connection") && !line.value.eq_ignore_ascii_case(b"keep-alive")
                || is("content-length") && body_bytes.replace(number(line.value)?).is_some()
                || ["transfer-encoding", "expect", "upgrade", "origin", "sec-fetch-site"].into_iter().any(is);
            if needs_http {
                return None;
            }
            hosts += usize::from(is("host"));
        }
        (hosts == 1).then(|| body_bytes.unwrap_or(0))
    }
}

fn number(digits: &[u8]) -> Option<usize> {
    let plain = digits.iter().all(u8::is_ascii_digit);
    plain.then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNER: &str = "x-trigger-deployment-id: d\r\nx-trigger-deployment-version: 1\r\n\
                          x-trigger-workload-controller-id: r\r\n";

    fn is_fast(head: &str) -> bool {
        matches!(parse_head(head.as_bytes()), ParsedHead::Fast(..))
    }

    #[test]
    fn requests_of_runners_and_supervisors_take_the_fast_path() {
        assert!(is_fast("GET /connect HTTP/1.1\r\nhost: a\r\nconnection: keep-alive\r\n\r\n"));
        assert!(is_fast("POST /api/warm-start HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\n\r\n"));
        let poll = format!("GET /warm-start HTTP/1.1\r\nhost: a\r\n{RUNNER}\r\n");
        let ParsedHead::Fast(FastRequest::Poll(Ok((key, runner))), length) = parse_head(poll.as_bytes())
        else {
            panic!("the fast path must serve this request")
        };
        let names =
            (key.deployment.as_str(), key.version.as_str(), runner.id.as_str(), runner.worker.as_str());
        assert_eq!(names, ("d", "1", "r", "unknown"));
        assert_eq!(length, poll.len());
    }

    #[test]
    fn a_traceparent_is_used_only_when_it_is_sent_once() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        for (lines, is_traced) in [
            (String::new(), false),
            (format!("traceparent: {parent}\r\n"), true),
            (format!("TraceParent: {parent}\r\n"), true),
            (format!("traceparent: {parent}\r\ntraceparent: {parent}\r\n"), false),
            (format!("traceparent: {parent}, {parent}\r\n"), false),
        ] {
            let head = format!("POST /warm-start HTTP/1.1\r\nhost: a\r\n{lines}\r\n");
            let ParsedHead::Fast(FastRequest::Offer { trace, .. }, _) = parse_head(head.as_bytes()) else {
                panic!("the fast path must serve this request")
            };
            assert_eq!(trace, TraceParent::parse(parent.as_bytes()).filter(|_| is_traced), "{lines}");
        }
    }

    #[test]
    fn a_poll_without_a_required_header_gets_an_error_that_names_it() {
        let ParsedHead::Fast(FastRequest::Poll(Err(error)), _) =
            parse_head(b"GET /warm-start HTTP/1.1\r\nhost: a\r\n\r\n")
        else {
            panic!("the fast path must serve this request")
        };
        assert_eq!(error.into_text(), "x-trigger-deployment-id is missing");
    }

    #[test]
    fn all_other_requests_are_left_to_http() {
        let lines = [
            "connection: close",
            "connection: keep-alive, upgrade",
            "transfer-encoding: chunked",
            "expect: 100-continue",
            "upgrade: h2c",
            "origin: null",
            "content-length: 1",
            "content-length: +0",
            "content-length: 0\r\ncontent-length: 0",
            "content-length: 99999999999999999999999999",
            "host: b",
        ];
        for line in lines {
            let head = format!("GET /warm-start HTTP/1.1\r\nhost: a\r\n{RUNNER}{line}\r\n\r\n");
            assert_eq!(parse_head(head.as_bytes()), ParsedHead::Other, "{line}");
        }
        for start in [
            "GET /health HTTP/1.1",
            "PUT /warm-start HTTP/1.1",
            "GET /warm-start HTTP/1.0",
            "GET /connect?x HTTP/1.1",
        ] {
            assert_eq!(
                parse_head(format!("{start}\r\nhost: a\r\n\r\n").as_bytes()),
                ParsedHead::Other,
                "{start}"
            );
        }
        assert_eq!(parse_head(b"\x16\x03\x01\x02"), ParsedHead::Other);
        assert_eq!(parse_head(b"GET /connect HTTP/1.1\r\n\r\n"), ParsedHead::Other);
    }

    #[test]
    fn a_partial_head_is_incomplete_until_it_is_too_long() {
        let head = b"POST /warm-start HTTP/1.1\r\nhost: a\r\ncontent-length: 7\r\n\r\n";
        for length in 0..head.len() {
            assert_eq!(parse_head(&head[..length]), ParsedHead::Incomplete, "{length}");
        }
        let endless_poll = [b"GET /warm-start HTTP/1.1\r\nx: ".as_slice(), &[b'x'; HEAD_BYTES]].concat();
        assert_eq!(parse_head(&endless_poll), ParsedHead::BrokenPoll);
        let endless_offer = [b"POST /warm-start HTTP/1.1\r\nx: ".as_slice(), &[b'x'; HEAD_BYTES]].concat();
        assert_eq!(parse_head(&endless_offer), ParsedHead::Other);
        assert_eq!(parse_head(b"GET /warm-start HTTP/1.1\r\nno colon\r\n\r\n"), ParsedHead::BrokenPoll);
    }
}
