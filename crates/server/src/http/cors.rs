//! CORS: with configured keys, pages of other origins may call the job API, because such a page has only the rights of
//! the key that it sends. Without keys no CORS header is sent, so browsers block other origins. The rules are in
//! `docs/protocols/jobs.md`, section "Authentication".

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue,
};
use hyper::{Method, StatusCode};

use crate::http::route::{Origins, Route};

const METHODS: HeaderValue = HeaderValue::from_static("GET, POST, DELETE, OPTIONS");
const HEADERS: HeaderValue = HeaderValue::from_static("Content-Type, Authorization, X-Runner-ID");

/// Middleware for a service with keys: answers `OPTIONS` requests and adds the CORS header to responses.
pub(crate) async fn cors(State(paths): State<Arc<CorsPaths>>, request: Request, next: Next) -> Response {
    let Some(path) = paths.classify(request.uri().path()) else {
        return next.run(request).await;
    };
    if path == PathKind::KeyApi && request.method() == Method::OPTIONS {
        return preflight();
    }
    let mut response = next.run(request).await;
    if path == PathKind::KeyApi || response.status() == StatusCode::NOT_FOUND {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}

/// The paths of the API whose callers send a key: the first segments below `/api/` of the routes that pages of any
/// origin may call. Wrong paths below them count as well, so that a page can read the error.
#[derive(Debug, Default)]
pub(crate) struct CorsPaths(BTreeSet<String>);

/// A path below `/api/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PathKind {
    /// A path of the API whose callers send a key.
    KeyApi,
    /// Another path. Its 404 gets the CORS header too, so that a page that calls a wrong path can read the error.
    Other,
}

impl CorsPaths {
    /// Of these routes.
    pub(crate) fn of<'a>(routes: impl Iterator<Item = &'a Route>) -> Self {
        let any_origin = routes.filter(|route| route.origins == Origins::Any);
        Self(any_origin.filter_map(|route| first_segment(&route.path)).map(str::to_owned).collect())
    }

    fn classify(&self, path: &str) -> Option<PathKind> {
        let first = first_segment(path)?;
        Some(if self.0.contains(first) { PathKind::KeyApi } else { PathKind::Other })
    }
}

fn first_segment(path: &str) -> Option<&str> {
    path.strip_prefix("/api/")?.split('/').next()
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
    fn only_paths_of_the_api_with_keys_get_cors_headers() {
        let paths = CorsPaths(["jobs", "runner", "admin"].map(str::to_owned).into());
        for path in ["/api/jobs", "/api/jobs/1", "/api/runner/jobs/1/claim", "/api/admin/stats"] {
            assert_eq!(paths.classify(path), Some(PathKind::KeyApi), "{path}");
        }
        for path in ["/api/", "/api/jobsx", "/api/nothing"] {
            assert_eq!(paths.classify(path), Some(PathKind::Other), "{path}");
        }
        for path in ["/", "/metrics", "/jobs", "/api"] {
            assert_eq!(paths.classify(path), None, "{path}");
        }
    }
}
