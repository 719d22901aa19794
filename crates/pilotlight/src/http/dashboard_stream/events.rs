//! `GET /api/dashboard/events`: a snapshot, then updates, as server-sent events (`docs/protocols/event-streams.md`).

use std::convert::Infallible;
use std::future::Future as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hyper::body::Frame;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use pilotlight_core::limits::STREAM_LIFETIME;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use super::super::error::ApiError;
use super::super::router::HttpState;
use super::broadcaster::SubscribeError;

/// `GET /api/dashboard/events`
pub async fn watch(State(state): State<Arc<HttpState>>) -> Response {
    match state.dashboard_broadcaster.subscribe() {
        Ok(events) => stream(events),
        Err(SubscribeError::TooMany) => {
            ApiError::unavailable("too many dashboards are open; close one").into_response()
        }
        Err(SubscribeError::Stopping) => ApiError::unavailable("the service is stopping").into_response(),
    }
}

fn stream(events: mpsc::Receiver<Bytes>) -> Response {
    let mut response =
        Response::new(Body::new(EventBody { events, deadline: Box::pin(sleep(STREAM_LIFETIME)) }));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// A response body that passes on the subscriber's events. It ends when the broadcaster drops the subscriber, or at its
/// deadline: the reconnect is authorized again, so a session that has ended cannot read the stream for longer.
struct EventBody {
    events: mpsc::Receiver<Bytes>,
    deadline: Pin<Box<Sleep>>,
}

impl hyper::body::Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event))))
    }
}
