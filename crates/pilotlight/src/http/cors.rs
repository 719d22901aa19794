//! CORS: with configured keys, pages of other origins may call the job API, because such a page has only the rights of
//! the key that it sends. Without keys no CORS header is sent, so browsers block other origins. The rules are in
//! `docs/protocols/jobs.md`, section "Authentication".

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue,
};
use hyper::{Method, StatusCode};

/// The first path segments below `/api/` of the job API.
const JOBS: [&str; 3] = ["jobs", "runner", "admin"];

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static("Content-Type, Authorization, X-Runner-ID");

/// Middleware for a service with keys: answers `OPTIONS` requests and adds the CORS header to responses.
pub async fn cors(request: Request, next: Next) -> Response {
    let Some(path) = PathKind::classify(request.uri().path()) else {
        return next.run(request).await;
    };
    if path == PathKind::Jobs && request.method() == Method::OPTIONS {
        return preflight();
    }
    let mut response = next.run(request).await;
    if path == PathKind::Jobs || response.status() == StatusCode::NOT_FOUND {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// A path below `/api/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathKind {
    /// A path of the job API.
    Jobs,
    /// Another path. Its 404 gets the CORS header too, so that a page that calls a wrong path can read the error.
    Other,
}

impl PathKind {
    fn classify(path: &str) -> Option<Self> {
        let rest = path.strip_prefix("/api/")?;
        let first = rest.split('/').next().unwrap_or_default();
        Some(if JOBS.contains(&first) { Self::Jobs } else { Self::Other })
    }
}

fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*")),
        (ACCESS_CONTROL_ALLOW_METHODS, METHODS),
        (ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_job_api_get_cors_headers() {
        for path in ["/api/jobs", "/api/jobs/1", "/api/runner/jobs/1/claim", "/api/admin/stats"] {
            assert_eq!(PathKind::classify(path), Some(PathKind::Jobs), "{path}");
        }
        for path in ["/api/", "/api/jobsx", "/api/nothing"] {
            assert_eq!(PathKind::classify(path), Some(PathKind::Other), "{path}");
        }
        for path in ["/", "/metrics", "/jobs", "/api"] {
            assert_eq!(PathKind::classify(path), None, "{path}");
        }
    }
}
