//! PLACEHOLDER: forgets everything at its end. It goes when a real store is composed.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Admitted, Change, Event, Job, JobId, Rules, Status, Submission, admit};
use pilotlight_core::time::Epoch;
use pilotlight_store::{
    Answer, Backlog, Console, Counts, End, Error, Found, Handed, HookCall, HookId, Listed, NewJob, Payload,
    Pruned, Retention, Runner, Said, Store, Submitted, Told,
};

/// In memory.
#[derive(Debug)]
pub struct StandIn {
    rules: Rules,
    console_bytes: usize,
    all: Mutex<All>,
}

#[derive(Debug, Default)]
struct All {
    jobs: BTreeMap<JobId, (Job, String, End)>,
    keys: Vec<([u8; 32], JobId, CacheKey)>,
    runners: Vec<Runner>,
}

impl StandIn {
    /// Empty.
    #[must_use]
    pub fn new(rules: Rules, console_bytes: usize) -> Self {
        Self { rules, console_bytes, all: Mutex::default() }
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().expect("nothing panics under this lock")
    }
}

impl All {
    fn current(&self, key: CacheKey) -> Option<Found> {
        let mut jobs = self.jobs.values();
        jobs.find(|(job, ..)| job.key == key && job.is_current).map(found)
    }
}

fn found((job, _, end): &(Job, String, End)) -> Found {
    Found { job: job.clone(), end: Some(end.clone()) }
}

#[async_trait]
impl Store for StandIn {
    async fn submit(&self, new: NewJob, now: Epoch) -> Result<Submitted, Error> {
        let mut all = self.all();
        if let Some(key) = new.idempotency
            && let Some((_, id, cache_key)) = all.keys.iter().find(|(known, ..)| *known == key.0)
        {
            if *cache_key != new.key {
                return Ok(Submitted::Conflict);
            }
            if let Some(job) = all.jobs.get(id) {
                return Ok(Submitted::Known(found(job)));
            }
        }
        let twin = all.current(new.key);
        let admitted = admit(twin.as_ref().map(|twin| &twin.job), new.freshness, &new.options, now);
        let (id, submitted) = match admitted {
            Admitted::New { is_current } => {
                if is_current && let Some(twin) = twin {
                    all.jobs.get_mut(&twin.job.id).expect("it is there").0.is_current = false;
                }
                let NewJob { id, job_type, key, input, options, .. } = new;
                let job = Job::new(Submission { id, job_type, key, options, is_current }, now);
                all.jobs.insert(id, (job.clone(), input, End::default()));
                (id, Submitted::New(job))
            }
            Admitted::Joined(job) => {
                let slot = all.jobs.get_mut(&job.id).expect("it is there");
                slot.0 = *job;
                (slot.0.id, Submitted::Known(found(slot)))
            }
            Admitted::Known => {
                let twin = twin.expect("it is known");
                (twin.job.id, Submitted::Known(twin))
            }
        };
        if let Some(key) = new.idempotency {
            all.keys.push((key.0, id, new.key));
        }
        Ok(submitted)
    }

    async fn lookup(&self, key: CacheKey) -> Result<Option<Found>, Error> {
        Ok(self.all().current(key))
    }

    async fn job(&self, id: JobId) -> Result<Option<Found>, Error> {
        Ok(self.all().jobs.get(&id).map(found))
    }

    async fn input(&self, id: JobId) -> Result<Option<String>, Error> {
        Ok(self.all().jobs.get(&id).map(|(_, input, _)| input.clone()))
    }

    async fn say(&self, id: JobId, event: Event, payload: Payload, now: Epoch) -> Result<Said, Error> {
        let mut all = self.all();
        let Some((job, _, end)) = all.jobs.get_mut(&id) else { return Ok(Said::Unknown) };
        let mut after = job.clone();
        let change = match after.handle(&event, &self.rules, now) {
            Ok(change) => change,
            Err(why) => return Ok(Said::Refused(why, job.clone())),
        };
        if change == Change::Nothing {
            return Ok(Said::Taken(Answer { change, job: after }));
        }
        match payload.console {
            Some(Console::Piece(piece)) if end.console.len() + piece.len() > self.console_bytes => {
                return Ok(Said::ConsoleFull);
            }
            Some(Console::Piece(piece)) => end.console.push_str(&piece),
            Some(Console::Whole(whole)) => end.console = whole,
            None => {}
        }
        end.output = payload.output.or(end.output.take());
        end.error = payload.error.or(end.error.take());
        *job = after.clone();
        Ok(Said::Taken(Answer { change, job: after }))
    }

    async fn dispatch(&self, _: &[JobType], _: &RunnerId, _: Epoch) -> Result<Option<Handed>, Error> {
        Ok(None)
    }

    async fn available(&self, types: &[JobType], at_most: usize, now: Epoch) -> Result<Vec<Handed>, Error> {
        let all = self.all();
        let jobs = all.jobs.values().filter(|(job, ..)| job.is_ready(now) && types.contains(&job.job_type));
        Ok(jobs
            .take(at_most)
            .map(|(job, input, _)| Handed { job: job.clone(), input: input.clone() })
            .collect())
    }

    async fn backlog(&self, _: Epoch) -> Result<Backlog, Error> {
        Ok(Backlog::default())
    }

    async fn sweep(&self, _: usize, _: Epoch) -> Result<Vec<(Job, Change)>, Error> {
        Ok(Vec::new())
    }

    async fn prune(&self, _: Retention, _: Epoch) -> Result<Pruned, Error> {
        Ok(Pruned::default())
    }

    async fn unchecked(&self, _: &[JobType], _: Epoch, _: usize) -> Result<Vec<Found>, Error> {
        Ok(Vec::new())
    }

    async fn checked(&self, _: JobId, _: Epoch) -> Result<(), Error> {
        Ok(())
    }

    async fn jobs(&self, wanted: Listed, now: Epoch) -> Result<(Vec<Job>, u64), Error> {
        let all = self.all();
        let jobs = all.jobs.values().rev().map(|(job, ..)| job);
        let jobs: Vec<_> = jobs
            .filter(|job| wanted.status.is_none_or(|status| job.status(now) == status))
            .cloned()
            .collect();
        let total = jobs.len() as u64;
        Ok((jobs.into_iter().take(wanted.limit).collect(), total))
    }

    async fn delete(&self, ids: &[JobId]) -> Result<Vec<JobId>, Error> {
        let mut all = self.all();
        Ok(ids.iter().copied().filter(|id| all.jobs.remove(id).is_some()).collect())
    }

    async fn counts(&self, active_since: Epoch, now: Epoch) -> Result<Counts, Error> {
        let all = self.all();
        let count =
            |status: Status| all.jobs.values().filter(|(job, ..)| job.status(now) == status).count() as u64;
        let active = all.runners.iter().filter(|runner| runner.seen_at > active_since).count() as u64;
        Ok(Counts { jobs: Status::ALL.map(count), runners: all.runners.len() as u64, active })
    }

    async fn register(&self, runner: Runner) -> Result<(), Error> {
        self.all().runners.push(runner);
        Ok(())
    }

    async fn seen(&self, runner: &RunnerId, now: Epoch) -> Result<bool, Error> {
        let mut all = self.all();
        let known = all.runners.iter_mut().find(|known| known.id == *runner);
        Ok(known.map(|known| known.seen_at = now).is_some())
    }

    async fn runner(&self, runner: &RunnerId) -> Result<Option<Runner>, Error> {
        Ok(self.all().runners.iter().find(|known| known.id == *runner).cloned())
    }

    async fn runners(&self, at_most: usize) -> Result<(Vec<Runner>, u64), Error> {
        let all = self.all();
        Ok((all.runners.iter().take(at_most).cloned().collect(), all.runners.len() as u64))
    }

    async fn jobs_of(&self, runner: &RunnerId, at_most: usize) -> Result<Vec<Job>, Error> {
        let all = self.all();
        let jobs = all.jobs.values().rev().map(|(job, ..)| job);
        let is_theirs = |job: &&Job| job.hold().is_some_and(|hold| hold.runner == *runner);
        Ok(jobs.filter(is_theirs).take(at_most).cloned().collect())
    }

    async fn hook_calls(&self, _: usize, _: Duration, _: Epoch) -> Result<Vec<HookCall>, Error> {
        Ok(Vec::new())
    }

    async fn hook_done(&self, _: HookId) -> Result<(), Error> {
        Ok(())
    }

    async fn hook_failed(&self, _: HookId, _: Epoch) -> Result<(), Error> {
        Ok(())
    }

    async fn bytes(&self) -> Result<u64, Error> {
        Ok(0)
    }

    async fn check(&self) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    async fn told(&self) -> Told {
        std::future::pending().await
    }
}
