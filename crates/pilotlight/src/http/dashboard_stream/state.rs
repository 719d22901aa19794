//! What watchers know, and what is news to them. It never touches matching: it is given looks.

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
use pilotlight_wire::dashboard::{Config, Stats};
use pilotlight_wire::events::{
    self, Bucket, Changes, Executing, Offer, Pool, Serves, Snapshot, Update, Waiting, Who,
};

use super::super::convert::{delivery, text};
use super::super::dashboard;
use super::super::router::ConnectTimeouts;
use super::jobs::JobsState;
use super::sample::{NewPoll, Sample};
use crate::clock::Clock;

/// What does not change while the service runs.
#[derive(Debug)]
pub struct DashboardInfo {
    ack: &'static str,
    serves: Serves,
    config: Config,
}

impl DashboardInfo {
    /// Of a service that is set up so.
    #[must_use]
    pub fn new(
        ack_mode: AckMode,
        serves: Serves,
        connect_timeouts: ConnectTimeouts,
        listens: SocketAddr,
    ) -> Self {
        Self { ack: ack_mode.as_str(), serves, config: dashboard::config(connect_timeouts, listens) }
    }

    fn wire(&self, clock: Clock) -> events::About {
        events::About {
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

/// What watchers know.
#[derive(Debug, Default)]
pub(super) struct DashboardState {
    waiting: HashMap<PollId, Arc<Waiting>>,
    executing: HashMap<PollId, Arc<Executing>>,
    // The newest first.
    offers: Vec<Arc<Offer>>,
    series: Vec<Bucket>,
    jobs: JobsState,
    stats: Option<Stats>,
    clear_count: u64,
}

/// What a look brought.
pub(super) enum Diff {
    Unchanged,
    // Boxed: mostly there is nothing new.
    Update(Box<Update>),
    /// So much that all of it is told anew.
    Reset,
}

impl DashboardState {
    pub(super) fn holds_waiting(&self, id: PollId) -> bool {
        self.waiting.contains_key(&id)
    }

    pub(super) fn holds_executing(&self, id: PollId) -> bool {
        self.executing.contains_key(&id)
    }

    /// The newest bucket of jobs.
    pub(super) fn newest_job_bucket(&self) -> Option<offer_stats::BucketIndex> {
        self.jobs.newest_bucket()
    }

    pub(super) fn newest_bucket(&self) -> Option<offer_stats::BucketIndex> {
        self.series.last().map(|bucket| bucket.number)
    }

    /// Takes in what was seen.
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
                rows(sample.came, |poll| waiting(poll, clock)),
            ),
            executing: changes(
                &mut self.executing,
                &sample.executing,
                rows(sample.began, |it| executing(it, clock)),
            ),
            offers: self.changed_offers(&sample.offers, clock),
            series: self.changed_buckets(&sample.series),
            jobs: sample.jobs.and_then(|sample| self.jobs.apply(sample)),
            stats: sample.stats,
        };
        let same_counts = self.stats.replace(sample.stats) == Some(sample.stats);
        match (known, same_counts && is_nothing(&update)) {
            (false, _) => Diff::Reset,
            (true, true) => Diff::Unchanged,
            (true, false) => Diff::Update(Box::new(update)),
        }
    }

    /// All that is known.
    pub(super) fn snapshot(&self, info: &DashboardInfo, clock: Clock) -> Snapshot {
        let mut waiting: Vec<_> = self.waiting.values().cloned().collect();
        waiting.sort_unstable_by_key(|row| row.id);
        let mut executing: Vec<_> = self.executing.values().cloned().collect();
        executing.sort_unstable_by_key(|row| row.since);
        Snapshot {
            now: clock.epoch_ms(clock.now()),
            about: info.wire(clock),
            stats: self.stats.expect("a board is read after it took in a look"),
            waiting,
            executing,
            offers: self.offers.clone(),
            series: self.series.clone(),
            jobs: self.jobs.all(),
        }
    }

    fn changed_offers(&mut self, seen: &[(u64, OfferRecord)], clock: Clock) -> Vec<Arc<Offer>> {
        let known: HashMap<u64, &Arc<Offer>> = self.offers.iter().map(|offer| (offer.id, offer)).collect();
        let row = |(id, offered): &(u64, OfferRecord)| match known.get(id) {
            Some(row) if row.outcome == delivery(offered.answer) => (Arc::clone(row), false),
            Some(_) | None => (Arc::new(offer(*id, offered, clock)), true),
        };
        let rows: Vec<_> = seen.iter().map(row).collect();
        let changed = rows.iter().filter(|(_, is_new)| *is_new).map(|(row, _)| Arc::clone(row)).collect();
        self.offers = rows.into_iter().map(|(row, _)| row).collect();
        changed
    }

    fn changed_buckets(
        &mut self,
        seen: &[(offer_stats::BucketIndex, offer_stats::OfferBucket)],
    ) -> Vec<Bucket> {
        let mut changed = Vec::new();
        for seen in seen.iter().map(bucket) {
            match self.series.last_mut().filter(|last| last.number == seen.number) {
                Some(last) if *last == seen => continue,
                Some(last) => *last = seen.clone(),
                None => self.series.push(seen.clone()),
            }
            changed.push(seen);
        }
        let newest = self.newest_bucket().unwrap_or_default();
        self.series.retain(|bucket| bucket.number + STATS_BUCKETS as u64 > newest);
        changed
    }
}

fn rows<S, T>(seen: Vec<S>, row: impl Fn(S) -> (PollId, T)) -> Vec<(PollId, Arc<T>)> {
    seen.into_iter().map(row).map(|(id, row)| (id, Arc::new(row))).collect()
}

fn changes<T>(
    known: &mut HashMap<PollId, Arc<T>>,
    here: &[PollId],
    mut came: Vec<(PollId, Arc<T>)>,
) -> Changes<T> {
    let here: HashSet<_> = here.iter().copied().collect();
    let mut left = Vec::new();
    known.retain(|id, _| {
        let stays = here.contains(id);
        if !stays {
            left.push(id.number());
        }
        stays
    });
    came.sort_unstable_by_key(|(id, _)| id.number());
    let rows = came.iter().map(|(_, row)| Arc::clone(row)).collect();
    known.extend(came);
    Changes { came: rows, left }
}

/// Apart from counts.
const fn is_nothing(update: &Update) -> bool {
    let Update { waiting, executing, offers, series, jobs, now: _, stats: _ } = update;
    let nothing_of_runs = is_unchanged(waiting) && is_unchanged(executing) && offers.is_empty();
    nothing_of_runs && series.is_empty() && jobs.is_none()
}

const fn is_unchanged<T>(changes: &Changes<T>) -> bool {
    changes.came.is_empty() && changes.left.is_empty()
}

fn waiting(poll: NewPoll, clock: Clock) -> (PollId, Waiting) {
    let NewPoll { id, key, runner, parked_at } = poll;
    let who = who(&key, &runner);
    (id, Waiting { id: id.number(), who, since: clock.epoch_ms(parked_at) })
}

fn executing((id, active_run): (PollId, ActiveRun), clock: Clock) -> (PollId, Executing) {
    let ActiveRun { runner, key, run, since } = active_run;
    let (who, run) = (who(&key, &runner), text(run.as_str()));
    (id, Executing { id: id.number(), who, run, since: clock.epoch_ms(since) })
}

fn offer(id: u64, offered: &OfferRecord, clock: Clock) -> Offer {
    let taker = offered.runner.as_ref().map(|taker| &taker.runner);
    Offer {
        id,
        run: text(offered.run.as_str()),
        pool: pool(&offered.key),
        runner: text(taker.map_or("", |runner| runner.id.as_str())),
        worker: text(taker.map_or("", |runner| runner.worker.as_str())),
        outcome: delivery(offered.answer),
        at: clock.epoch_ms(offered.at),
        answered_in_us: micros(offered.took),
        dispatches: offered.dispatches,
    }
}

fn bucket((number, bucket): &(offer_stats::BucketIndex, offer_stats::OfferBucket)) -> Bucket {
    let within = |per_mille| bucket.latency_percentile(per_mille).map_or(0, micros);
    Bucket {
        number: *number,
        warm: bucket.warm(),
        cold: bucket.cold(),
        p50_us: within(500),
        p99_us: within(990),
    }
}

fn who(key: &PoolKey, runner: &Runner) -> Who {
    Who { runner: text(runner.id.as_str()), worker: text(runner.worker.as_str()), pool: pool(key) }
}

fn pool(key: &PoolKey) -> Pool {
    Pool {
        deployment: text(key.deployment.as_str()),
        version: text(key.version.as_str()),
        cpu: key.cpu.value(),
        memory: key.memory.value(),
    }
}
