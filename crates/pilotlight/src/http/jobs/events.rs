//! `GET /api/jobs/{id}/events`: a job as it goes, as server-sent events. `status` comes first, and again whenever it is
//! another one; `progress` and `console` come as they grow. After the end, or after a while, the stream is over.

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
use pilotlight_store::Found;
use pilotlight_wire::jobs::{Console, Progress};
use pilotlight_wire::warm_start::Refused;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

use super::super::asked::Named;
use super::super::error::Refusal;
use super::super::router::Handles;
use super::{tell, unknown};
use crate::jobs::{Jobs, Onlooker, Sight};

/// Whoever watches through something that closes silent connections goes on watching.
const SIGN_OF_LIFE_EVERY: Duration = Duration::from_secs(15);

const SIGN_OF_LIFE: Bytes = Bytes::from_static(b":\n\n");

/// Room for those who watch.
#[derive(Debug, Clone)]
pub struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_JOB_STREAMS)))
    }
}

/// `GET /api/jobs/{id}/events`: a job as it goes.
#[utoipa::path(get, path = "/api/jobs/{id}/events", tag = "jobs", params(("id" = String, Path, format = "uuid", description = "The job's name.")),
    responses(
        (status = OK, description = "Events `status` (a Job), `progress` (a Progress) and `console` (a Console), until the job \
            has ended, or for five minutes.", body = pilotlight_wire::jobs::Event, content_type = "text/event-stream"),
        (status = NOT_FOUND, description = "No such job.", body = Refused)))]
pub async fn watch(State(handles): State<Arc<Handles>>, Named(id): Named) -> Result<Response, Refusal> {
    let id = id.ok_or_else(unknown)?;
    let full = |_| Refusal::unavailable("as many watch jobs as may; ask for the job's status instead");
    let room = handles.watchers.0.clone().try_acquire_owned().map_err(full)?;
    let mut onlooker = handles.jobs().look_on(id);
    let sight = onlooker.look().await?.ok_or_else(unknown)?;
    let watching = Watching {
        jobs: Arc::clone(handles.jobs()),
        onlooker,
        told: Told::default(),
        last: Instant::now(),
        _room: room,
    };
    Ok(stream(Events {
        next: Box::pin(std::future::ready(watching.begin(&sight))),
        ends: Box::pin(sleep(STREAM_LIFETIME)),
    }))
}

fn stream(events: Events) -> Response {
    let mut response = Response::new(Body::new(events));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Option<Watching>)>> + Send>>;

/// A body that is written as the job goes.
struct Events {
    next: Next,
    ends: Pin<Box<Sleep>>,
}

impl hyper::body::Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.ends.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.next.as_mut().poll(cx).map(|next| {
            let (bytes, watching) = next?;
            self.next = match watching {
                Some(watching) => Box::pin(watching.next()),
                None => Box::pin(std::future::ready(None)),
            };
            Some(Ok(Frame::data(bytes)))
        })
    }
}

/// Somebody who watches a job.
struct Watching {
    jobs: Arc<Jobs>,
    onlooker: Onlooker,
    told: Told,
    /// When something was sent last.
    last: Instant,
    _room: OwnedSemaphorePermit,
}

impl Watching {
    fn begin(mut self, sight: &Sight) -> Option<(Bytes, Option<Self>)> {
        let events = self.tell(sight)?;
        Some(self.sent(events))
    }

    /// What is sent next, and who goes on watching after it.
    async fn next(mut self) -> Option<(Bytes, Option<Self>)> {
        loop {
            self.onlooker.changed().await;
            if self.jobs.is_stopping() {
                return None;
            }
            // A job that was deleted, or a store that fails, ends it: whoever asks again is told why.
            let sight = self.onlooker.look().await.ok()??;
            let events = self.tell(&sight)?;
            drop(sight);
            if !events.is_empty() {
                return Some(self.sent(events));
            }
            if self.last.elapsed() >= SIGN_OF_LIFE_EVERY {
                return Some(self.sent(SIGN_OF_LIFE));
            }
        }
    }

    fn sent(mut self, events: Bytes) -> (Bytes, Option<Self>) {
        self.last = Instant::now();
        let goes_on = !self.told.status.is_some_and(Status::has_ended);
        (events, goes_on.then_some(self))
    }

    fn tell(&mut self, sight: &Sight) -> Option<Bytes> {
        let found = &sight.found;
        let status = found.job.status(self.jobs.now());
        let mut events = Vec::new();
        self.told.console(sight, &mut events);
        self.told.progress(found, &mut events);
        if self.told.status.replace(status) != Some(status) {
            // Before what follows from it, except that the end comes last.
            let at = if status.has_ended() { events.len() } else { 0 };
            let end = found.end.as_ref().filter(|_| status.has_ended()).cloned();
            let job = tell::job(Found { job: found.job.clone(), end }, self.jobs.now()).ok()?;
            events.splice(at..at, event("status", &job));
        }
        Some(events.into())
    }
}

/// What was told of a job.
#[derive(Default)]
struct Told {
    status: Option<Status>,
    progress: Option<Progress>,
    /// Bytes of it, and which one it was.
    console: (usize, u64),
}

impl Told {
    fn progress(&mut self, found: &Found, events: &mut Vec<u8>) {
        let Some(progress) = tell::progress(&found.job) else { return };
        if self.progress.replace(progress) != Some(progress) {
            events.extend(event("progress", &progress));
        }
    }

    fn console(&mut self, sight: &Sight, events: &mut Vec<u8>) {
        let Some(end) = &sight.found.end else { return };
        let (known, number) = self.console;
        let is_same = known == 0 || number == sight.console;
        let grown = end.console.get(known..).filter(|_| is_same);
        let console = match grown {
            Some("") => return,
            Some(text) if known > 0 => Console { is_whole: false, text: text.into() },
            Some(_) | None => Console { is_whole: true, text: end.console.as_str().into() },
        };
        events.extend(event("console", &console));
        self.console = (end.console.len(), sight.console);
    }
}

/// Parameters and results may have line breaks between their tokens, which would end the line.
fn event(name: &str, data: &impl Serialize) -> Vec<u8> {
    let data = serde_json::to_string(data).expect("wire types have string keys and finite numbers");
    format!("event: {name}\ndata: {}\n\n", data.replace(['\r', '\n'], " ")).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    use pilotlight_core::cache_key::CacheKey;
    use pilotlight_core::ids::JobType;
    use pilotlight_core::job::{Job, JobId, Lease, Options, State};
    use pilotlight_core::time::Timestamp;
    use pilotlight_store::End;

    fn sight(console: &str, number: u64) -> Sight {
        let options = Options::at(Timestamp::default());
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
            losses: 0,
            lease: Lease::default(),
            state: State::Pending,
        };
        let end = Some(End { console: console.into(), ..End::default() });
        Sight { found: Found { job, end }, console: number }
    }

    #[test]
    fn console_output_is_told_as_it_grows_and_anew_when_it_is_another() {
        let mut told = Told::default();
        let mut tell = |console, number| {
            let mut events = Vec::new();
            told.console(&sight(console, number), &mut events);
            String::from_utf8(events).unwrap()
        };
        assert_eq!(tell("", 0), "");
        assert_eq!(tell("a\n", 0), "event: console\ndata: {\"is_whole\":true,\"text\":\"a\\n\"}\n\n");
        assert_eq!(tell("a\n", 0), "");
        assert_eq!(
            tell("a\n\u{e9}", 0),
            "event: console\ndata: {\"is_whole\":false,\"text\":\"\u{e9}\"}\n\n"
        );
        assert_eq!(
            tell("a \u{1f600}", 1),
            "event: console\ndata: {\"is_whole\":true,\"text\":\"a \u{1f600}\"}\n\n"
        );
        assert_eq!(tell("b", 2), "event: console\ndata: {\"is_whole\":true,\"text\":\"b\"}\n\n");
    }

    #[test]
    fn an_event_is_one_line_of_data() {
        let json = tell::json("{\n\"a\":\r\n1}".into()).unwrap();
        assert_eq!(event("status", &json), b"event: status\ndata: { \"a\":  1}\n\n");
    }
}
