//! `GET /api/jobs/{id}/events`: the events of one job as server-sent events (`docs/protocols/event-streams.md`).
//! `status` comes first and after every change of the status; `progress` and `console` come when they change. The
//! stream ends after the job's end.

use std::collections::VecDeque;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use axum::response::sse::Event;
use futures_util::stream;
use pilotlight_core::job::Status;
use pilotlight_core::limits::MAX_JOB_STREAMS;
use pilotlight_store::JobRecord;
use pilotlight_wire::jobs::{Console, Progress};
use pilotlight_wire::warm_start::ErrorBody;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::error::ApiError;
use crate::http::event_stream;
use crate::jobs::http::callers::job_not_found;
use crate::jobs::http::extract::JobIdPath;
use crate::jobs::http::{JobsState, response};
use crate::jobs::{JobService, JobSubscription, JobView};

/// Limits how many job event streams are open at one time.
#[derive(Debug, Clone)]
pub(super) struct JobStreamLimit(Arc<Semaphore>);

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
pub(super) async fn watch(
    State(state): State<Arc<JobsState>>,
    JobIdPath(id): JobIdPath,
) -> Result<Response, ApiError> {
    let id = id.ok_or_else(job_not_found)?;
    let full =
        |_| ApiError::unavailable("too many job event streams are open; read the job's status instead");
    let permit = state.streams.0.clone().try_acquire_owned().map_err(full)?;
    let mut subscription = state.jobs.subscribe(id);
    let view = subscription.read().await?.ok_or_else(job_not_found)?;
    let job_stream = JobStream {
        jobs: Arc::clone(&state.jobs),
        subscription,
        sent: SentEvents::default(),
        _permit: permit,
    };
    let unsent = job_stream.first_events(&view).unwrap_or_default();
    Ok(event_stream::response(stream::unfold(unsent, Unsent::next)))
}

/// Events that are not sent yet, and what produces the next ones.
#[derive(Default)]
struct Unsent {
    events: VecDeque<Event>,
    /// The stream that continues after these events; `None` after the end of the job.
    job_stream: Option<JobStream>,
}

impl Unsent {
    /// Takes the next event. Waits when there is none; returns `None` at the end of the stream.
    async fn next(mut self) -> Option<(Event, Self)> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some((event, self));
            }
            self = self.job_stream?.next_events().await?;
        }
    }
}

/// One open event stream of a job.
struct JobStream {
    jobs: Arc<JobService>,
    subscription: JobSubscription,
    sent: SentEvents,
    _permit: OwnedSemaphorePermit,
}

impl JobStream {
    fn first_events(mut self, view: &JobView) -> Option<Unsent> {
        let events = self.new_events(view)?;
        Some(self.unsent(events))
    }

    /// Waits until there are new events. Returns `None` at the end of the stream.
    async fn next_events(mut self) -> Option<Unsent> {
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
                return Some(self.unsent(events));
            }
        }
    }

    fn unsent(self, events: VecDeque<Event>) -> Unsent {
        let is_open = !self.sent.status.is_some_and(Status::has_ended);
        Unsent { events, job_stream: is_open.then_some(self) }
    }

    fn new_events(&mut self, view: &JobView) -> Option<VecDeque<Event>> {
        let record = &view.record;
        let status = record.job.status(self.jobs.now());
        let mut events = VecDeque::new();
        events.extend(self.sent.console(view));
        events.extend(self.sent.progress(record));
        if self.sent.status.replace(status) != Some(status) {
            // `status` comes before the events that follow from it; the status of an ended job comes last.
            let at = if status.has_ended() { events.len() } else { 0 };
            let output = record.output.as_ref().filter(|_| status.has_ended()).cloned();
            let job = response::job(JobRecord { job: record.job.clone(), output }, self.jobs.now()).ok()?;
            events.insert(at, event("status", &job));
        }
        Some(events)
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
    fn progress(&mut self, record: &JobRecord) -> Option<Event> {
        let progress = response::progress(&record.job)?;
        (self.progress.replace(progress) != Some(progress)).then(|| event("progress", &progress))
    }

    fn console(&mut self, view: &JobView) -> Option<Event> {
        let output = view.record.output.as_ref()?;
        let (known, number) = self.console;
        let is_same = known == 0 || number == view.console_version;
        let grown = output.console.get(known..).filter(|_| is_same);
        let console = match grown {
            Some("") => return None,
            Some(text) if known > 0 => Console { is_whole: false, text: text.into() },
            Some(_) | None => Console { is_whole: true, text: output.console.as_str().into() },
        };
        self.console = (output.console.len(), view.console_version);
        Some(event("console", &console))
    }
}

/// Builds one event. Results may have line breaks between their JSON tokens. A line break would split the `data:` line,
/// so each becomes a space.
fn event(name: &str, data: &impl Serialize) -> Event {
    let data = serde_json::to_string(data).expect("wire types have string keys and finite numbers");
    Event::default().event(name).data(data.replace(['\r', '\n'], " "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::event_stream::tests::text_of;

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

    #[tokio::test]
    async fn console_output_is_sent_as_it_grows_and_in_full_when_it_was_replaced() {
        let mut sent = SentEvents::default();
        let mut new_events = async |console, number| text_of(sent.console(&view(console, number))).await;
        assert_eq!(new_events("", 0).await, "");
        assert_eq!(
            new_events("a\n", 0).await,
            "event: console\ndata: {\"is_whole\":true,\"text\":\"a\\n\"}\n\n"
        );
        assert_eq!(new_events("a\n", 0).await, "");
        assert_eq!(
            new_events("a\n\u{e9}", 0).await,
            "event: console\ndata: {\"is_whole\":false,\"text\":\"\u{e9}\"}\n\n"
        );
        assert_eq!(
            new_events("a \u{1f600}", 1).await,
            "event: console\ndata: {\"is_whole\":true,\"text\":\"a \u{1f600}\"}\n\n"
        );
        assert_eq!(new_events("b", 2).await, "event: console\ndata: {\"is_whole\":true,\"text\":\"b\"}\n\n");
    }

    #[tokio::test]
    async fn an_event_is_one_line_of_data() {
        let json = response::json("{\n\"a\":\r\n1}".into()).unwrap();
        assert_eq!(text_of([event("status", &json)]).await, "event: status\ndata: { \"a\":  1}\n\n");
    }
}
