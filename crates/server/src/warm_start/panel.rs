//! What warm starts add to the dashboard's event stream: the state that all subscribers have, and the difference
//! between it and a new sample of the matching state.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use pilotlight_core::active_runs::ActiveRun;
use pilotlight_core::history::OfferRecord;
use pilotlight_core::ids::Runner;
use pilotlight_core::limits::STATS_BUCKETS;
use pilotlight_core::offer_stats;
use pilotlight_core::pool::{PollId, PoolKey};
use pilotlight_core::time::micros;
use pilotlight_net::clock::Clock;
use pilotlight_wire::dashboard::WarmStartStats;
use pilotlight_wire::dashboard_events::{
    BucketRow, ExecutingRow, OfferRow, Pool, RowChanges, RunnerIdentity, WaitingRow, WarmStartSnapshot,
    WarmStartUpdate,
};
use serde::Serialize;

use crate::capability::{DashboardPanel, PanelChange, PanelUpdate};
use crate::warm_start::dispatcher::Dispatcher;
use crate::warm_start::http::convert::{delivery, text};
use crate::warm_start::sample::{KnownRows, NewPoll, Sample};

/// What warm starts add to the dashboard: parked polls, active runs, offers, and counts over time.
#[derive(Debug)]
pub(super) struct WarmStartPanel {
    dispatcher: Arc<Dispatcher>,
    clock: Clock,
    state: Mutex<PanelState>,
}

impl WarmStartPanel {
    /// A panel without subscribers.
    pub(super) fn new(dispatcher: Arc<Dispatcher>, clock: Clock) -> Self {
        Self { dispatcher, clock, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, PanelState> {
        self.state.lock().expect("nothing panics under this lock")
    }
}

impl DashboardPanel for WarmStartPanel {
    fn sample(&self) -> PanelUpdate {
        let mut state = self.state();
        let sample = Sample::take(&self.dispatcher, self.clock, state.known_rows());
        let (change, update) = state.apply(sample, self.clock);
        PanelUpdate { change, fields: Box::new(move || to_json(&update)) }
    }

    fn snapshot(&self) -> String {
        to_json(&self.state().snapshot())
    }

    fn forget(&self) {
        *self.state() = PanelState::default();
    }
}

fn to_json(fields: &impl Serialize) -> String {
    serde_json::to_string(fields).expect("wire types have string keys and finite numbers")
}

/// The state that every subscriber has.
#[derive(Debug, Default)]
struct PanelState {
    waiting: HashMap<PollId, Arc<WaitingRow>>,
    executing: HashMap<PollId, Arc<ExecutingRow>>,
    // The latest offers, the newest first.
    offers: Vec<Arc<OfferRow>>,
    series: Vec<BucketRow>,
    stats: Option<WarmStartStats>,
    clear_count: u64,
}

impl PanelState {
    /// What the next sample needs no details of.
    fn known_rows(&self) -> KnownRows<'_> {
        KnownRows { waiting: &self.waiting, executing: &self.executing, newest_bucket: self.newest_bucket() }
    }

    fn newest_bucket(&self) -> Option<offer_stats::BucketIndex> {
        self.series.last().map(|bucket| bucket.number)
    }

    /// Applies a sample and returns what changed.
    fn apply(&mut self, sample: Sample, clock: Clock) -> (PanelChange, WarmStartUpdate) {
        let known = self.stats.is_some() && self.clear_count == sample.clear_count;
        if !known {
            (self.offers, self.series) = (Vec::new(), Vec::new());
        }
        self.clear_count = sample.clear_count;
        let update = WarmStartUpdate {
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
            stats: sample.stats,
        };
        let same_counts = self.stats.replace(sample.stats) == Some(sample.stats);
        let change = match (known, same_counts && is_empty_update(&update)) {
            (false, _) => PanelChange::Reset,
            (true, true) => PanelChange::Unchanged,
            (true, false) => PanelChange::Changed,
        };
        (change, update)
    }

    /// The complete state.
    fn snapshot(&self) -> WarmStartSnapshot {
        let mut waiting: Vec<_> = self.waiting.values().cloned().collect();
        waiting.sort_unstable_by_key(|row| row.id);
        let mut executing: Vec<_> = self.executing.values().cloned().collect();
        executing.sort_unstable_by_key(|row| row.since);
        WarmStartSnapshot {
            stats: self.stats.expect("a snapshot is made only after the first sample"),
            waiting,
            executing,
            offers: self.offers.clone(),
            series: self.series.clone(),
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
const fn is_empty_update(update: &WarmStartUpdate) -> bool {
    let WarmStartUpdate { waiting, executing, offers, series, stats: _ } = update;
    let no_run_changes = is_unchanged(waiting) && is_unchanged(executing) && offers.is_empty();
    no_run_changes && series.is_empty()
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
