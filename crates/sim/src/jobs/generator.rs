//! Generates the next event from a seed and the current state. The mix of events changes over time: many callers, busy
//! runners, silence, jumps of the clock. Many events are at a deadline, or one millisecond before or after it.

use fastrand::Rng;
use pilotlight_core::job::{CacheMode, CancelScope, QueueLimits};

use super::event::{ConsoleOutput, JobEvent, ReportKind, Settings, Submission, TimedJobEvent};
use super::model::ModelState;
use super::world::{GrantedLease, JobWorld};

/// Generates one history.
#[derive(Debug)]
pub struct JobEventGenerator {
    rng: Rng,
    settings: Settings,
    now: u64,
    keys: u8,
    runners: u8,
    submissions: u32,
    mix: EventMix,
}

/// The current weight of each kind of event, and the current speed of time.
#[derive(Debug)]
struct EventMix {
    weights: [u32; KIND_WEIGHTS.len()],
    events_left: u32,
    max_step_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventKind {
    Submit,
    Dispatch,
    Claim,
    Report,
    DispatchFailed,
    Cancel,
    ResultInvalid,
    Sweep,
    Prune,
    Delete,
    Restart,
}

/// Each kind of event and its maximum weight.
const KIND_WEIGHTS: [(EventKind, u32); 11] = [
    (EventKind::Submit, 300),
    (EventKind::Dispatch, 250),
    (EventKind::Claim, 60),
    (EventKind::Report, 600),
    (EventKind::DispatchFailed, 40),
    (EventKind::Cancel, 40),
    (EventKind::ResultInvalid, 15),
    (EventKind::Sweep, 60),
    (EventKind::Prune, 6),
    (EventKind::Delete, 10),
    (EventKind::Restart, 2),
];

/// Maximum number of jobs that have not ended. Beyond it no job is submitted, so that the model stays fast.
const MAX_OPEN_JOBS: usize = 150;

impl JobEventGenerator {
    /// A generator with random settings.
    #[must_use]
    pub fn new(mut rng: Rng) -> Self {
        let settings = Settings {
            heartbeat_timeout: pick(&mut rng, &[50, 1000, 1000, 30_000]),
            start_timeout: pick(&mut rng, &[20, 200, 2000]),
            lost_retries: rng.u32(..4),
            failed_ttl: pick(&mut rng, &[0, 500, 5000]),
            keep_for: pick(&mut rng, &[3000, 30_000, 3_000_000]),
            max_bytes: pick(&mut rng, &[0, 0, 500, 5000]),
            queue_limits: QueueLimits {
                jobs: pick(&mut rng, &[0, 0, 5, 40]),
                bytes: pick(&mut rng, &[0, 0, 100, 1000]),
            },
            console_bytes: pick(&mut rng, &[100, 1000]),
        };
        let (keys, runners) = (pick(&mut rng, &[3, 12, 40, 200]), pick(&mut rng, &[1, 4, 12]));
        let mix = EventMix::generate(&mut rng);
        Self { rng, settings, now: 0, keys, runners, submissions: 0, mix }
    }

    /// The settings of the history.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// The next event and its time.
    pub fn generate(&mut self, world: &JobWorld) -> TimedJobEvent {
        self.mix.events_left -= 1;
        if self.mix.events_left == 0 {
            self.mix = EventMix::generate(&mut self.rng);
        }
        self.advance_clock(world);
        let event = match self.mix.pick_kind(&mut self.rng) {
            EventKind::Submit if world.model().jobs().count() < MAX_OPEN_JOBS => self.submit(),
            EventKind::Submit => JobEvent::Prune,
            EventKind::Dispatch => JobEvent::Dispatch { runner: self.runner(), types: self.rng.u8(1..8) },
            EventKind::Claim => JobEvent::Claim { job: self.pick_job(world), runner: self.runner() },
            EventKind::Report => self.report(world),
            EventKind::DispatchFailed => {
                let GrantedLease { job, lease, .. } = self.pick_lease(world);
                JobEvent::DispatchFailed { job, lease }
            }
            EventKind::Cancel => {
                let scope = pick(
                    &mut self.rng,
                    &[CancelScope::OneCaller, CancelScope::OneCaller, CancelScope::AllCallers],
                );
                JobEvent::Cancel { job: self.pick_job(world), scope }
            }
            EventKind::ResultInvalid => JobEvent::ResultInvalid { job: self.pick_job(world) },
            EventKind::Sweep => JobEvent::Sweep,
            EventKind::Prune => JobEvent::Prune,
            EventKind::Delete => JobEvent::Delete { job: self.pick_job(world), other: self.pick_job(world) },
            EventKind::Restart => JobEvent::Restart,
        };
        (self.now, event)
    }

    fn advance_clock(&mut self, world: &JobWorld) {
        self.now += self.rng.u64(..=self.mix.max_step_ms);
        if self.rng.u8(..) < 20
            && let Some(deadline) = self.pick_deadline(world)
            && deadline > self.now
        {
            self.now = (deadline + self.rng.u64(..=2)).saturating_sub(1).max(self.now);
        }
    }

    /// The time of some job's deadline.
    fn pick_deadline(&mut self, world: &JobWorld) -> Option<u64> {
        let job = self.pick_job(world);
        let (row, _) = world.model().job(job)?;
        match row.state {
            ModelState::Pending => Some(row.ready),
            ModelState::Dispatching { until, .. } => Some(until),
            ModelState::Running { last_seen, .. } => Some(last_seen + self.settings.heartbeat_timeout),
            ModelState::Completed { until, .. } | ModelState::Failed { until, .. } => until,
        }
    }

    fn submit(&mut self) -> JobEvent {
        self.submissions += 1;
        let rng = &mut self.rng;
        JobEvent::Submit(Submission {
            number: self.submissions,
            key: rng.u8(..self.keys),
            cache_mode: if rng.u8(..) < 30 { CacheMode::Recompute } else { CacheMode::Reuse },
            priority: pick(rng, &[0, 0, 0, 0, 5, -5, i32::MAX, i32::MIN]),
            delay: pick(rng, &[0, 0, 0, 0, 1, 100, 3000]),
            ttl: pick(rng, &[None, None, Some(1), Some(500), Some(20_000)]),
            max_attempts: pick(rng, &[1, 1, 1, 2, 5]),
            backoff: pick(rng, &[0, 0, 1, 100, 3000]),
            idempotency: (rng.u8(..) < 30).then(|| rng.u8(..8)),
        })
    }

    /// A report, usually by the runner that has the lease. Some reports are late, some are repeated, and some are by
    /// other runners.
    fn report(&mut self, world: &JobWorld) -> JobEvent {
        let GrantedLease { job, runner, lease } = self.pick_lease(world);
        let runner = if self.rng.u8(..) < 16 { self.runner() } else { runner };
        let lease = match self.rng.u8(..) {
            0..40 => None,
            40..50 => Some(lease + 1),
            50..60 => Some(self.rng.u64(..4)),
            60.. => Some(lease),
        };
        let console = match self.rng.u8(..) {
            0..30 => Some(ConsoleOutput::Replace(self.rng.u8(..))),
            30..60 => Some(ConsoleOutput::Append(self.rng.u8(..60))),
            60.. => None,
        };
        JobEvent::Report { job, runner, lease, kind: self.report_kind(), console }
    }

    fn report_kind(&mut self) -> ReportKind {
        match self.rng.u8(..100) {
            0..35 => ReportKind::Start,
            35..55 => ReportKind::Heartbeat(self.rng.bool().then(|| self.rng.u8(..=100))),
            55..85 => ReportKind::Complete(self.rng.u8(..3)),
            _ => ReportKind::Fail(self.rng.u8(..3)),
        }
    }

    fn runner(&mut self) -> u8 {
        self.rng.u8(..self.runners)
    }

    /// A random lease, usually one of the latest.
    fn pick_lease(&mut self, world: &JobWorld) -> GrantedLease {
        let granted_leases = world.granted_leases();
        let window = if self.rng.u8(..) < 200 { 12 } else { granted_leases.len().max(1) };
        let index = self.rng.usize(..window);
        granted_leases.iter().rev().nth(index).copied().unwrap_or(GrantedLease {
            job: self.submissions,
            runner: 0,
            lease: 1,
        })
    }

    /// A random job, which may have been deleted.
    fn pick_job(&mut self, world: &JobWorld) -> u32 {
        if self.rng.u8(..) < 16 {
            return self.rng.u32(..=self.submissions);
        }
        let index = self.rng.usize(..world.model().jobs().count().max(1));
        world.model().jobs().nth(index).map_or(0, |(number, _)| number)
    }
}

impl EventMix {
    fn generate(rng: &mut Rng) -> Self {
        let max_step_ms = match rng.u8(..) {
            0..120 => 2,
            120..200 => 20,
            200..244 => 200,
            244.. => 5000,
        };
        let weights = KIND_WEIGHTS.map(|(kind, max_weight)| {
            // Sometimes neither a sweep nor a prune happens for a while.
            let is_maintenance = matches!(kind, EventKind::Sweep | EventKind::Prune);
            if is_maintenance && rng.u8(..) < 40 { 0 } else { rng.u32(..=max_weight) }
        });
        Self { weights, events_left: rng.u32(1..400), max_step_ms }
    }

    fn pick_kind(&self, rng: &mut Rng) -> EventKind {
        let mut at = rng.u32(..self.weights.iter().sum::<u32>().max(1));
        for ((kind, _), weight) in KIND_WEIGHTS.iter().zip(self.weights) {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return *kind,
            }
        }
        EventKind::Report
    }
}

fn pick<T: Copy>(rng: &mut Rng, choice: &[T]) -> T {
    choice[rng.usize(..choice.len())]
}
