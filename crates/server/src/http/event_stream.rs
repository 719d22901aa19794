//! The response of an event stream: server-sent events, with a comment when nothing was sent for a while. It ends with
//! the events, or after [`STREAM_LIFETIME`]: the reconnect is authorized again, so a session that has ended cannot read
//! the stream for longer.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{Stream, StreamExt};
use hyper::header::{CACHE_CONTROL, HeaderValue};
use pilotlight_core::limits::STREAM_LIFETIME;
use tokio::time::sleep;

/// A comment is sent after this time without an event, so that proxies do not close the idle connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// The response that sends these events. An event is taken from `events` when the connection can send it.
pub(crate) fn response(events: impl Stream<Item = Event> + Send + 'static) -> Response {
    response_with(events, KEEPALIVE_INTERVAL)
}

fn response_with(events: impl Stream<Item = Event> + Send + 'static, keepalive: Duration) -> Response {
    let events = events.map(Ok::<_, Infallible>).take_until(sleep(STREAM_LIFETIME));
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(keepalive));
    let mut response = events.into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
pub(crate) mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;
    use hyper::header::CONTENT_TYPE;

    use super::*;

    /// The bytes of these events as they are sent.
    pub(crate) async fn text_of(events: impl IntoIterator<Item = Event>) -> String {
        let events: Vec<_> = events.into_iter().collect();
        let body = response(stream::iter(events)).into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().into()).unwrap()
    }

    #[tokio::test]
    async fn events_are_sent_and_the_stream_ends_with_them() {
        let events = [("a", "1"), ("b", "2")].map(|(name, data)| Event::default().event(name).data(data));
        assert_eq!(text_of(events).await, "event: a\ndata: 1\n\nevent: b\ndata: 2\n\n");
    }

    #[tokio::test]
    async fn a_long_silence_is_broken_by_a_keepalive() {
        let mut response = response_with(stream::pending(), Duration::from_millis(1));
        let frame = response.body_mut().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), b":\n\n"[..]);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
        assert_eq!(response.headers().get_all(CACHE_CONTROL).iter().collect::<Vec<_>>(), ["no-store"]);
    }
}
