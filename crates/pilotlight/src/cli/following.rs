//! Follows a job to its end, whatever becomes of the connection: a service that restarts is asked again, and what was told
//! already is not told twice. It shows nothing; `screen` does.

use std::time::Duration;

use pilotlight_core::retry;
use pilotlight_wire::jobs::{Console, Job, Progress, Status};
use tokio::time::{Instant, sleep};

use crate::client::{Client, EventStream, Failure, JobEvent};

/// How long a service may be away before the command gives up: a restart takes seconds, a slow one a minute.
const AWAY_AT_MOST: Duration = Duration::from_secs(120);

/// The pause before the first look whether it is back; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

const PAUSE_AT_MOST: Duration = Duration::from_secs(2);

/// How long to wait for the end where too many watch already.
const INSTEAD: Duration = Duration::from_secs(5);

/// Something new about a job.
#[derive(Debug)]
pub(super) enum Told {
    /// Where it stands.
    Status(Box<Job>),
    /// How far its runner is.
    Progress(Progress),
    /// What its command wrote since.
    Console(String),
    /// The service is away: why. It is asked again.
    Away(String),
}

/// A job that is followed.
pub(super) struct Following<'a> {
    client: &'a Client,
    id: &'a str,
    events: Option<EventStream>,
    told: Written,
    away: Option<Away>,
}

struct Away {
    since: Instant,
    tries: u32,
}

/// What was told of the console.
#[derive(Debug, Default)]
struct Written(String);

impl<'a> Following<'a> {
    pub(super) fn new(client: &'a Client, id: &'a str) -> Self {
        Self { client, id, events: None, told: Written::default(), away: None }
    }

    /// What is new. After a status that is an end there is nothing more.
    ///
    /// # Errors
    /// There is no such job, or the service is away for too long.
    pub(super) async fn next(&mut self) -> Result<Told, Failure> {
        loop {
            let Some(events) = &mut self.events else {
                match self.begin().await {
                    Ok(Some(job)) => {
                        self.away = None;
                        return Ok(Told::Status(Box::new(job)));
                    }
                    Ok(None) => continue,
                    Err(failure) => match self.wait_until_it_is_back(failure).await? {
                        Some(why) => return Ok(Told::Away(why)),
                        None => continue,
                    },
                }
            };
            match events.next().await {
                Ok(Some(news)) => {
                    self.away = None;
                    if let Some(told) = self.told.news(news) {
                        return Ok(told);
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
    async fn begin(&mut self) -> Result<Option<Job>, Failure> {
        match self.client.events(self.id).await {
            Ok(events) => {
                self.events = Some(events);
                Ok(None)
            }
            Err(failure) if matches!(failure.status(), Some(429 | 503)) => {
                self.client.status(self.id, INSTEAD).await.map(Some)
            }
            Err(failure) => Err(failure),
        }
    }

    /// Says why, the first time.
    async fn wait_until_it_is_back(&mut self, failure: Failure) -> Result<Option<String>, Failure> {
        let is_first = self.away.is_none();
        let away = self.away.get_or_insert_with(|| Away { since: Instant::now(), tries: 0 });
        if !failure.is_transient() || away.since.elapsed() > AWAY_AT_MOST {
            return Err(failure);
        }
        away.tries += 1;
        sleep(retry::backoff(FIRST_PAUSE, away.tries).min(PAUSE_AT_MOST)).await;
        Ok(is_first.then(|| failure.to_string()))
    }
}

impl Written {
    /// What of it is new.
    fn news(&mut self, news: JobEvent) -> Option<Told> {
        match news {
            JobEvent::Status(job) => Some(Told::Status(job)),
            JobEvent::Progress(progress) => Some(Told::Progress(progress)),
            JobEvent::Console(console) => self.grown(&console).map(Told::Console),
        }
    }

    /// After a restart the whole console comes again: only what was added is new. One that is another, of the next try,
    /// is new as a whole.
    fn grown(&mut self, Console { is_whole, text }: &Console<'_>) -> Option<String> {
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
    fn nothing_of_a_console_is_told_twice() {
        let mut written = Written::default();
        let mut tell = |is_whole, text: &str| written.grown(&Console { is_whole, text: text.into() });
        assert_eq!(tell(true, "one\n").as_deref(), Some("one\n"));
        assert_eq!(tell(false, "one\n").as_deref(), Some("one\n"), "a piece may be like what was there");
        assert_eq!(tell(true, "one\none\n"), None, "the same again, on another connection");
        assert_eq!(tell(true, "one\none\ntwo\n").as_deref(), Some("two\n"));
        assert_eq!(tell(true, "again\n").as_deref(), Some("again\n"), "of the next try");
        assert_eq!(tell(true, ""), None);
        assert_eq!(tell(true, "again\n").as_deref(), Some("again\n"));
    }
}
