//! The state that dashboard subscribers have, and the difference between it and a new sample. It never reads matching
//! itself; it only gets samples.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;

use pilotlight_core::active_runs::ActiveRun;
use pilotlight_core::delivery::AckMode;
use pilotlight_core::history::OfferRecord;
use pilotlight_core::ids::Runner;
use pilotlight_core::limits::{DASHBOARD_OFFERS, STATS_BUCKET_WIDTH, STATS_BUCKETS};
use pilotlight_core::offer_stats;
use pilotlight_core::pool::{PollId, PoolKey};
use pilotlight_core::time::{Moment, micros};
use pilotlight_wire::dashboard::{Config, WarmStartStats};
use pilotlight_wire::dashboard_events::{
    self, BucketRow, ExecutingRow, OfferRow, Pool, RowChanges, RunnerIdentity, ServedCapabilities, Snapshot,
    Update, WaitingRow,
};

use super::super::convert::{delivery, text};
use super::super::dashboard;
use super::super::router::ConnectTimeouts;
use super::jobs::JobsState;
use super::sample::{NewPoll, Sample};
use crate::clock::Clock;

/// The part of the state that does not change while the service runs.
#[derive(Debug)]
pub struct DashboardInfo {
    ack: &'static str,
    serves: ServedCapabilities,
    config: Config,
}

impl DashboardInfo {
    /// The information for a service with these settings.
    #[must_use]
    pub fn new(
        ack_mode: AckMode,
        serves: ServedCapabilities,
        connect_timeouts: ConnectTimeouts,
        listens: SocketAddr,
    ) -> Self {
        Self { ack: ack_mode.as_str(), serves, config: dashboard::config(connect_timeouts, listens) }
    }

    fn wire(&self, clock: Clock) -> dashboard_events::ServiceInfo {
        dashboard_events::ServiceInfo {
            version: env!("CARGO_PKG_VERSION"),
            ack: self.ack,
            serves: self.serves,
            config: self.config.clone(),
            started_at: clock.epoch_ms(Moment::from_micros(0)),
            bucket_ms: STATS_BUCKET_WIDTH.as_secs() * 1000,
            buckets: STATS_BUCKETS,
            offers_shown: DASHBOARD_OFFERS,
        }
    }
}

/// The state that every subscriber has.
#[derive(Debug, Default)]
pub(super) struct DashboardState {
    waiting: HashMap<PollId, Arc<WaitingRow>>,
    executing: HashMap<PollId, Arc<ExecutingRow>>,
    // The latest offers, the newest first.
    offers: Vec<Arc<OfferRow>>,
    series: Vec<BucketRow>,
    jobs: JobsState,
    stats: Option<WarmStartStats>,
    clear_count: u64,
}

/// What a sample changed.
pub(super) enum Diff {
    Unchanged,
    // Boxed, because most samples change nothing and the other variants are small.
    Update(Box<Update>),
    /// Subscribers need a new snapshot: this was the first sample, or the history was cleared.
    Reset,
}

impl DashboardState {
    pub(super) fn has_waiting(&self, id: PollId) -> bool {
        self.waiting.contains_key(&id)
    }

    pub(super) fn has_executing(&self, id: PollId) -> bool {
        self.executing.contains_key(&id)
    }

    /// The newest bucket of the job statistics.
    pub(super) fn newest_job_bucket(&self) -> Option<offer_stats::BucketIndex> {
        self.jobs.newest_bucket()
    }

    pub(super) fn newest_bucket(&self) -> Option<offer_stats::BucketIndex> {
        self.series.last().map(|bucket| bucket.number)
    }

    /// Applies a sample and returns what changed.
    pub(super) fn apply(&mut self, sample: Sample, clock: Clock) -> Diff {
        let known = self.stats.is_some() && self.clear_count == sample.clear_count;
        if !known {
            (self.offers, self.series) = (Vec::new(), Vec::new());
        }
        self.clear_count = sample.clear_count;
        let update = Update {
            now: clock.epoch_ms(sample.now),
            waiting: changes(
                &mut self.waiting,
                &sample.waiting,
                rows(sample.new_polls, |poll| waiting(poll, clock)),
            ),
            executing: changes(
                &mut self.executing,
                &sample.executing,
                rows(sample.new_runs, |active_run| executing(active_run, clock)),
            ),
            offers: self.changed_offers(&sample.offers, clock),
            series: self.changed_buckets(&sample.series),
            jobs: sample.jobs.and_then(|sample| self.jobs.apply(sample)),
            stats: sample.stats,
        };
        let same_counts = self.stats.replace(sample.stats) == Some(sample.stats);
        match (known, same_counts && is_empty_update(&update)) {
            (false, _) => Diff::Reset,
            (true, true) => Diff::Unchanged,
            (true, false) => Diff::Update(Box::new(update)),
        }
    }

    /// The complete state.
    pub(super) fn snapshot(&self, info: &DashboardInfo, clock: Clock) -> Snapshot {
        let mut waiting: Vec<_> = self.waiting.values().cloned().collect();
        waiting.sort_unstable_by_key(|row| row.id);
        let mut executing: Vec<_> = self.executing.values().cloned().collect();
        executing.sort_unstable_by_key(|row| row.since);
        Snapshot {
            now: clock.epoch_ms(clock.now()),
            info: info.wire(clock),
            stats: self.stats.expect("a snapshot is made only after the first sample"),
            waiting,
            executing,
            offers: self.offers.clone(),
            series: self.series.clone(),
            jobs: self.jobs.snapshot(),
        }
    }

    fn changed_offers(&mut self, sampled: &[(u64, OfferRecord)], clock: Clock) -> Vec<Arc<OfferRow>> {
        let known: HashMap<u64, &Arc<OfferRow>> = self.offers.iter().map(|offer| (offer.id, offer)).collect();
        let row = |(id, record): &(u64, OfferRecord)| match known.get(id) {
            Some(row) if row.outcome == delivery(record.outcome) => (Arc::clone(row), false),
            Some(_) | None => (Arc::new(offer(*id, record, clock)), true),
        };
        let rows: Vec<_> = sampled.iter().map(row).collect();
        let changed = rows.iter().filter(|(_, is_new)| *is_new).map(|(row, _)| Arc::clone(row)).collect();
        self.offers = rows.into_iter().map(|(row, _)| row).collect();
        changed
    }

    fn changed_buckets(
        &mut self,
        sampled: &[(offer_stats::BucketIndex, offer_stats::OfferBucket)],
    ) -> Vec<BucketRow> {
        let mut changed = Vec::new();
        for sampled in sampled.iter().map(bucket) {
            match self.series.last_mut().filter(|last| last.number == sampled.number) {
                Some(last) if *last == sampled => continue,
                Some(last) => *last = sampled.clone(),
                None => self.series.push(sampled.clone()),
            }
            changed.push(sampled);
        }
        let newest = self.newest_bucket().unwrap_or_default();
        self.series.retain(|bucket| bucket.number + STATS_BUCKETS as u64 > newest);
        changed
    }
}

fn rows<S, T>(sampled: Vec<S>, row: impl Fn(S) -> (PollId, T)) -> Vec<(PollId, Arc<T>)> {
    sampled.into_iter().map(row).map(|(id, row)| (id, Arc::new(row))).collect()
}

fn changes<T>(
    known: &mut HashMap<PollId, Arc<T>>,
    present: &[PollId],
    mut added: Vec<(PollId, Arc<T>)>,
) -> RowChanges<T> {
    let present: HashSet<_> = present.iter().copied().collect();
    let mut removed = Vec::new();
    known.retain(|id, _| {
        let is_present = present.contains(id);
        if !is_present {
            removed.push(id.number());
        }
        is_present
    });
    added.sort_unstable_by_key(|(id, _)| id.number());
    let rows = added.iter().map(|(_, row)| Arc::clone(row)).collect();
    known.extend(added);
    RowChanges { added: rows, removed }
}

/// Whether the update changes nothing, apart from the counts in `stats`.
const fn is_empty_update(update: &Update) -> bool {
    let Update { waiting, executing, offers, series, jobs, now: _, stats: _ } = update;
    let no_run_changes = is_unchanged(waiting) && is_unchanged(executing) && offers.is_empty();
    no_run_changes && series.is_empty() && jobs.is_none()
}

const fn is_unchanged<T>(changes: &RowChanges<T>) -> bool {
    changes.added.is_empty() && changes.removed.is_empty()
}

fn waiting(poll: NewPoll, clock: Clock) -> (PollId, WaitingRow) {
    let NewPoll { id, key, runner, parked_at } = poll;
    let identity = runner_identity(&key, &runner);
    (id, WaitingRow { id: id.number(), identity, since: clock.epoch_ms(parked_at) })
}

fn executing((id, active_run): (PollId, ActiveRun), clock: Clock) -> (PollId, ExecutingRow) {
    let ActiveRun { runner, key, run, since } = active_run;
    let (identity, run) = (runner_identity(&key, &runner), text(run.as_str()));
    (id, ExecutingRow { id: id.number(), identity, run, since: clock.epoch_ms(since) })
}

fn offer(id: u64, record: &OfferRecord, clock: Clock) -> OfferRow {
    let assigned = record.runner.as_ref().map(|assigned| &assigned.runner);
    OfferRow {
        id,
        run: text(record.run.as_str()),
        pool: pool(&record.key),
        runner: text(assigned.map_or("", |runner| runner.id.as_str())),
        worker: text(assigned.map_or("", |runner| runner.worker.as_str())),
        outcome: delivery(record.outcome),
        at: clock.epoch_ms(record.at),
        answered_in_us: micros(record.took),
        dispatches: record.dispatches,
    }
}

fn bucket((number, bucket): &(offer_stats::BucketIndex, offer_stats::OfferBucket)) -> BucketRow {
    let within = |per_mille| bucket.latency_percentile(per_mille).map_or(0, micros);
    BucketRow {
        number: *number,
        warm: bucket.warm(),
        cold: bucket.cold(),
        p50_us: within(500),
        p99_us: within(990),
    }
}

fn runner_identity(key: &PoolKey, runner: &Runner) -> RunnerIdentity {
    RunnerIdentity { runner: text(runner.id.as_str()), worker: text(runner.worker.as_str()), pool: pool(key) }
}

fn pool(key: &PoolKey) -> Pool {
    Pool {
        deployment: text(key.deployment.as_str()),
        version: text(key.version.as_str()),
        cpu: key.cpu.value(),
        memory: key.memory.value(),
    }
}
