//! The event stream of a job: the server-sent events of `GET /api/jobs/{id}/events`.
//!
//! The service closes the stream when the job ends, or after some minutes; then the caller must subscribe again. See
//! `docs/protocols/event-streams.md`.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt};
use pilotlight_core::limits::{CLIENT_STREAM_TIMEOUT, MAX_CLIENT_RESPONSE_BYTES};
use pilotlight_wire::jobs::{Console, Job, Progress};
use reqwest::{Method, Response};
use sse_stream::{Sse, SseByteStream};
use tokio::time::timeout;

use super::error::{ClientError, Reason};
use super::http_client::{Client, parse_json, root_cause};

/// An event of a job.
#[derive(Debug)]
pub enum JobEvent {
    /// The job's status: the first event, and sent whenever the status changes.
    Status(Box<Job>),
    /// The job's progress.
    Progress(Progress),
    /// Console output of the job.
    Console(Console<'static>),
}

/// The stream of a job's events.
pub struct EventStream {
    client: Client,
    action: String,
    events: SseEvents,
}

/// Server-sent events, parsed from the pieces of a response as they arrive.
struct SseEvents {
    events: SseByteStream<BoxStream<'static, Result<Bytes, ReadError>>>,
    /// Bytes that were read since the last event.
    unparsed_bytes: Arc<AtomicUsize>,
}

/// Why the response could not be read to its end.
#[derive(Debug, thiserror::Error)]
#[error("failed to read the response")]
struct ReadError(Reason);

impl Client {
    /// `GET /api/jobs/{id}/events`: subscribes to a job. Never repeated: only the caller knows which events it has
    /// already.
    ///
    /// # Errors
    /// [`ClientError`]; status 404 when there is no such job, 503 when there are too many subscribers.
    pub async fn events(&self, id: &str) -> Result<EventStream, ClientError> {
        let action = format!("watch job {id}");
        let request = self.request(Method::GET, &["jobs", id, "events"]);
        let response = self.stream(&action, request).await?;
        Ok(EventStream { client: self.clone(), action, events: SseEvents::parse(pieces(response)) })
    }
}

impl EventStream {
    /// Waits for the next event; `None` when the service closed the stream.
    ///
    /// # Errors
    /// [`ClientError`]: the connection broke, or an event is invalid.
    pub async fn next(&mut self) -> Result<Option<JobEvent>, ClientError> {
        self.events.next().await.map_err(|reason| self.client.failure(self.action.clone(), reason))
    }
}

impl fmt::Debug for EventStream {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("EventStream").field("action", &self.action).finish_non_exhaustive()
    }
}

/// The pieces of a response, each within the timeout of streams.
fn pieces(response: Response) -> impl Stream<Item = Result<Bytes, Reason>> + Send {
    stream::try_unfold(response, async |mut response| {
        let Ok(read) = timeout(CLIENT_STREAM_TIMEOUT, response.chunk()).await else {
            return Err(Reason::NoResponse("the stream was silent for too long".into()));
        };
        let piece = read.map_err(|error| Reason::NoResponse(root_cause(&error.without_url())))?;
        Ok(piece.map(|piece| (piece, response)))
    })
}

impl SseEvents {
    /// The parser itself has no limit, so the bytes that go into it are counted here.
    fn parse(pieces: impl Stream<Item = Result<Bytes, Reason>> + Send + 'static) -> Self {
        let unparsed_bytes = Arc::new(AtomicUsize::new(0));
        let unparsed = Arc::clone(&unparsed_bytes);
        let pieces = pieces.map(move |piece| {
            let piece = piece.map_err(ReadError)?;
            let bytes = unparsed.fetch_add(piece.len(), Relaxed) + piece.len();
            if bytes > MAX_CLIENT_RESPONSE_BYTES { Err(ReadError(Reason::TooLarge)) } else { Ok(piece) }
        });
        Self { events: SseByteStream::new(pieces.boxed()), unparsed_bytes }
    }

    /// The next event of a type that this version knows.
    async fn next(&mut self) -> Result<Option<JobEvent>, Reason> {
        while let Some(event) = self.events.next().await {
            let event = event.map_err(reason)?;
            self.unparsed_bytes.store(0, Relaxed);
            if let Some(job_event) = parse_event(&event)? {
                return Ok(Some(job_event));
            }
        }
        Ok(None)
    }
}

fn reason(error: sse_stream::Error) -> Reason {
    let sse_stream::Error::Body(error) = error else {
        return Reason::InvalidResponse(error.to_string());
    };
    match error.downcast() {
        Ok(read) => {
            let ReadError(reason) = *read;
            reason
        }
        Err(error) => Reason::NoResponse(root_cause(&*error)),
    }
}

/// `None` for event types that this version does not know.
fn parse_event(event: &Sse) -> Result<Option<JobEvent>, Reason> {
    let data = event.data.as_deref().unwrap_or_default().as_bytes();
    Ok(match event.event.as_deref() {
        Some("status") => Some(JobEvent::Status(Box::new(parse_json(data)?))),
        Some("progress") => Some(JobEvent::Progress(parse_json(data)?)),
        Some("console") => Some(JobEvent::Console(parse_json(data)?)),
        Some(_) | None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pieces: Vec<Bytes>) -> SseEvents {
        SseEvents::parse(stream::iter(pieces).map(Ok))
    }

    #[tokio::test]
    async fn events_are_parsed_across_chunk_boundaries() {
        let text = "event: progress\ndata: {\"current\":1,\"total\":2}\n\n:\n\nevent: console\ndata: \
                    {\"is_whole\":true,\"text\":\"a\\n\"}\n\nevent: later\ndata: {}\n\n";
        for size in 1..text.len() {
            let mut events = parse(text.as_bytes().chunks(size).map(Bytes::from_static).collect());
            let mut job_events = Vec::new();
            while let Some(event) = events.next().await.unwrap() {
                job_events.push(event);
            }
            let [JobEvent::Progress(progress), JobEvent::Console(console)] = &job_events[..] else {
                panic!("{job_events:?}")
            };
            assert_eq!((progress.current, progress.total), (1, 2));
            assert!(console.is_whole && console.text == "a\n");
        }
    }

    #[tokio::test]
    async fn an_event_that_is_too_large_is_an_error_and_many_small_ones_are_not() {
        let piece = Bytes::from(vec![b'x'; MAX_CLIENT_RESPONSE_BYTES / 8]);
        let event = [Bytes::from_static(b"event: later\ndata: "), piece.clone(), Bytes::from_static(b"\n\n")];
        assert!(matches!(parse(vec![event; 9].concat()).next().await, Ok(None)));
        let too_large = [vec![Bytes::from_static(b"data: ")], vec![piece; 8]].concat();
        assert!(matches!(parse(too_large).next().await, Err(Reason::TooLarge)));
    }

    #[test]
    fn a_parse_error_does_not_contain_the_payload() {
        let event = Sse::default().event("progress").data("\"secret\"");
        let Err(Reason::InvalidResponse(why)) = parse_event(&event) else { panic!() };
        assert!(!why.contains("secret"), "{why}");
    }
}
