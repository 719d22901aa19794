//! Accepts connections, which hyper serves; each has its own task.

use std::convert::Infallible;
use std::sync::Arc;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime;
use tokio::task::JoinSet;

use super::answers::Answers;
use crate::listener::{announce, listen};

/// Serves on the loopback address until the process is killed, with as many threads as the real server: one for each
/// core that it may use. The first line on stdout is the address.
pub(crate) fn serve(port: u16) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().enable_io().build()?;
    runtime.block_on(runtime.spawn(listen_and_accept(port)))?
}

async fn listen_and_accept(port: u16) -> Result<()> {
    let listener = listen(port).with_context(|| format!("listen on port {port}"))?;
    announce(listener.local_addr()?)?;
    accept(listener).await
}

async fn accept(listener: TcpListener) -> Result<()> {
    let answers = Arc::new(Answers::new());
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        stream.set_nodelay(true)?;
        connections.spawn(answer_all(stream, answers.clone()));
        while connections.try_join_next().is_some() {}
    }
}

/// Serves until the client closes. An error just ends the connection: the null server logs nothing.
async fn answer_all(stream: TcpStream, answers: Arc<Answers>) {
    let service = service_fn(|request| answer(request, &answers));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok();
}

async fn answer(request: Request<Incoming>, answers: &Answers) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let (status, body) = answers.to(head.uri.path(), &body);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::caller::Caller;
    use crate::jobs::calls::Numbers;

    #[tokio::test]
    async fn every_call_of_a_life_cycle_is_answered() -> Result<()> {
        let listener = listen(0)?;
        let server = listener.local_addr()?;
        let mut null = JoinSet::new();
        null.spawn(accept(listener));
        let mut caller = Caller::connect(server, Numbers::default()).await?;
        caller.life_cycle().await?;
        caller.submit_cached(7).await
    }
}
