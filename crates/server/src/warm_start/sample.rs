//! A sample of the matching state. The lock on matching is held only briefly, however many polls wait: first for the
//! ids of all polls and runs, then for the details of the new polls, some hundreds at a time.

use std::collections::HashMap;
use std::sync::Arc;

use pilotlight_core::active_runs::ActiveRun;
use pilotlight_core::history::OfferRecord;
use pilotlight_core::ids::Runner;
use pilotlight_core::limits::DASHBOARD_OFFERS;
use pilotlight_core::offer_stats::{BucketIndex, OfferBucket};
use pilotlight_core::pool::{PollId, PoolKey};
use pilotlight_core::time::Moment;
use pilotlight_net::clock::Clock;
use pilotlight_wire::dashboard::WarmStartStats;
use pilotlight_wire::dashboard_events::{ExecutingRow, WaitingRow};

use crate::warm_start::dispatcher::{Dispatcher, MatchingView};
use crate::warm_start::http::overview;

/// Maximum number of polls whose details are read in one lock; that takes some tens of microseconds.
const POLLS_PER_LOCK: usize = 512;

/// What the dashboard state has already; a sample has no details of it.
#[derive(Clone, Copy)]
pub(super) struct KnownRows<'a> {
    pub(super) waiting: &'a HashMap<PollId, Arc<WaitingRow>>,
    pub(super) executing: &'a HashMap<PollId, Arc<ExecutingRow>>,
    pub(super) newest_bucket: Option<BucketIndex>,
}

/// The matching state at one moment.
pub(super) struct Sample {
    pub(super) stats: WarmStartStats,
    pub(super) clear_count: u64,
    /// All parked polls.
    pub(super) waiting: Vec<PollId>,
    /// The polls that the dashboard state does not have yet.
    pub(super) new_polls: Vec<NewPoll>,
    /// The polls of all runners that execute a run.
    pub(super) executing: Vec<PollId>,
    /// The active runs that the dashboard state does not have yet.
    pub(super) new_runs: Vec<(PollId, ActiveRun)>,
    /// The latest offers, the newest first, each with its number.
    pub(super) offers: Vec<(u64, OfferRecord)>,
    /// The buckets that may have changed since the previous sample.
    pub(super) series: Vec<(BucketIndex, OfferBucket)>,
}

pub(super) struct NewPoll {
    pub(super) id: PollId,
    pub(super) key: PoolKey,
    pub(super) runner: Runner,
    pub(super) parked_at: Moment,
}

impl Sample {
    /// Takes a sample, with details only of what is not `known` yet.
    pub(super) fn take(dispatcher: &Dispatcher, clock: Clock, known: KnownRows<'_>) -> Self {
        let mut sample =
            dispatcher.read(|view| Self::read_counts_and_ids(&view, clock.now(), known.newest_bucket));
        let new: Vec<_> =
            sample.waiting.iter().copied().filter(|id| !known.waiting.contains_key(id)).collect();
        for ids in new.chunks(POLLS_PER_LOCK) {
            sample.new_polls.extend(dispatcher.read(|view| new_polls(&view, ids)));
        }
        if sample.executing.iter().any(|id| !known.executing.contains_key(id)) {
            sample.new_runs = dispatcher.read(|view| {
                let all =
                    view.active_runs().with_poll_ids().filter(|(id, _)| !known.executing.contains_key(id));
                all.map(|(id, active_run)| (id, active_run.clone())).collect()
            });
        }
        sample
    }

    fn read_counts_and_ids(view: &MatchingView<'_>, now: Moment, newest_bucket: Option<BucketIndex>) -> Self {
        let changed = |number: BucketIndex| newest_bucket.is_none_or(|newest| number >= newest);
        let buckets = view.offer_stats().last_hour(now).filter(|(number, _)| changed(*number));
        let offers = view.history().newest_first_with_numbers().take(DASHBOARD_OFFERS);
        Self {
            stats: overview::stats(view),
            clear_count: view.history().clear_count(),
            waiting: view.poll_ids().collect(),
            new_polls: Vec::new(),
            executing: view.active_runs().with_poll_ids().map(|(id, _)| id).collect(),
            new_runs: Vec::new(),
            offers: offers.map(|(number, offered)| (number, offered.clone())).collect(),
            series: buckets.map(|(number, bucket)| (number, bucket.clone())).collect(),
        }
    }
}

fn new_polls(view: &MatchingView<'_>, ids: &[PollId]) -> Vec<NewPoll> {
    let found = ids.iter().filter_map(|id| Some((*id, view.poll(*id)?)));
    found
        .map(|(id, poll)| NewPoll {
            id,
            key: poll.key.clone(),
            runner: poll.runner.clone(),
            parked_at: poll.parked_at,
        })
        .collect()
}
