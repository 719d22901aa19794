//! Plays a history to a store and to the model at once. After every event both must say the same of the job that it was
//! about, now and then of all of them, and the ledger must have nothing against it.

use std::fmt;
use std::sync::Arc;

use pilotlight_core::job::{self, CacheMode, Event as Told, Job, JobOptions, LeaseId, Progress, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{
    ConsoleUpdate, EventOutcome, IdempotencyKey, LeasedJob, NewJob, Retention, RunnerOutput, Store,
    SubmitOutcome,
};
use tokio::runtime::Runtime;

use super::cast;
use super::event::{Event, Settings, Timed, What, Wish, Wrote};
use super::ledger::{Ledger, Tally};
use super::model::{Heard, Model, Took, Word};

mod compare;
mod house;

use compare::row_of;
use house::House;

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

impl Broken {
    /// # Errors
    /// When it does not hold.
    pub fn unless(holds: bool, what: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self(what())) }
    }

    /// # Errors
    /// When the store says another thing than the model.
    pub fn unless_same<T: PartialEq + fmt::Debug>(what: &str, store: &T, model: &T) -> Result<(), Self> {
        Self::unless(store == model, || format!("{what}: the store says {store:?}, the model says {model:?}"))
    }
}

impl From<pilotlight_store::Error> for Broken {
    fn from(error: pilotlight_store::Error) -> Self {
        Self(format!("the store failed: {error:?}"))
    }
}

/// Everything at one moment of a history.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    now: u64,
    played: u64,
    runtime: Runtime,
    house: House,
    model: Model,
    ledger: Ledger,
    given: Vec<Given>,
}

/// A lease that was given, perhaps long ago.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "three words")]
pub struct Given {
    pub job: u32,
    pub runner: u8,
    pub lease: u64,
}

/// Older ones are forgotten: nobody wakes up that late.
const LEASES_REMEMBERED: usize = 200;

/// Told in one transaction.
const AT_A_TIME: usize = 50;

impl World {
    /// The beginning.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime can be made");
        Self {
            settings,
            now: 0,
            played: 0,
            runtime,
            house: House::new(settings),
            model: Model::new(settings),
            ledger: Ledger::default(),
            given: Vec::new(),
        }
    }

    /// What the model knows.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// Leases that were given, the last one last.
    #[must_use]
    pub fn given(&self) -> &[Given] {
        &self.given
    }

    /// How much came about so far.
    #[must_use]
    pub const fn tally(&self) -> Tally {
        self.ledger.tally()
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// What does not hold after it.
    pub fn play(&mut self, (at, event): Timed) -> Result<(), Broken> {
        self.now = self.now.max(at);
        self.played += 1;
        match event {
            Event::Submit(wish) => self.submit(wish),
            Event::Dispatch { runner, types } => self.dispatch(runner, types),
            Event::Claim { job, runner } => {
                let expected = self.model.claim(job, runner, self.now);
                self.say(job, Told::Claim { runner: cast::runner(runner) }, RunnerOutput::default(), expected)
            }
            Event::Say { job, runner, lease, what, console } => {
                self.say_of_execution(job, Word { runner, lease, what, console })
            }
            Event::Void { job, lease } => {
                let expected = self.model.void(job, lease, self.now);
                self.say(
                    job,
                    Told::DispatchFailed { lease: LeaseId::new(lease) },
                    RunnerOutput::default(),
                    expected,
                )
            }
            Event::Cancel { job, whose } => {
                let expected = self.model.cancel(job, whose, self.now);
                self.say(job, Told::Cancel(whose), RunnerOutput::default(), expected)
            }
            Event::Invalid { job } => {
                let expected = self.model.invalid(job, self.now);
                self.say(job, Told::ResultInvalid, RunnerOutput::default(), expected)
            }
            Event::Sweep => self.sweep(),
            Event::Prune => self.prune(),
            Event::Delete { job, other } => self.delete(job, other),
            Event::Restart => self.restart(),
        }?;
        self.compare_now_and_then()
    }

    fn store(&self) -> Arc<dyn Store> {
        self.house.store()
    }

    const fn epoch(&self) -> Timestamp {
        house::epoch(self.now)
    }

    fn submit(&mut self, wish: Wish) -> Result<(), Broken> {
        let twin = self.model.current(wish.key);
        let expected = self.model.submit(&wish, self.now);
        let (new, now) = (new_job(&wish, self.epoch()), self.epoch());
        let submitted = self.runtime.block_on(self.store().submit(new, now))?;
        let (got, job) = match &submitted {
            SubmitOutcome::New(job) => (Took::New, Some(job)),
            SubmitOutcome::Existing(found) => {
                (Took::Known(cast::submission_of(found.job.id)), Some(&found.job))
            }
            SubmitOutcome::Conflict => (Took::Conflict, None),
            SubmitOutcome::QueueFull(full) => (Took::QueueFull(*full), None),
        };
        Broken::unless_same("a submission", &got, &expected)?;
        match (got, twin) {
            (Took::New, Some(twin)) if wish.cache_mode == CacheMode::Reuse => {
                self.ledger.shares_nothing_with(twin)?;
                self.ledger.accepted(wish.number)?;
            }
            (Took::New, _) => self.ledger.accepted(wish.number)?,
            (Took::Known(_), _) if job.is_some_and(Job::has_ended) => self.ledger.count().known += 1,
            (Took::Known(_), _) => self.ledger.count().joined += 1,
            (Took::Conflict, _) => self.ledger.count().conflicts += 1,
            (Took::QueueFull(_), _) => self.ledger.count().full += 1,
        }
        job.map_or(Ok(()), |job| self.check(job))?;
        self.compare_current(wish.key)
    }

    /// The backlog is asked first: from then on delayed jobs whose time has come are ready.
    fn dispatch(&mut self, runner: u8, types: u8) -> Result<(), Broken> {
        self.compare_backlog()?;
        self.compare_available(types)?;
        let expected = self.model.dispatch(runner, types, self.now);
        let (wanted, name) = (cast::types(types), cast::runner(runner));
        let handed = self.runtime.block_on(self.store().dispatch(&wanted, &name, self.epoch()))?;
        let got = handed.as_ref().map(|handed| cast::submission_of(handed.job.id));
        Broken::unless_same("the next job", &got, &expected)?;
        let Some(LeasedJob { job, input }) = handed else { return Ok(()) };
        let number = cast::submission_of(job.id);
        let row = row_of(&job);
        Broken::unless_same("its parameters", &input, &cast::text(row.key))?;
        self.ledger.changed(number, Transition::Dispatched, &row)?;
        self.note_lease(number, runner, row.lease);
        self.check(&job)
    }

    fn note_lease(&mut self, job: u32, runner: u8, lease: u64) {
        if self.given.len() == LEASES_REMEMBERED {
            self.given.remove(0);
        }
        self.given.push(Given { job, runner, lease });
    }

    fn say_of_execution(&mut self, job: u32, word: Word) -> Result<(), Broken> {
        let expected = self.model.say(job, &word, self.now);
        let payload = payload_of(&word);
        self.say(job, told_of(&word), payload, expected)
    }

    fn say(&mut self, job: u32, told: Told, payload: RunnerOutput, expected: Heard) -> Result<(), Broken> {
        let Some(id) = self.house.id_of(job) else {
            return Broken::unless_same("a word about nobody", &Heard::Unknown, &expected);
        };
        let runner =
            if let Told::Claim { runner } = &told { Some(cast::runner_number(runner)) } else { None };
        let said = self.runtime.block_on(self.store().apply_event(id, told, payload, self.epoch()))?;
        let (got, job_now) = match said {
            EventOutcome::Applied(answer) => (Heard::Taken(answer.transition), Some(answer.job)),
            EventOutcome::Rejected(refused, job) => (Heard::Rejected(refused), Some(job)),
            EventOutcome::ConsoleFull => (Heard::ConsoleFull, None),
            EventOutcome::UnknownJob => (Heard::Unknown, None),
        };
        Broken::unless_same("a word", &got, &expected)?;
        match (got, &job_now) {
            (Heard::Taken(transition), Some(now)) => {
                let row = row_of(now);
                self.ledger.changed(job, transition, &row)?;
                if let Some(runner) = runner {
                    self.note_lease(job, runner, row.lease);
                }
            }
            _ => self.ledger.count().refused += 1,
        }
        job_now.as_ref().map_or(Ok(()), |job| self.check(job))?;
        self.compare_job(job)
    }

    fn sweep(&mut self) -> Result<(), Broken> {
        let expected = self.model.sweep(self.now);
        let mut changed = Vec::new();
        loop {
            let some =
                self.runtime.block_on(self.store().sweep(AT_A_TIME, Timestamp::default(), self.epoch()))?;
            let is_all = some.len() < AT_A_TIME;
            for (job, transition) in some {
                let number = cast::submission_of(job.id);
                self.ledger.changed(number, transition, &row_of(&job))?;
                self.check(&job)?;
                changed.push((number, transition));
            }
            if is_all {
                break;
            }
        }
        changed.sort_unstable_by_key(|(number, _)| *number);
        Broken::unless_same("the jobs that were due", &changed, &expected)
    }

    fn prune(&mut self) -> Result<(), Broken> {
        let before: Vec<u32> = self.model.jobs().map(|(number, _)| number).collect();
        let expected = self.model.prune(self.now);
        let keep_for = std::time::Duration::from_millis(self.settings.keep_for);
        let retention = Retention { keep_for, max_bytes: self.settings.max_bytes, at_most: AT_A_TIME };
        let mut pruned = 0;
        loop {
            let some = self.runtime.block_on(self.store().prune(retention, self.epoch()))?.jobs;
            pruned += some;
            if some < AT_A_TIME as u64 {
                break;
            }
        }
        Broken::unless_same("how many were pruned", &pruned, &expected)?;
        let gone = before.into_iter().filter(|number| self.model.job(*number).is_none());
        gone.collect::<Vec<_>>().into_iter().try_for_each(|number| self.ledger.forgotten(number))
    }

    fn delete(&mut self, job: u32, other: u32) -> Result<(), Broken> {
        let named: Vec<_> = [job, other].into_iter().filter_map(|number| self.house.id_of(number)).collect();
        let expected: Vec<u32> =
            [job, other].into_iter().filter(|number| self.model.delete(*number)).collect();
        let deleted = self.runtime.block_on(self.store().delete(&named))?;
        let deleted: Vec<u32> = deleted.into_iter().map(cast::submission_of).collect();
        Broken::unless_same("the deleted", &deleted, &expected)?;
        deleted.into_iter().try_for_each(|number| self.ledger.forgotten(number))
    }

    /// Nothing that was answered is lost.
    fn restart(&mut self) -> Result<(), Broken> {
        self.house.restart()?;
        self.ledger.count().restarts += 1;
        self.compare_all()
    }

    /// A job as it was answered, beside the model's and the ledger's.
    fn check(&mut self, job: &Job) -> Result<(), Broken> {
        let number = cast::submission_of(job.id);
        self.house.note(number, job.id);
        let row = row_of(job);
        let expected = self.model.job(number).map(|(row, _)| row.clone());
        Broken::unless_same(&format!("job {number}"), &Some(&row), &expected.as_ref())?;
        self.ledger.seen(number, &row)
    }
}

fn new_job(wish: &Wish, now: Timestamp) -> NewJob {
    let millis = std::time::Duration::from_millis;
    NewJob {
        id: cast::job_id(wish.number, now),
        job_type: cast::job_type(cast::type_of(wish.key)),
        key: cast::cache_key(wish.key),
        input: cast::text(wish.key),
        options: JobOptions {
            priority: wish.priority,
            run_at: now.after(millis(wish.delay)),
            max_attempts: wish.max_attempts,
            retry_backoff: millis(wish.backoff),
            ttl: wish.ttl.map(millis),
        },
        cache_mode: wish.cache_mode,
        idempotency_key: wish.idempotency.map(|number| IdempotencyKey([number; 32])),
    }
}

fn told_of(word: &Word) -> Told {
    let by = job::LeaseClaim { runner: cast::runner(word.runner), lease: word.lease.map(LeaseId::new) };
    match word.what {
        What::Start => Told::Start(by),
        What::Heartbeat(progress) => {
            let progress = progress.map(|current| Progress { current: current.into(), total: 100 });
            Told::Heartbeat { lease_claim: by, progress }
        }
        What::Complete(result) => Told::Complete { lease_claim: by, result: cast::fingerprint(result) },
        What::Fail(report) => Told::Fail { lease_claim: by, report: cast::fingerprint(report) },
    }
}

fn payload_of(word: &Word) -> RunnerOutput {
    let bytes = |count: u8| "x".repeat(count.into());
    let console = word.console.map(|wrote| match wrote {
        Wrote::Whole(count) => ConsoleUpdate::Replace(bytes(count)),
        Wrote::Piece(count) => ConsoleUpdate::Append(bytes(count)),
    });
    let (output, error) = match word.what {
        What::Complete(result) => (Some(cast::text(result)), None),
        What::Fail(report) => (None, Some(cast::text(report))),
        What::Start | What::Heartbeat(_) => (None, None),
    };
    RunnerOutput { console, result: output, error }
}
