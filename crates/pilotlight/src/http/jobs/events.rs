//! `GET /api/jobs/{id}/events`: the events of one job as server-sent events (`docs/protocols/event-streams.md`).
//! `status` comes first and after every change of the status; `progress` and `console` come when they change. The
//! stream ends after the job's end, or after [`STREAM_LIFETIME`].

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use hyper::body::Frame;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use pilotlight_core::job::Status;
use pilotlight_core::limits::{MAX_JOB_STREAMS, STREAM_LIFETIME};
use pilotlight_store::JobRecord;
use pilotlight_wire::jobs::{Console, Progress};
use pilotlight_wire::warm_start::ErrorBody;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::super::error::ApiError;
use super::super::extract::JobIdPath;
use super::super::router::HttpState;
use super::{job_not_found, response};
use crate::jobs::{JobService, JobSubscription, JobView};

/// A comment is sent after this time without an event, so that proxies do not close the idle connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

const KEEPALIVE: Bytes = Bytes::from_static(b":\n\n");

/// Limits how many job event streams are open at one time.
#[derive(Debug, Clone)]
pub struct JobStreamLimit(Arc<Semaphore>);

impl Default for JobStreamLimit {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_JOB_STREAMS)))
    }
}

/// `GET /api/jobs/{id}/events`: streams the job's events.
#[utoipa::path(get, path = "/api/jobs/{id}/events", tag = "jobs", params(("id" = String, Path, format = "uuid", description = "The job's id.")),
    responses(
        (status = OK, description = "Events `status` (a Job), `progress` (a Progress) and `console` (a Console), until the job \
            has ended, or for five minutes.", body = pilotlight_wire::jobs::Event, content_type = "text/event-stream"),
        (status = NOT_FOUND, description = "There is no such job.", body = ErrorBody)))]
pub async fn watch(
    State(state): State<Arc<HttpState>>,
    JobIdPath(id): JobIdPath,
) -> Result<Response, ApiError> {
    let id = id.ok_or_else(job_not_found)?;
    let full =
        |_| ApiError::unavailable("too many job event streams are open; read the job's status instead");
    let permit = state.job_streams.0.clone().try_acquire_owned().map_err(full)?;
    let mut subscription = state.jobs().subscribe(id);
    let view = subscription.read().await?.ok_or_else(job_not_found)?;
    let job_stream = JobStream {
        jobs: Arc::clone(state.jobs()),
        subscription,
        sent: SentEvents::default(),
        last_sent_at: Instant::now(),
        _permit: permit,
    };
    Ok(event_stream_response(EventBody {
        next_chunk: Box::pin(std::future::ready(job_stream.first_chunk(&view))),
        deadline: Box::pin(sleep(STREAM_LIFETIME)),
    }))
}

fn event_stream_response(events: EventBody) -> Response {
    let mut response = Response::new(Body::new(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

type NextChunk = Pin<Box<dyn Future<Output = Option<(Bytes, Option<JobStream>)>> + Send>>;

/// A response body that gets a chunk whenever the job has new events, until its deadline.
struct EventBody {
    next_chunk: NextChunk,
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
        self.next_chunk.as_mut().poll(cx).map(|next_chunk| {
            let (bytes, job_stream) = next_chunk?;
            self.next_chunk = match job_stream {
                Some(job_stream) => Box::pin(job_stream.next_chunk()),
                None => Box::pin(std::future::ready(None)),
            };
            Some(Ok(Frame::data(bytes)))
        })
    }
}

/// One open event stream of a job.
struct JobStream {
    jobs: Arc<JobService>,
    subscription: JobSubscription,
    sent: SentEvents,
    /// When the last chunk was sent.
    last_sent_at: Instant,
    _permit: OwnedSemaphorePermit,
}

impl JobStream {
    fn first_chunk(mut self, view: &JobView) -> Option<(Bytes, Option<Self>)> {
        let events = self.new_events(view)?;
        Some(self.after_sending(events))
    }

    /// Waits for the next chunk. Returns it with the stream, or with `None` when this chunk is the last.
    async fn next_chunk(mut self) -> Option<(Bytes, Option<Self>)> {
        loop {
            self.subscription.changed().await;
            if self.jobs.is_stopping() {
                return None;
            }
            // The stream ends when the job is deleted or the store fails. A client that reconnects gets the reason as
            // an error response.
            let view = self.subscription.read().await.ok()??;
            let events = self.new_events(&view)?;
            drop(view);
            if !events.is_empty() {
                return Some(self.after_sending(events));
            }
            if self.last_sent_at.elapsed() >= KEEPALIVE_INTERVAL {
                return Some(self.after_sending(KEEPALIVE));
            }
        }
    }

    fn after_sending(mut self, events: Bytes) -> (Bytes, Option<Self>) {
        self.last_sent_at = Instant::now();
        let is_open = !self.sent.status.is_some_and(Status::has_ended);
        (events, is_open.then_some(self))
    }

    fn new_events(&mut self, view: &JobView) -> Option<Bytes> {
        let record = &view.record;
        let status = record.job.status(self.jobs.now());
        let mut events = Vec::new();
        self.sent.console(view, &mut events);
        self.sent.progress(record, &mut events);
        if self.sent.status.replace(status) != Some(status) {
            // `status` comes before the events that follow from it; the status of an ended job comes last.
            let at = if status.has_ended() { events.len() } else { 0 };
            let output = record.output.as_ref().filter(|_| status.has_ended()).cloned();
            let job = response::job(JobRecord { job: record.job.clone(), output }, self.jobs.now()).ok()?;
            events.splice(at..at, event("status", &job));
        }
        Some(events.into())
    }
}

/// What was already sent to the client, to find out what is new.
#[derive(Default)]
struct SentEvents {
    status: Option<Status>,
    progress: Option<Progress>,
    /// The length of the sent console output in bytes, and its `console_version`.
    console: (usize, u64),
}

impl SentEvents {
    fn progress(&mut self, record: &JobRecord, events: &mut Vec<u8>) {
        let Some(progress) = response::progress(&record.job) else { return };
        if self.progress.replace(progress) != Some(progress) {
            events.extend(event("progress", &progress));
        }
    }

    fn console(&mut self, view: &JobView, events: &mut Vec<u8>) {
        let Some(output) = &view.record.output else { return };
        let (known, number) = self.console;
        let is_same = known == 0 || number == view.console_version;
        let grown = output.console.get(known..).filter(|_| is_same);
        let console = match grown {
            Some("") => return,
            Some(text) if known > 0 => Console { is_whole: false, text: text.into() },
            Some(_) | None => Console { is_whole: true, text: output.console.as_str().into() },
        };
        events.extend(event("console", &console));
        self.console = (output.console.len(), view.console_version);
    }
}

/// Writes one event. Results may have line breaks between their JSON tokens. A line break would end the `data:` line,
/// so each becomes a space.
fn event(name: &str, data: &impl Serialize) -> Vec<u8> {
    let data = serde_json::to_string(data).expect("wire types have string keys and finite numbers");
    format!("event: {name}\ndata: {}\n\n", data.replace(['\r', '\n'], " ")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    use pilotlight_core::cache_key::CacheKey;
    use pilotlight_core::ids::JobType;
    use pilotlight_core::job::{Job, JobId, JobOptions, LeaseId, State};
    use pilotlight_core::time::Timestamp;
    use pilotlight_store::JobOutput;

    fn view(console: &str, number: u64) -> JobView {
        let options = JobOptions::default_at(Timestamp::default());
        let job = Job {
            id: JobId::from_bytes([0; 16]),
            job_type: JobType::parse("t").unwrap(),
            key: CacheKey::from_bytes([0; 32]),
            is_current: true,
            options,
            callers: 1,
            created_at: Timestamp::default(),
            updated_at: Timestamp::default(),
            ready_at: Timestamp::default(),
            attempts: 0,
            lost_attempts: 0,
            lease: LeaseId::default(),
            state: State::Pending,
        };
        let output = Some(JobOutput { console: console.into(), ..JobOutput::default() });
        JobView { record: JobRecord { job, output }, console_version: number }
    }

    #[test]
    fn console_output_is_sent_as_it_grows_and_in_full_when_it_was_replaced() {
        let mut sent = SentEvents::default();
        let mut new_events = |console, number| {
            let mut events = Vec::new();
            sent.console(&view(console, number), &mut events);
            String::from_utf8(events).unwrap()
        };
        assert_eq!(new_events("", 0), "");
        assert_eq!(new_events("a\n", 0), "event: console\ndata: {\"is_whole\":true,\"text\":\"a\\n\"}\n\n");
        assert_eq!(new_events("a\n", 0), "");
        assert_eq!(
            new_events("a\n\u{e9}", 0),
            "event: console\ndata: {\"is_whole\":false,\"text\":\"\u{e9}\"}\n\n"
        );
        assert_eq!(
            new_events("a \u{1f600}", 1),
            "event: console\ndata: {\"is_whole\":true,\"text\":\"a \u{1f600}\"}\n\n"
        );
        assert_eq!(new_events("b", 2), "event: console\ndata: {\"is_whole\":true,\"text\":\"b\"}\n\n");
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        let json = response::json("{\n\"a\":\r\n1}".into()).unwrap();
        assert_eq!(event("status", &json), b"event: status\ndata: { \"a\":  1}\n\n");
    }
}
