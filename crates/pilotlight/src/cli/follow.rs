//! Follows a job to its end over the event stream, reconnecting when the service restarts, and reports every piece of
//! console output once. It prints nothing; `progress_view` does.

use std::time::Duration;

use pilotlight_client::{Client, ClientError, EventStream, JobEvent};
use pilotlight_core::retry;
use pilotlight_wire::jobs::{Console, Job, Progress, Status};
use tokio::time::{Instant, sleep};

/// How long the service may be unreachable before the command gives up: a restart takes seconds, a slow one a minute.
const MAX_OUTAGE: Duration = Duration::from_secs(120);

/// The pause before the first reconnection attempt; each further attempt doubles it, up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How long one status request waits for the job's end, when the service has too many subscribers to open a stream.
const STATUS_WAIT: Duration = Duration::from_secs(5);

/// A change of a job.
#[derive(Debug)]
pub(super) enum JobUpdate {
    /// The job's current status.
    Status(Box<Job>),
    /// The job's current progress.
    Progress(Progress),
    /// Console output that was not reported yet.
    Console(String),
    /// The service is unreachable, for this reason; the follower keeps reconnecting.
    Unreachable(String),
}

/// Follows one job.
pub(super) struct JobFollower<'a> {
    client: &'a Client,
    id: &'a str,
    events: Option<EventStream>,
    console: ConsoleTracker,
    outage: Option<Outage>,
}

struct Outage {
    since: Instant,
    attempts: u32,
}

/// The console output that was reported so far.
#[derive(Debug, Default)]
struct ConsoleTracker(String);

impl<'a> JobFollower<'a> {
    pub(super) fn new(client: &'a Client, id: &'a str) -> Self {
        Self { client, id, events: None, console: ConsoleTracker::default(), outage: None }
    }

    /// Waits for the next update. Do not call it again after a final status: see [`has_ended`].
    ///
    /// # Errors
    /// There is no such job, or the service was unreachable for more than [`MAX_OUTAGE`].
    pub(super) async fn next(&mut self) -> Result<JobUpdate, ClientError> {
        loop {
            let Some(events) = &mut self.events else {
                match self.connect().await {
                    Ok(Some(job)) => {
                        self.outage = None;
                        return Ok(JobUpdate::Status(Box::new(job)));
                    }
                    Ok(None) => continue,
                    Err(failure) => match self.wait_for_service(failure).await? {
                        Some(why) => return Ok(JobUpdate::Unreachable(why)),
                        None => continue,
                    },
                }
            };
            match events.next().await {
                Ok(Some(event)) => {
                    self.outage = None;
                    if let Some(update) = self.console.update_of(event) {
                        return Ok(update);
                    }
                }
                Ok(None) => {
                    self.events = None;
                    sleep(FIRST_PAUSE).await;
                }
                // Reconnecting reports the reason if the service is still unreachable.
                Err(failure) if failure.is_transient() => {
                    self.events = None;
                    sleep(FIRST_PAUSE).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Opens the event stream. If the service has too many subscribers, requests the job's status instead.
    async fn connect(&mut self) -> Result<Option<Job>, ClientError> {
        match self.client.events(self.id).await {
            Ok(events) => {
                self.events = Some(events);
                Ok(None)
            }
            Err(failure) if matches!(failure.status(), Some(429 | 503)) => {
                self.client.status(self.id, STATUS_WAIT).await.map(Some)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Pauses before the next attempt. Returns the reason at the first attempt of an outage.
    async fn wait_for_service(&mut self, failure: ClientError) -> Result<Option<String>, ClientError> {
        let is_first = self.outage.is_none();
        let outage = self.outage.get_or_insert_with(|| Outage { since: Instant::now(), attempts: 0 });
        if !failure.is_transient() || outage.since.elapsed() > MAX_OUTAGE {
            return Err(failure);
        }
        outage.attempts += 1;
        sleep(retry::backoff(FIRST_PAUSE, outage.attempts).min(MAX_PAUSE)).await;
        Ok(is_first.then(|| failure.to_string()))
    }
}

impl ConsoleTracker {
    /// The update for an event; `None` if the event adds nothing new.
    fn update_of(&mut self, event: JobEvent) -> Option<JobUpdate> {
        match event {
            JobEvent::Status(job) => Some(JobUpdate::Status(job)),
            JobEvent::Progress(progress) => Some(JobUpdate::Progress(progress)),
            JobEvent::Console(console) => self.new_text(&console).map(JobUpdate::Console),
        }
    }

    /// The console text that was not reported yet. A new connection sends the whole console again, of which only the
    /// added text is new. A whole console that does not begin with the known text belongs to the next attempt and is
    /// all new.
    fn new_text(&mut self, Console { is_whole, text }: &Console<'_>) -> Option<String> {
        let added = match text.strip_prefix(self.0.as_str()) {
            Some(added) if *is_whole => added,
            Some(_) | None => text,
        };
        let added = added.to_owned();
        if *is_whole {
            self.0.clear();
        }
        self.0.push_str(text);
        Some(added).filter(|added| !added.is_empty())
    }
}

/// Whether a job in this status has ended.
pub(super) const fn has_ended(status: Status) -> bool {
    match status {
        Status::Pending | Status::Claimed | Status::InProgress => false,
        Status::Completed | Status::Failed | Status::Expired => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_text_is_never_reported_twice() {
        let mut tracker = ConsoleTracker::default();
        let mut new_text_of =
            |is_whole, text: &str| tracker.new_text(&Console { is_whole, text: text.into() });
        assert_eq!(new_text_of(true, "one\n").as_deref(), Some("one\n"));
        assert_eq!(
            new_text_of(false, "one\n").as_deref(),
            Some("one\n"),
            "a chunk may equal an earlier chunk"
        );
        assert_eq!(new_text_of(true, "one\none\n"), None, "the whole console again, on another connection");
        assert_eq!(new_text_of(true, "one\none\ntwo\n").as_deref(), Some("two\n"));
        assert_eq!(
            new_text_of(true, "again\n").as_deref(),
            Some("again\n"),
            "the console of the next attempt"
        );
        assert_eq!(new_text_of(true, ""), None);
        assert_eq!(new_text_of(true, "again\n").as_deref(), Some("again\n"));
    }
}
