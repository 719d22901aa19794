//! `GET /api/dashboard/events`: a snapshot, then updates, as server-sent events (docs/protocols/event-streams.md).

use std::sync::Arc;

use axum::extract::State;
use axum::response::sse::Event;
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};

use crate::dashboard::broadcaster::{Broadcaster, SubscribeError};
use crate::http::error::ApiError;
use crate::http::event_stream;

/// `GET`
pub(super) async fn watch(State(broadcaster): State<Arc<Broadcaster>>) -> Response {
    match broadcaster.subscribe() {
        Ok(mut events) => {
            let events = stream::poll_fn(move |context| events.poll_recv(context));
            event_stream::response(events.map(|event| Event::default().event(event.name).data(&event.data)))
        }
        Err(SubscribeError::TooMany) => {
            ApiError::unavailable("too many dashboards are open; close one").into_response()
        }
        Err(SubscribeError::Stopping) => ApiError::unavailable("the service is stopping").into_response(),
    }
}
