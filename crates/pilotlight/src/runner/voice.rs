//! Speaks to the service about one job: that it lives, what its command writes, and how it ended, until that is taken.
//! A word that was refused for its lease is the last one.

use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use pilotlight_core::command::{Console, Lines, Progress, Said, Tell, refused};
use pilotlight_core::limits::{MAX_RUNNER_BACKOFF, RUNNER_FINAL_REPORT_TIMEOUT, RUNNER_HEARTBEAT_INTERVAL};
use pilotlight_core::retry;
use pilotlight_wire::requests::Word;
use pilotlight_wire::runner::NextJob;
use serde_json::value::RawValue;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::crew::Stop;
use crate::client::{Client, Failure, Job, Reason, Verdict};

/// The pause after the first report that did not arrive; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How a job ended.
#[derive(Debug)]
pub(super) enum Done {
    /// With this result.
    Result(Box<RawValue>),
    /// Without one, for this reason.
    Failed(String),
    /// Nobody is to be told.
    Gone,
}

/// What is said of one job.
#[derive(Debug)]
pub(super) struct Voice<'a> {
    client: &'a Client,
    /// The same, which waits for an answer as long as the lease allows.
    hasty: Client,
    runner: &'a str,
    job: &'a NextJob,
    heard: Mutex<Heard>,
    /// The service does not want it executed any more.
    gone: Notify,
    quit: Notify,
}

/// What was heard of the command.
#[derive(Debug, Default)]
struct Heard {
    lines: Lines,
    console: Console,
    progress: Option<Progress>,
    is_progress_told: bool,
}

/// What of the console goes with a word.
#[derive(Debug)]
enum Told {
    Nothing,
    Whole(String),
    Piece(String),
}

impl<'a> Voice<'a> {
    pub(super) fn new(client: &'a Client, runner: &'a str, job: &'a NextJob) -> Self {
        let heard = Mutex::default();
        let hasty = client.clone().answered_within(Duration::from_millis(job.lease_ms / 3));
        Self { client, hasty, runner, job, heard, gone: Notify::new(), quit: Notify::new() }
    }

    /// The command wrote this to stderr.
    pub(super) fn hear(&self, bytes: &[u8]) {
        let mut heard = self.heard();
        let said = heard.lines.read(bytes);
        heard.take(said);
    }

    /// The command writes no more for this job.
    pub(super) fn end(&self) {
        let mut heard = self.heard();
        let said = heard.lines.end();
        heard.take(said);
        heard.console.end();
        self.quit.notify_one();
    }

    pub(super) fn last_words(&self) -> String {
        self.heard().lines.last_words().to_owned()
    }

    /// Waits until the service does not want the job executed any more.
    pub(super) async fn gone(&self) {
        self.gone.notified().await;
    }

    /// Says that the runner is there to execute it, again for a third of the lease where the answer does not come: a
    /// start that was taken is taken once more.
    pub(super) async fn start(&self, stop: &Stop) -> bool {
        let until = Instant::now() + self.third();
        let mut failures = 0;
        loop {
            let failure = match self.hasty.start(self.about(), self.job.lease).await {
                Ok(Verdict::Taken) => return true,
                Ok(Verdict::Stale(why)) => {
                    tracing::info!(job = self.job.job_id, why, "came too late for a job");
                    return false;
                }
                Ok(Verdict::Cancelled) => return false,
                Err(failure) => failure,
            };
            failures += 1;
            let pause = retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF);
            let is_in_time = failure.is_passing() && Instant::now() + pause < until;
            if !is_in_time || timeout(pause, stop.asked()).await.is_ok() {
                tracing::warn!(job = self.job.job_id, "failed to {failure}; the job goes to another runner");
                return false;
            }
        }
    }

    fn third(&self) -> Duration {
        Duration::from_millis(self.job.lease_ms / 3)
    }

    /// Gives signs of life until the command has ended, or nobody wants it any more.
    pub(super) async fn beat(&self) {
        let third = self.third();
        let every = third.min(RUNNER_HEARTBEAT_INTERVAL);
        let mut due = Instant::now() + third;
        let mut is_well = true;
        loop {
            tokio::select! {
                () = self.quit.notified() => return,
                () = sleep(every) => {}
            }
            if Instant::now() + every < due && !self.heard().has_news() {
                continue;
            }
            match self.heartbeat().await {
                Ok(Verdict::Taken) => (due, is_well) = (Instant::now() + third, true),
                Ok(verdict) => {
                    let why = match verdict {
                        Verdict::Stale(why) => why,
                        Verdict::Cancelled | Verdict::Taken => "it was cancelled".to_owned(),
                    };
                    tracing::info!(job = self.job.job_id, why, "a job is not wanted any more");
                    self.gone.notify_one();
                    return;
                }
                Err(failure) if is_well => {
                    tracing::warn!(job = self.job.job_id, "failed to {failure}; the command goes on");
                    is_well = false;
                }
                Err(_) => {}
            }
        }
    }

    async fn heartbeat(&self) -> Result<Verdict, Failure> {
        let (told, progress) = (self.next_piece(), self.heard().progress);
        let word = Word {
            progress_current: progress.map(|at| at.current),
            progress_total: progress.map(|at| at.total),
            ..self.word(&told)
        };
        let said = self.hasty.heartbeat(self.about(), &word).await;
        let mut heard = self.heard();
        heard.is_progress_told |= said.is_ok() && heard.progress == progress;
        heard.settle(&said);
        said
    }

    /// Tells how it ended, until that is taken or refused, or there is no more time.
    pub(super) async fn report(&self, mut done: Done, stop: &Stop) {
        let mut over = pin!(stop.over(RUNNER_FINAL_REPORT_TIMEOUT));
        let mut failures = 0;
        loop {
            let reported = tokio::select! {
                reported = self.try_to_report(&mut done) => reported,
                () = over.as_mut() => return self.give_up(),
            };
            let Err(failure) = reported else { return };
            failures += 1;
            if failures == 1 {
                tracing::warn!(job = self.job.job_id, "failed to {failure}; trying on");
            }
            let pause = retry::backoff(FIRST_PAUSE, failures).min(MAX_RUNNER_BACKOFF);
            if !failure.is_passing() || timeout(pause, over.as_mut()).await.is_ok() {
                return self.give_up();
            }
        }
    }

    fn give_up(&self) {
        tracing::warn!(job = self.job.job_id, "gave up on telling how a job ended; its lease ends");
    }

    async fn try_to_report(&self, done: &mut Done) -> Result<(), Failure> {
        loop {
            if let Done::Gone = done {
                return Ok(());
            }
            while self.heard().console.pieces_left() > 1 {
                match self.heartbeat().await {
                    Ok(verdict) if self.is_stale(verdict.clone()) => return Ok(()),
                    // It takes no more of the console; the rest is left out.
                    Ok(_) | Err(Failure { reason: Reason::Refused(400, _), .. }) => {}
                    Err(failure) => return Err(failure),
                }
            }
            let told = self.next_piece();
            let word = self.word(&told);
            let said = match &*done {
                Done::Result(output) => {
                    self.client.complete(self.about(), &Word { output_data: Some(output), ..word }).await
                }
                Done::Failed(why) => {
                    self.client.fail(self.about(), &Word { error_message: Some(why), ..word }).await
                }
                Done::Gone => return Ok(()),
            };
            self.heard().settle(&said);
            match said {
                Ok(verdict) => {
                    self.is_stale(verdict);
                    return Ok(());
                }
                // Which of the two it does not want is found out one after the other.
                Err(failure) if failure.status() == Some(400) => match (told, &*done) {
                    (Told::Whole(_) | Told::Piece(_), _) => {}
                    (Told::Nothing, Done::Result(_)) => {
                        *done = Done::Failed(refused(failure.refusal().unwrap_or_default()));
                    }
                    (Told::Nothing, Done::Failed(_) | Done::Gone) => return Err(failure),
                },
                Err(failure) => return Err(failure),
            }
        }
    }

    fn is_stale(&self, verdict: Verdict) -> bool {
        match verdict {
            Verdict::Taken => false,
            Verdict::Cancelled => true,
            Verdict::Stale(why) => {
                tracing::info!(job = self.job.job_id, why, "a report counts no more and is dropped");
                true
            }
        }
    }

    fn next_piece(&self) -> Told {
        match self.heard().console.tell() {
            Tell::Nothing => Told::Nothing,
            Tell::Whole(text) => Told::Whole(text.to_owned()),
            Tell::Piece(text) => Told::Piece(text.to_owned()),
        }
    }

    fn word<'t>(&self, told: &'t Told) -> Word<'t> {
        let word = Word { lease: self.job.lease, ..Word::default() };
        match told {
            Told::Nothing => word,
            Told::Whole(text) => Word { console_output: Some(text), ..word },
            Told::Piece(text) => Word { console_append: Some(text), ..word },
        }
    }

    fn about(&self) -> Job<'_> {
        Job { runner: self.runner, id: &self.job.job_id }
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Heard {
    fn take(&mut self, said: Said) {
        self.console.write(&said.text);
        if said.progress.is_some() {
            (self.progress, self.is_progress_told) = (said.progress, false);
        }
    }

    fn has_news(&self) -> bool {
        self.console.is_behind() || (self.progress.is_some() && !self.is_progress_told)
    }

    fn settle(&mut self, said: &Result<Verdict, Failure>) {
        match said {
            Ok(_) => self.console.heard(),
            Err(failure) if failure.status() == Some(400) => self.console.refused(),
            Err(_) => self.console.unheard(),
        }
    }
}
