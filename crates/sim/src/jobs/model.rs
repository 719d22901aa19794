//! The reference: what becomes of jobs, written down once more and naively. Every job is a row in a list, every question
//! is answered by looking at all of them. Of `core::job` it knows the names of outcomes and nothing else.

use std::collections::BTreeMap;

use pilotlight_core::job::{
    CacheMode, CancelScope, Failure, QueueFull, QueueUsage, Rejected, Status, Transition,
};

use super::event::{Settings, What, Wish, Wrote};
use super::fixtures;

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `core::job::Job`")]
pub struct Row {
    pub key: u8,
    pub current: bool,
    pub priority: i32,
    pub run_at: u64,
    pub callers: u32,
    pub created: u64,
    pub updated: u64,
    pub ready: u64,
    pub attempts: u32,
    pub lost_attempts: u32,
    pub lease: u64,
    pub stage: Stage,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of `core::job::State`")]
pub enum Stage {
    Waiting,
    Sent { by: Hold, until: u64 },
    Working { by: Hold, heard: u64, progress: Option<u64>, spoke: bool },
    Done { by: Hold, result: u8, until: Option<u64>, stale: bool },
    Broke { by: Option<Hold>, report: Option<u8>, reason: Failure, until: Option<u64> },
}

/// Who has a job, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "two words")]
pub struct Hold {
    pub runner: u8,
    pub since: u64,
}

/// What was asked for, said and kept of a job, beside its row.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    max_attempts: u32,
    backoff: u64,
    ttl: Option<u64>,
    ended: u64,
    idempotency: Vec<u8>,
    /// Bytes of console.
    pub console: usize,
    /// The number of its result.
    pub output: Option<u8>,
    /// The number of its report.
    pub error: Option<u8>,
}

/// What a submission becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// A job of its own.
    New,
    /// This one is known.
    Known(u32),
    /// Its idempotency key means another.
    Conflict,
    /// There is no room for it.
    QueueFull(QueueFull),
}

/// What becomes of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// It is taken.
    Taken(Transition),
    /// It is not.
    Rejected(Rejected),
    /// Its console is too long.
    ConsoleFull,
    /// There is no such job.
    Unknown,
}

/// A word about an execution.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "as in `Event::Say`")]
pub struct Word {
    pub runner: u8,
    pub lease: Option<u64>,
    pub what: What,
    pub console: Option<Wrote>,
}

/// All jobs.
#[derive(Debug)]
pub struct Model {
    settings: Settings,
    jobs: BTreeMap<u32, (Row, Kept)>,
}

impl Stage {
    /// Whether nothing more becomes of it.
    #[must_use]
    pub const fn is_end(&self) -> bool {
        matches!(self, Self::Done { .. } | Self::Broke { .. })
    }

    const fn holder(&self) -> Option<Hold> {
        match self {
            Self::Waiting => None,
            Self::Sent { by, .. } | Self::Working { by, .. } | Self::Done { by, .. } => Some(*by),
            Self::Broke { by, .. } => *by,
        }
    }
}

impl Row {
    /// What callers are told at this moment.
    #[must_use]
    pub fn status(&self, now: u64) -> Status {
        match self.stage {
            Stage::Waiting => Status::Pending,
            Stage::Working { spoke: true, .. } => Status::InProgress,
            Stage::Sent { .. } | Stage::Working { .. } => Status::Claimed,
            Stage::Done { stale: true, .. } => Status::Expired,
            Stage::Done { until: Some(until), .. } if until <= now => Status::Expired,
            Stage::Done { .. } => Status::Completed,
            Stage::Broke { .. } => Status::Failed,
        }
    }

    fn is_ready(&self, now: u64) -> bool {
        self.stage == Stage::Waiting && self.ready <= now
    }

    /// Whether an equal submission is answered with this one's end.
    fn is_told(&self, now: u64) -> bool {
        match self.stage {
            Stage::Broke { until, .. } => until.is_some_and(|until| now < until),
            Stage::Done { .. } => self.status(now) == Status::Completed,
            Stage::Waiting | Stage::Sent { .. } | Stage::Working { .. } => false,
        }
    }

    fn queue(&mut self, ready: Option<u64>) {
        self.ready = ready.unwrap_or(self.ready);
        self.stage = Stage::Waiting;
    }
}

impl Model {
    /// No jobs.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self { settings, jobs: BTreeMap::new() }
    }

    /// A job.
    #[must_use]
    pub fn job(&self, number: u32) -> Option<&(Row, Kept)> {
        self.jobs.get(&number)
    }

    /// All of them, the first submitted first.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = (u32, &Row)> {
        self.jobs.iter().map(|(number, (row, _))| (*number, row))
    }

    /// The one that equal submissions find.
    #[must_use]
    pub fn current(&self, key: u8) -> Option<u32> {
        self.jobs().find(|(_, row)| row.key == key && row.current).map(|(number, _)| number)
    }

    /// Ready jobs of these types, the first submitted first.
    #[must_use]
    pub fn ready(&self, types: u8, now: u64) -> Vec<u32> {
        let ready = self
            .jobs()
            .filter(|(_, row)| row.is_ready(now) && fixtures::has(types, fixtures::type_of(row.key)));
        ready.map(|(number, _)| number).collect()
    }

    /// When the next delayed job's time comes.
    #[must_use]
    pub fn next_at(&self, now: u64) -> Option<u64> {
        let waiting = self.jobs().filter(|(_, row)| row.stage == Stage::Waiting && row.ready > now);
        waiting.map(|(_, row)| row.ready).min()
    }

    /// What waits.
    #[must_use]
    pub fn waiting(&self) -> QueueUsage {
        let waiting = self.jobs.values().filter(|(row, _)| row.stage == Stage::Waiting);
        let bytes: Vec<u64> = waiting.map(|(row, kept)| bytes_of(row, kept)).collect();
        QueueUsage { jobs: bytes.len() as u64, bytes: bytes.iter().sum() }
    }

    /// A caller submits.
    pub fn submit(&mut self, wish: &Wish, now: u64) -> Took {
        if let Some((known, key)) = self.known_by_idempotency(wish.idempotency) {
            return if key == wish.key { Took::Known(known) } else { Took::Conflict };
        }
        let Some(twin) = self.current(wish.key) else { return self.add(wish, true, now) };
        let row = &self.jobs[&twin].0;
        let (under_way, told) = (!row.stage.is_end(), row.is_told(now));
        match wish.cache_mode {
            CacheMode::Recompute => self.add(wish, !under_way && !told, now),
            CacheMode::Reuse if under_way => {
                self.join(twin, wish, now);
                Took::Known(twin)
            }
            CacheMode::Reuse if told => Took::Known(twin),
            CacheMode::Reuse => self.add(wish, true, now),
        }
    }

    fn known_by_idempotency(&self, idempotency: Option<u8>) -> Option<(u32, u8)> {
        let wanted = idempotency?;
        let known = self.jobs.iter().find(|(_, (_, kept))| kept.idempotency.contains(&wanted));
        known.map(|(number, (row, _))| (*number, row.key))
    }

    fn add(&mut self, wish: &Wish, current: bool, now: u64) -> Took {
        let (room, waiting) = (self.settings.queue_limits, self.waiting());
        if room.jobs > 0 && waiting.jobs >= room.jobs {
            return Took::QueueFull(QueueFull::Jobs(room.jobs));
        }
        if room.bytes > 0 && waiting.bytes >= room.bytes {
            return Took::QueueFull(QueueFull::Bytes(room.bytes));
        }
        if current {
            self.none_is_current(wish.key);
        }
        let run_at = now + wish.delay;
        let row = Row {
            key: wish.key,
            current,
            priority: wish.priority,
            run_at,
            callers: 1,
            created: now,
            updated: now,
            ready: run_at,
            attempts: 0,
            lost_attempts: 0,
            lease: 0,
            stage: Stage::Waiting,
        };
        let kept = Kept {
            max_attempts: wish.max_attempts,
            backoff: wish.backoff,
            ttl: wish.ttl,
            idempotency: wish.idempotency.into_iter().collect(),
            ..Kept::default()
        };
        self.jobs.insert(wish.number, (row, kept));
        Took::New
    }

    fn none_is_current(&mut self, key: u8) {
        self.jobs.values_mut().filter(|(row, _)| row.key == key).for_each(|(row, _)| row.current = false);
    }

    fn join(&mut self, twin: u32, wish: &Wish, now: u64) {
        let Some((row, kept)) = self.jobs.get_mut(&twin) else { return };
        let run_at = now + wish.delay;
        row.callers += 1;
        row.priority = row.priority.max(wish.priority);
        row.run_at = row.run_at.min(run_at);
        if row.attempts + row.lost_attempts == 0 {
            row.ready = row.ready.min(run_at);
        }
        row.updated = now;
        kept.idempotency.extend(wish.idempotency);
    }

    /// The next job for a runner, which has it from now on.
    pub fn dispatch(&mut self, runner: u8, types: u8, now: u64) -> Option<u32> {
        let ready = self.ready(types, now);
        let urgent = ready.iter().map(|number| self.jobs[number].0.priority).max()?;
        let next = ready.into_iter().find(|number| self.jobs[number].0.priority == urgent)?;
        let until = now + self.settings.start_timeout;
        self.give(next, runner, now, |by| Stage::Sent { by, until });
        Some(next)
    }

    /// A runner takes this job.
    pub fn claim(&mut self, job: u32, runner: u8, now: u64) -> Heard {
        let Some((row, _)) = self.jobs.get(&job) else { return Heard::Unknown };
        if !row.is_ready(now) {
            return Heard::Rejected(Rejected::NotAvailable);
        }
        self.give(job, runner, now, |by| Stage::Working { by, heard: now, progress: None, spoke: false });
        self.jobs.get_mut(&job).expect("it was there").0.attempts += 1;
        Heard::Taken(Transition::Claimed)
    }

    fn give(&mut self, job: u32, runner: u8, now: u64, stage: impl FnOnce(Hold) -> Stage) {
        let (row, kept) = self.jobs.get_mut(&job).expect("only a job that is there is given");
        row.lease += 1;
        row.updated = now;
        row.stage = stage(Hold { runner, since: now });
        kept.console = 0;
    }

    /// Somebody says something about an execution.
    pub fn say(&mut self, job: u32, word: &Word, now: u64) -> Heard {
        let Some(before) = self.jobs.get(&job).cloned() else { return Heard::Unknown };
        let (mut row, mut kept) = before;
        let transition = match self.told(&mut row, &kept, word, now) {
            Ok(Transition::Unchanged) => return Heard::Taken(Transition::Unchanged),
            Ok(transition) => transition,
            Err(refused) => return Heard::Rejected(refused),
        };
        if transition == Transition::Claimed {
            kept.console = 0;
        }
        match word.console {
            None => {}
            Some(Wrote::Whole(bytes)) => kept.console = bytes.into(),
            Some(Wrote::Piece(bytes)) => kept.console += usize::from(bytes),
        }
        if kept.console > self.settings.console_bytes && word.console.is_some() {
            return Heard::ConsoleFull;
        }
        self.end_as_said(&mut row, &mut kept, word.what, now);
        row.updated = now;
        if transition == Transition::Completed && !self.is_outdone(job, row.key, now) {
            self.none_is_current(row.key);
            row.current = true;
        }
        self.jobs.insert(job, (row, kept));
        Heard::Taken(transition)
    }

    /// Whether a later submission has a result already, which is known and valid.
    fn is_outdone(&self, job: u32, key: u8, now: u64) -> bool {
        let mut later = self.jobs().filter(|(number, row)| *number > job && row.key == key && row.current);
        later.any(|(_, row)| row.status(now) == Status::Completed)
    }

    /// What a word does to a row.
    fn told(&self, row: &mut Row, kept: &Kept, word: &Word, now: u64) -> Result<Transition, Rejected> {
        self.is_in_force(row, word)?;
        if let Some(repeated) = repeated(row, word.what) {
            return repeated;
        }
        let begins = match row.stage {
            Stage::Sent { by, until } if now < until => {
                row.attempts += 1;
                row.stage = Stage::Working { by, heard: now, progress: None, spoke: false };
                true
            }
            Stage::Working { .. } => false,
            Stage::Sent { .. } => return Err(Rejected::StaleLease),
            Stage::Broke { reason: Failure::Cancelled, .. } => return Err(Rejected::Cancelled),
            Stage::Done { .. } | Stage::Broke { .. } => return Err(Rejected::EndedDifferently),
            Stage::Waiting => return Err(Rejected::NotLeaseHolder),
        };
        let Stage::Working { by, progress: known, .. } = row.stage else {
            return Err(Rejected::NotLeaseHolder);
        };
        match word.what {
            What::Start if begins => Ok(Transition::Claimed),
            What::Start => Ok(Transition::Unchanged),
            What::Heartbeat(progress) => {
                let progress = progress.map(u64::from).or(known);
                row.stage = Stage::Working { by, heard: now, progress, spoke: true };
                Ok(Transition::Heartbeat)
            }
            What::Complete(result) => {
                let until = kept.ttl.map(|ttl| now + ttl);
                row.stage = Stage::Done { by, result, until, stale: false };
                Ok(Transition::Completed)
            }
            What::Fail(_) if row.attempts < kept.max_attempts => {
                row.queue(Some(now + pause(kept.backoff, row.attempts)));
                Ok(Transition::Queued)
            }
            What::Fail(report) => {
                let (report, until) = (Some(report), Some(now + self.settings.failed_ttl));
                row.stage = Stage::Broke { by: Some(by), report, reason: Failure::Error, until };
                Ok(Transition::Failed)
            }
        }
    }

    fn is_in_force(&self, row: &Row, word: &Word) -> Result<(), Rejected> {
        let is_holder = row.stage.holder().is_some_and(|by| by.runner == word.runner);
        match word.lease {
            Some(lease) if lease == row.lease && is_holder => Ok(()),
            Some(_) => Err(Rejected::StaleLease),
            None if is_holder => Ok(()),
            None => Err(Rejected::NotLeaseHolder),
        }
    }

    fn end_as_said(&self, row: &mut Row, kept: &mut Kept, what: What, now: u64) {
        if !row.stage.is_end() {
            return;
        }
        kept.ended = now;
        match what {
            What::Complete(result) => kept.output = Some(result),
            What::Fail(report) => kept.error = Some(report),
            What::Start | What::Heartbeat(_) => {}
        }
    }

    /// A dispatch did not arrive.
    pub fn void(&mut self, job: u32, lease: u64, now: u64) -> Heard {
        let Some((row, _)) = self.jobs.get_mut(&job) else { return Heard::Unknown };
        if row.lease != lease || !matches!(row.stage, Stage::Sent { .. }) {
            return Heard::Rejected(Rejected::StaleLease);
        }
        row.queue(None);
        row.updated = now;
        Heard::Taken(Transition::Queued)
    }

    /// A caller leaves.
    pub fn cancel(&mut self, job: u32, whose: CancelScope, now: u64) -> Heard {
        let Some((row, kept)) = self.jobs.get_mut(&job) else { return Heard::Unknown };
        if row.stage.is_end() {
            return Heard::Rejected(Rejected::AlreadyEnded);
        }
        row.updated = now;
        row.callers = match whose {
            CancelScope::OneCaller => row.callers.saturating_sub(1),
            CancelScope::AllCallers => 0,
        };
        if row.callers > 0 {
            return Heard::Taken(Transition::CallerLeft);
        }
        let by = row.stage.holder();
        row.stage = Stage::Broke { by, report: None, reason: Failure::Cancelled, until: None };
        kept.ended = now;
        Heard::Taken(Transition::Failed)
    }

    /// A result is not valid any more.
    pub fn invalid(&mut self, job: u32, now: u64) -> Heard {
        let Some((row, _)) = self.jobs.get_mut(&job) else { return Heard::Unknown };
        let Stage::Done { stale, .. } = &mut row.stage else {
            return Heard::Rejected(Rejected::EndedDifferently);
        };
        if std::mem::replace(stale, true) {
            return Heard::Taken(Transition::Unchanged);
        }
        row.updated = now;
        Heard::Taken(Transition::Expired)
    }

    /// Time is told to whoever is due.
    pub fn sweep(&mut self, now: u64) -> Vec<(u32, Transition)> {
        let Settings { heartbeat_timeout, lost_retries, .. } = self.settings;
        let mut changed = Vec::new();
        for (number, (row, kept)) in &mut self.jobs {
            let transition = match &mut row.stage {
                Stage::Sent { until, .. } if *until <= now => {
                    row.queue(None);
                    Transition::Queued
                }
                Stage::Working { by, heard, .. } if *heard + heartbeat_timeout <= now => {
                    let by = *by;
                    row.lost_attempts += 1;
                    if row.lost_attempts <= lost_retries {
                        row.attempts -= 1;
                        row.queue(Some(now));
                        Transition::Queued
                    } else {
                        let (report, until) = (None, None);
                        row.stage = Stage::Broke { by: Some(by), report, reason: Failure::Lost, until };
                        kept.ended = now;
                        Transition::Failed
                    }
                }
                Stage::Done { until: Some(until), stale, .. } if !*stale && *until <= now => {
                    *stale = true;
                    Transition::Expired
                }
                Stage::Waiting | Stage::Sent { .. } | Stage::Working { .. } => continue,
                Stage::Done { .. } | Stage::Broke { .. } => continue,
            };
            row.updated = now;
            changed.push((*number, transition));
        }
        changed
    }

    /// Old jobs are forgotten. Returns how many.
    pub fn prune(&mut self, now: u64) -> u64 {
        let Settings { keep_for, max_bytes, .. } = self.settings;
        let ended = self.jobs.iter().filter(|(_, (row, _))| row.stage.is_end());
        let mut ended: Vec<_> =
            ended.map(|(number, (row, kept))| (kept.ended, *number, bytes_of(row, kept))).collect();
        ended.sort_unstable();
        let mut left: u64 = ended.iter().map(|(_, _, bytes)| bytes).sum();
        let mut pruned = 0;
        for (at, number, bytes) in ended {
            if now - at < keep_for && (max_bytes == 0 || left <= max_bytes) {
                break;
            }
            self.jobs.remove(&number);
            left -= bytes;
            pruned += 1;
        }
        pruned
    }

    /// Somebody deletes a job. Says whether it was there.
    pub fn delete(&mut self, job: u32) -> bool {
        self.jobs.remove(&job).is_some()
    }
}

/// What its parameters, its end and its console come to.
fn bytes_of(row: &Row, kept: &Kept) -> u64 {
    let texts = [Some(row.key), kept.output, kept.error].into_iter().flatten();
    (texts.map(|number| fixtures::text(number).len()).sum::<usize>() + kept.console) as u64
}

/// The same report again, or another one of the same kind, about a job that has ended.
fn repeated(row: &Row, what: What) -> Option<Result<Transition, Rejected>> {
    match (row.stage, what) {
        (Stage::Done { result, .. }, What::Complete(again)) if result == again => {
            Some(Ok(Transition::Unchanged))
        }
        (Stage::Broke { report: Some(report), .. }, What::Fail(again)) if report == again => {
            Some(Ok(Transition::Unchanged))
        }
        _ => None,
    }
}

/// Twice as long after each further failure, an hour at most.
fn pause(first: u64, failures: u32) -> u64 {
    let mut pause = first;
    for _ in 1..failures {
        pause = (pause * 2).min(3_600_000).max(first);
    }
    pause
}
