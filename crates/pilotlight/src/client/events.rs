//! The event stream of a job: the server-sent events of `GET /api/jobs/{id}/events`.
//!
//! The service closes the stream when the job ends, or after some minutes; then the caller must subscribe again. See
//! `docs/protocols/event-streams.md`.

use pilotlight_core::limits::{CLIENT_STREAM_TIMEOUT, MAX_CLIENT_RESPONSE_BYTES};
use pilotlight_wire::jobs::{Console, Job, Progress};
use reqwest::{Method, Response};
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
#[derive(Debug)]
pub struct EventStream {
    client: Client,
    action: String,
    response: Response,
    buffer: EventBuffer,
}

/// Bytes that were read and are not a complete event yet.
#[derive(Debug, Default)]
struct EventBuffer {
    bytes: Vec<u8>,
    /// The first `searched` bytes contain no end of an event.
    searched: usize,
}

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
        Ok(EventStream { client: self.clone(), action, response, buffer: EventBuffer::default() })
    }
}

impl EventStream {
    /// Waits for the next event; `None` when the service closed the stream.
    ///
    /// # Errors
    /// [`ClientError`]: the connection broke, or an event is invalid.
    pub async fn next(&mut self) -> Result<Option<JobEvent>, ClientError> {
        loop {
            while let Some(event) = self.buffer.next() {
                if let Some(job_event) = parse_event(&event).map_err(|reason| self.failure(reason))? {
                    return Ok(Some(job_event));
                }
            }
            if self.buffer.bytes.len() > MAX_CLIENT_RESPONSE_BYTES {
                return Err(self.failure(Reason::TooLarge));
            }
            let Ok(read) = timeout(CLIENT_STREAM_TIMEOUT, self.response.chunk()).await else {
                return Err(self.failure(Reason::NoResponse("the stream was silent for too long".into())));
            };
            let piece =
                read.map_err(|error| self.failure(Reason::NoResponse(root_cause(&error.without_url()))))?;
            let Some(piece) = piece else { return Ok(None) };
            self.buffer.bytes.extend_from_slice(&piece);
        }
    }

    fn failure(&self, reason: Reason) -> ClientError {
        self.client.failure(self.action.clone(), reason)
    }
}

impl EventBuffer {
    /// Takes the next complete event, without the empty line after it.
    fn next(&mut self) -> Option<Vec<u8>> {
        let from = self.searched.saturating_sub(1);
        let Some(at) = self.bytes[from..].windows(2).position(|two| two == b"\n\n") else {
            self.searched = self.bytes.len();
            return None;
        };
        let rest = self.bytes.split_off(from + at + 2);
        self.searched = 0;
        Some(std::mem::replace(&mut self.bytes, rest))
    }
}

/// `None` for a keepalive comment, and for event types that this version does not know.
fn parse_event(event: &[u8]) -> Result<Option<JobEvent>, Reason> {
    let (mut name, mut data) = (&b""[..], &b""[..]);
    for line in event.split(|byte| *byte == b'\n') {
        if let Some(text) = line.strip_prefix(b"event: ") {
            name = text;
        } else if let Some(text) = line.strip_prefix(b"data: ") {
            data = text;
        }
    }
    Ok(match name {
        b"status" => Some(JobEvent::Status(Box::new(parse_json(data)?))),
        b"progress" => Some(JobEvent::Progress(parse_json(data)?)),
        b"console" => Some(JobEvent::Console(parse_json(data)?)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_parsed_across_chunk_boundaries() {
        let text = "event: progress\ndata: {\"current\":1,\"total\":2}\n\n:\n\nevent: console\ndata: \
                    {\"is_whole\":true,\"text\":\"a\\n\"}\n\nevent: later\ndata: {}\n\n";
        for size in 1..text.len() {
            let mut buffer = EventBuffer::default();
            let mut job_events = Vec::new();
            for piece in text.as_bytes().chunks(size) {
                buffer.bytes.extend_from_slice(piece);
                while let Some(event) = buffer.next() {
                    job_events.extend(parse_event(&event).unwrap());
                }
            }
            let [JobEvent::Progress(progress), JobEvent::Console(console)] = &job_events[..] else {
                panic!("{job_events:?}")
            };
            assert_eq!((progress.current, progress.total), (1, 2));
            assert!(console.is_whole && console.text == "a\n");
        }
    }

    #[test]
    fn a_parse_error_does_not_contain_the_payload() {
        let Err(Reason::InvalidResponse(why)) = parse_event(b"event: progress\ndata: \"secret\"") else {
            panic!()
        };
        assert!(!why.contains("secret"), "{why}");
    }
}
