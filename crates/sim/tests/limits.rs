//! Many runners: the stored data stays within its limits, and memory use stays constant.

use std::fs;
use std::io::Write;
use std::time::Duration;

use pilotlight_core::delivery::{Delivery, OfferOutcome};
use pilotlight_core::history::{AssignedRunner, OfferRecord};
use pilotlight_core::ids::{Amount, DeploymentId, RunId, Runner, RunnerId, Version, WorkerName};
use pilotlight_core::limits::{HISTORY_RECORDS, MAX_ACTIVE_RUN_AGE, MAX_ACTIVE_RUNS};
use pilotlight_core::matching::{Matching, ParkResult};
use pilotlight_core::pool::{Order, Poll, PollTiming, PoolKey, SelectedPoll};
use pilotlight_core::time::Moment;
use pilotlight_sim::soak::iterations;

const POLLS: usize = 1000;

/// Many runners that poll once and never return. Every second runner gets a run.
struct RunnerCrowd {
    matching: Matching<()>,
    polls: u64,
}

impl RunnerCrowd {
    fn new() -> Self {
        let timing = PollTiming::for_clients(Duration::from_secs(30));
        Self { matching: Matching::new(Order::Oldest, timing, POLLS), polls: 0 }
    }

    fn poll_times(&mut self, times: u64) {
        for _ in 0..times {
            self.polls += 1;
            let poll = self.poll();
            let key = poll.key.clone();
            let result = self.matching.park(poll);
            if self.polls.is_multiple_of(2) {
                self.match_run(&key);
            } else if let ParkResult::Parked { id, .. } = result {
                self.matching.leave(id);
            }
        }
    }

    fn match_run(&mut self, key: &PoolKey) {
        let Some(SelectedPoll { id, poll }) = self.matching.select(key, self.now()) else { return };
        self.matching.finish_offer(OfferRecord {
            run: RunId::parse(&format!("run_{}", self.polls)).expect("a generated name is a valid id"),
            key: poll.key,
            at: self.now(),
            took: Duration::ZERO,
            dispatches: 1,
            outcome: OfferOutcome::Warm(Delivery::Acknowledged),
            runner: Some(AssignedRunner {
                runner: poll.runner,
                poll: id,
                selected_at: self.now(),
                waited: Duration::ZERO,
            }),
        });
    }

    fn poll(&self) -> Poll<()> {
        let polls = self.polls;
        let id = RunnerId::parse(&format!("runner_{polls}")).expect("a generated name is a valid id");
        Poll {
            key: PoolKey {
                deployment: DeploymentId::parse(&format!("dep_{polls}"))
                    .expect("a generated name is a valid id"),
                version: Version::parse("1").expect("a generated name is a valid id"),
                cpu: Amount::ZERO,
                memory: Amount::ZERO,
            },
            runner: Runner { id, worker: WorkerName::parse("node").expect("a generated name is a valid id") },
            parked_at: self.now(),
            handle: (),
        }
    }

    fn now(&self) -> Moment {
        Moment::from_micros(self.polls)
    }
}

#[test]
fn history_and_active_runs_stay_within_their_limits() {
    let mut crowd = RunnerCrowd::new();
    crowd.poll_times(2 * HISTORY_RECORDS.max(MAX_ACTIVE_RUNS) as u64 + 1000);
    let matching = &mut crowd.matching;
    assert_eq!((matching.history().len(), matching.active_runs().len()), (HISTORY_RECORDS, MAX_ACTIVE_RUNS));
    let oldest = matching.active_runs().iter().map(|run| run.since).min();
    assert_eq!(oldest, Some(Moment::from_micros(1002)));
    matching.expire(Moment::from_micros(1002).after(MAX_ACTIVE_RUN_AGE));
    assert_eq!(matching.active_runs().len(), MAX_ACTIVE_RUNS - 1);
    matching.expire(Moment::from_micros(crowd.polls).after(MAX_ACTIVE_RUN_AGE));
    assert!(matching.active_runs().is_empty());
    assert!(matching.pools().is_empty() && matching.pools().keys().next().is_none());
}

#[test]
fn memory_use_stays_constant_with_many_runners() {
    let mut crowd = RunnerCrowd::new();
    crowd.poll_times(4 * HISTORY_RECORDS as u64);
    let Some(before) = resident_bytes() else {
        return skip("memory_use_stays_constant_with_many_runners", "this system has no /proc/self/statm");
    };
    crowd.poll_times(iterations(1_000_000, 50_000_000));
    let after = resident_bytes().expect("the file was readable before");
    let grown = after.saturating_sub(before);
    assert!(grown < 16 << 20, "grew by {grown} bytes, from {before} to {after}");
}

fn resident_bytes() -> Option<u64> {
    let pages: u64 = fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Records a skipped test; `cargo xtask test` reads the log.
fn skip(name: &str, reason: &str) {
    let Some(log) = std::env::var_os("PILOTLIGHT_SKIP_LOG") else { return };
    let mut log = fs::File::options().append(true).open(log).expect("the skip log exists");
    writeln!(log, "{name}: {reason}").expect("the skip log can be written");
}
