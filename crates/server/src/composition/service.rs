//! What a listener calls for each connection and request: the fast path of warm starts where they are served, and the
//! router.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use pilotlight_net::conn::Conn;
use pilotlight_net::io::Io;
use pilotlight_net::listener::{FastPathExit, Serve};
use tower::Service as _;

use crate::capability::FastPath;
use crate::http::close::CloseConnection;
use crate::warm_start::http::fast_path;

/// What the accept loop of a listener calls: a router, and before it the fast path of warm starts where they are
/// served.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    router: Router,
    fast_path: Option<Arc<dyn FastPath>>,
}

impl Service {
    pub(crate) const fn new(router: Router, fast_path: Option<Arc<dyn FastPath>>) -> Self {
        Self { router, fast_path }
    }
}

impl Serve for Service {
    type HttpError = CloseConnection;
    type Body = Body;

    async fn fast_path(&self, conn: &Arc<Conn>, io: &mut Io) -> FastPathExit {
        match &self.fast_path {
            Some(fast_path) => fast_path.serve(conn, io).await,
            None => FastPathExit::ForHttp,
        }
    }

    /// A poll must not get hyper's own error response: its client would exit.
    fn response_must_come_from_service(start: &[u8]) -> bool {
        fast_path::is_poll(start)
    }

    fn http(
        &self,
        request: Request<Incoming>,
    ) -> impl Future<Output = Result<Response, CloseConnection>> + Send + use<> {
        let result = self.router.clone().call(request);
        async move { close_when_marked(result.await) }
    }
}

fn close_when_marked(result: Result<Response, Infallible>) -> Result<Response, CloseConnection> {
    let Ok(response) = result;
    match response.extensions().get::<CloseConnection>() {
        Some(close) => Err(*close),
        None => Ok(response),
    }
}
