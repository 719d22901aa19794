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

use super::event::{Event, Settings, TimedEvent, What, Wish, Wrote};
use super::fixtures;
use super::invariants::{Coverage, Invariants};
use super::model::{Heard, Model, Took, Word};

mod compare;
mod test_store;

use compare::row_of;
use test_store::TestStore;

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl Violation {
    /// # Errors
    /// When it does not hold.
    pub fn check(holds: bool, what: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self(what())) }
    }

    /// # Errors
    /// When the store says another thing than the model.
    pub fn check_same<T: PartialEq + fmt::Debug>(what: &str, store: &T, model: &T) -> Result<(), Self> {
        Self::check(store == model, || format!("{what}: the store says {store:?}, the model says {model:?}"))
    }
}

impl From<pilotlight_store::Error> for Violation {
    fn from(error: pilotlight_store::Error) -> Self {
        Self(format!("the store failed: {error:?}"))
    }
}

/// Everything at one moment of a history.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    now: u64,
    steps: u64,
    runtime: Runtime,
    store: TestStore,
    model: Model,
    invariants: Invariants,
    given: Vec<LeaseRef>,
}

/// A lease that was given, perhaps long ago.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "three words")]
pub struct LeaseRef {
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
            steps: 0,
            runtime,
            store: TestStore::new(settings),
            model: Model::new(settings),
            invariants: Invariants::default(),
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
    pub fn given(&self) -> &[LeaseRef] {
        &self.given
    }

    /// How much came about so far.
    #[must_use]
    pub const fn coverage(&self) -> Coverage {
        self.invariants.coverage()
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// What does not hold after it.
    pub fn play(&mut self, (at, event): TimedEvent) -> Result<(), Violation> {
        self.now = self.now.max(at);
        self.steps += 1;
        match event {
            Event::Submit(wish) => self.submit(wish),
            Event::Dispatch { runner, types } => self.dispatch(runner, types),
            Event::Claim { job, runner } => {
                let expected = self.model.claim(job, runner, self.now);
                self.say(
                    job,
                    Told::Claim { runner: fixtures::runner(runner) },
                    RunnerOutput::default(),
                    expected,
                )
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
        self.store.store()
    }

    const fn timestamp(&self) -> Timestamp {
        test_store::timestamp(self.now)
    }

    fn submit(&mut self, wish: Wish) -> Result<(), Violation> {
        let twin = self.model.current(wish.key);
        let expected = self.model.submit(&wish, self.now);
        let (new, now) = (new_job(&wish, self.timestamp()), self.timestamp());
        let submitted = self.runtime.block_on(self.store().submit(new, now))?;
        let (got, job) = match &submitted {
            SubmitOutcome::New(job) => (Took::New, Some(job)),
            SubmitOutcome::Existing(found) => {
                (Took::Known(fixtures::submission_of(found.job.id)), Some(&found.job))
            }
            SubmitOutcome::Conflict => (Took::Conflict, None),
            SubmitOutcome::QueueFull(full) => (Took::QueueFull(*full), None),
        };
        Violation::check_same("a submission", &got, &expected)?;
        match (got, twin) {
            (Took::New, Some(twin)) if wish.cache_mode == CacheMode::Reuse => {
                self.invariants.shares_nothing_with(twin)?;
                self.invariants.accepted(wish.number)?;
            }
            (Took::New, _) => self.invariants.accepted(wish.number)?,
            (Took::Known(_), _) if job.is_some_and(Job::has_ended) => self.invariants.count().known += 1,
            (Took::Known(_), _) => self.invariants.count().joined += 1,
            (Took::Conflict, _) => self.invariants.count().conflicts += 1,
            (Took::QueueFull(_), _) => self.invariants.count().full += 1,
        }
        job.map_or(Ok(()), |job| self.check(job))?;
        self.compare_current(wish.key)
    }

    /// The backlog is asked first: from then on delayed jobs whose time has come are ready.
    fn dispatch(&mut self, runner: u8, types: u8) -> Result<(), Violation> {
        self.compare_backlog()?;
        self.compare_available(types)?;
        let expected = self.model.dispatch(runner, types, self.now);
        let (wanted, name) = (fixtures::types(types), fixtures::runner(runner));
        let handed = self.runtime.block_on(self.store().dispatch(&wanted, &name, self.timestamp()))?;
        let got = handed.as_ref().map(|handed| fixtures::submission_of(handed.job.id));
        Violation::check_same("the next job", &got, &expected)?;
        let Some(LeasedJob { job, input }) = handed else { return Ok(()) };
        let number = fixtures::submission_of(job.id);
        let row = row_of(&job);
        Violation::check_same("its parameters", &input, &fixtures::text(row.key))?;
        self.invariants.changed(number, Transition::Dispatched, &row)?;
        self.note_lease(number, runner, row.lease);
        self.check(&job)
    }

    fn note_lease(&mut self, job: u32, runner: u8, lease: u64) {
        if self.given.len() == LEASES_REMEMBERED {
            self.given.remove(0);
        }
        self.given.push(LeaseRef { job, runner, lease });
    }

    fn say_of_execution(&mut self, job: u32, word: Word) -> Result<(), Violation> {
        let expected = self.model.say(job, &word, self.now);
        let payload = payload_of(&word);
        self.say(job, told_of(&word), payload, expected)
    }

    fn say(&mut self, job: u32, told: Told, payload: RunnerOutput, expected: Heard) -> Result<(), Violation> {
        let Some(id) = self.store.id_of(job) else {
            return Violation::check_same("a word about nobody", &Heard::Unknown, &expected);
        };
        let runner =
            if let Told::Claim { runner } = &told { Some(fixtures::runner_number(runner)) } else { None };
        let said = self.runtime.block_on(self.store().apply_event(id, told, payload, self.timestamp()))?;
        let (got, job_now) = match said {
            EventOutcome::Applied(answer) => (Heard::Taken(answer.transition), Some(answer.job)),
            EventOutcome::Rejected(refused, job) => (Heard::Rejected(refused), Some(job)),
            EventOutcome::ConsoleFull => (Heard::ConsoleFull, None),
            EventOutcome::UnknownJob => (Heard::Unknown, None),
        };
        Violation::check_same("a word", &got, &expected)?;
        match (got, &job_now) {
            (Heard::Taken(transition), Some(now)) => {
                let row = row_of(now);
                self.invariants.changed(job, transition, &row)?;
                if let Some(runner) = runner {
                    self.note_lease(job, runner, row.lease);
                }
            }
            _ => self.invariants.count().refused += 1,
        }
        job_now.as_ref().map_or(Ok(()), |job| self.check(job))?;
        self.compare_job(job)
    }

    fn sweep(&mut self) -> Result<(), Violation> {
        let expected = self.model.sweep(self.now);
        let mut changed = Vec::new();
        loop {
            let some = self.runtime.block_on(self.store().sweep(
                AT_A_TIME,
                Timestamp::default(),
                self.timestamp(),
            ))?;
            let is_all = some.len() < AT_A_TIME;
            for (job, transition) in some {
                let number = fixtures::submission_of(job.id);
                self.invariants.changed(number, transition, &row_of(&job))?;
                self.check(&job)?;
                changed.push((number, transition));
            }
            if is_all {
                break;
            }
        }
        changed.sort_unstable_by_key(|(number, _)| *number);
        Violation::check_same("the jobs that were due", &changed, &expected)
    }

    fn prune(&mut self) -> Result<(), Violation> {
        let before: Vec<u32> = self.model.jobs().map(|(number, _)| number).collect();
        let expected = self.model.prune(self.now);
        let keep_for = std::time::Duration::from_millis(self.settings.keep_for);
        let retention = Retention { keep_for, max_bytes: self.settings.max_bytes, at_most: AT_A_TIME };
        let mut pruned = 0;
        loop {
            let some = self.runtime.block_on(self.store().prune(retention, self.timestamp()))?.jobs;
            pruned += some;
            if some < AT_A_TIME as u64 {
                break;
            }
        }
        Violation::check_same("how many were pruned", &pruned, &expected)?;
        let gone = before.into_iter().filter(|number| self.model.job(*number).is_none());
        gone.collect::<Vec<_>>().into_iter().try_for_each(|number| self.invariants.forgotten(number))
    }

    fn delete(&mut self, job: u32, other: u32) -> Result<(), Violation> {
        let named: Vec<_> = [job, other].into_iter().filter_map(|number| self.store.id_of(number)).collect();
        let expected: Vec<u32> =
            [job, other].into_iter().filter(|number| self.model.delete(*number)).collect();
        let deleted = self.runtime.block_on(self.store().delete(&named))?;
        let deleted: Vec<u32> = deleted.into_iter().map(fixtures::submission_of).collect();
        Violation::check_same("the deleted", &deleted, &expected)?;
        deleted.into_iter().try_for_each(|number| self.invariants.forgotten(number))
    }

    /// Nothing that was answered is lost.
    fn restart(&mut self) -> Result<(), Violation> {
        self.store.restart()?;
        self.invariants.count().restarts += 1;
        self.compare_all()
    }

    /// A job as it was answered, beside the model's and the ledger's.
    fn check(&mut self, job: &Job) -> Result<(), Violation> {
        let number = fixtures::submission_of(job.id);
        self.store.note(number, job.id);
        let row = row_of(job);
        let expected = self.model.job(number).map(|(row, _)| row.clone());
        Violation::check_same(&format!("job {number}"), &Some(&row), &expected.as_ref())?;
        self.invariants.seen(number, &row)
    }
}

fn new_job(wish: &Wish, now: Timestamp) -> NewJob {
    let millis = std::time::Duration::from_millis;
    NewJob {
        id: fixtures::job_id(wish.number, now),
        job_type: fixtures::job_type(fixtures::type_of(wish.key)),
        key: fixtures::cache_key(wish.key),
        input: fixtures::text(wish.key),
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
    let by = job::LeaseClaim { runner: fixtures::runner(word.runner), lease: word.lease.map(LeaseId::new) };
    match word.what {
        What::Start => Told::Start(by),
        What::Heartbeat(progress) => {
            let progress = progress.map(|current| Progress { current: current.into(), total: 100 });
            Told::Heartbeat { lease_claim: by, progress }
        }
        What::Complete(result) => Told::Complete { lease_claim: by, result: fixtures::fingerprint(result) },
        What::Fail(report) => Told::Fail { lease_claim: by, report: fixtures::fingerprint(report) },
    }
}

fn payload_of(word: &Word) -> RunnerOutput {
    let bytes = |count: u8| "x".repeat(count.into());
    let console = word.console.map(|wrote| match wrote {
        Wrote::Whole(count) => ConsoleUpdate::Replace(bytes(count)),
        Wrote::Piece(count) => ConsoleUpdate::Append(bytes(count)),
    });
    let (output, error) = match word.what {
        What::Complete(result) => (Some(fixtures::text(result)), None),
        What::Fail(report) => (None, Some(fixtures::text(report))),
        What::Start | What::Heartbeat(_) => (None, None),
    };
    RunnerOutput { console, result: output, error }
}
