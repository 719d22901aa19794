//! Follows a job to its end, whatever becomes of the connection: a service that restarts is asked again, and what was told
//! already is not told twice. It shows nothing; `progress_view` does.

use std::time::Duration;

use pilotlight_core::retry;
use pilotlight_wire::jobs::{Console, Job, Progress, Status};
use tokio::time::{Instant, sleep};

use crate::client::{Client, ClientError, EventStream, JobEvent};

/// How long a service may be away before the command gives up: a restart takes seconds, a slow one a minute.
const MAX_OUTAGE: Duration = Duration::from_secs(120);

/// The pause before the first look whether it is back; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

const MAX_PAUSE: Duration = Duration::from_secs(2);

/// How long to wait for the end where too many watch already.
const STATUS_WAIT: Duration = Duration::from_secs(5);

/// Something new about a job.
#[derive(Debug)]
pub(super) enum JobUpdate {
    /// Where it stands.
    Status(Box<Job>),
    /// How far its runner is.
    Progress(Progress),
    /// What its command wrote since.
    Console(String),
    /// The service is away: why. It is asked again.
    Unreachable(String),
}

/// A job that is followed.
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

/// What was told of the console.
#[derive(Debug, Default)]
struct ConsoleTracker(String);

impl<'a> JobFollower<'a> {
    pub(super) fn new(client: &'a Client, id: &'a str) -> Self {
        Self { client, id, events: None, console: ConsoleTracker::default(), outage: None }
    }

    /// What is new. After a status that is an end there is nothing more.
    ///
    /// # Errors
    /// There is no such job, or the service is away for too long.
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
                // Whoever asks again is told why.
                Err(failure) if failure.is_transient() => {
                    self.events = None;
                    sleep(FIRST_PAUSE).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    /// Opens the stream; where too many watch, the job's status will do.
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

    /// Says why, the first time.
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
    /// What of it is new.
    fn update_of(&mut self, event: JobEvent) -> Option<JobUpdate> {
        match event {
            JobEvent::Status(job) => Some(JobUpdate::Status(job)),
            JobEvent::Progress(progress) => Some(JobUpdate::Progress(progress)),
            JobEvent::Console(console) => self.new_text(&console).map(JobUpdate::Console),
        }
    }

    /// After a restart the whole console comes again: only what was added is new. One that is another, of the next try,
    /// is new as a whole.
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
            "a piece may be like what was there"
        );
        assert_eq!(new_text_of(true, "one\none\n"), None, "the same again, on another connection");
        assert_eq!(new_text_of(true, "one\none\ntwo\n").as_deref(), Some("two\n"));
        assert_eq!(new_text_of(true, "again\n").as_deref(), Some("again\n"), "of the next try");
        assert_eq!(new_text_of(true, ""), None);
        assert_eq!(new_text_of(true, "again\n").as_deref(), Some("again\n"));
    }
}
