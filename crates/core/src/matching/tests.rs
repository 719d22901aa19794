//! Tests of the matching rules.

use super::*;
use crate::delivery::Delivery;
use crate::history::AssignedRunner;
use crate::ids::{Amount, DeploymentId, RunId, Runner, RunnerId, Version, WorkerName};

const MAX_POLLS: usize = 3;

fn matching() -> Matching<()> {
    let timing = PollTiming::for_clients(Duration::from_secs(30));
    Matching::new(Order::Newest, timing, MAX_POLLS)
}

fn ms(millis: u64) -> Moment {
    Moment::from_millis(millis)
}

fn key(deployment: &str) -> PoolKey {
    PoolKey {
        deployment: DeploymentId::parse(deployment).unwrap(),
        version: Version::parse("1").unwrap(),
        cpu: Amount::ZERO,
        memory: Amount::ZERO,
    }
}

fn poll(runner: &str, at_ms: u64) -> Poll<()> {
    let runner = Runner { id: RunnerId::parse(runner).unwrap(), worker: WorkerName::parse("node").unwrap() };
    Poll { key: key("dep"), runner, parked_at: ms(at_ms), handle: () }
}

fn park(matching: &mut Matching<()>, runner: &str, at_ms: u64) -> ParkResult<()> {
    matching.park(poll(runner, at_ms))
}

fn is_parked(result: &ParkResult<()>) -> bool {
    matches!(result, ParkResult::Parked { .. })
}

fn warm_record(run: &str, SelectedPoll { id, poll }: SelectedPoll<()>, at_ms: u64) -> OfferRecord {
    OfferRecord {
        run: RunId::parse(run).unwrap(),
        key: poll.key,
        at: ms(at_ms),
        took: Duration::ZERO,
        dispatches: 1,
        outcome: OfferOutcome::Warm(Delivery::Acknowledged),
        runner: Some(AssignedRunner {
            runner: poll.runner,
            poll: id,
            selected_at: ms(at_ms),
            waited: Duration::ZERO,
        }),
    }
}

fn active(matching: &Matching<()>) -> Vec<String> {
    matching.active_runs().iter().map(|run| format!("{}:{}", run.runner.id, run.run)).collect()
}

fn filter(deployment: Option<&str>, runner: Option<&str>) -> RunnerFilter {
    let deployment = deployment.map(|id| DeploymentId::parse(id).unwrap());
    let runner = runner.map(|id| RunnerId::parse(id).unwrap());
    RunnerFilter::new(deployment, None, runner).unwrap()
}

#[test]
fn a_matched_runner_is_active_until_it_polls_again() {
    let mut matching = matching();
    park(&mut matching, "a", 0);
    let selected = matching.select(&key("dep"), ms(1)).unwrap();
    matching.finish_offer(warm_record("run_1", selected, 1));
    assert_eq!(active(&matching), ["a:run_1"]);
    park(&mut matching, "a", 2);
    assert!(matching.active_runs().is_empty());
}

#[test]
fn a_runner_that_polls_before_the_offer_is_finished_is_not_active() {
    let mut matching = matching();
    park(&mut matching, "a", 0);
    let selected = matching.select(&key("dep"), ms(1)).unwrap();
    park(&mut matching, "a", 2);
    matching.finish_offer(warm_record("run_1", selected, 1));
    assert!(matching.active_runs().is_empty());
}

#[test]
fn an_unread_run_is_not_active_and_its_record_says_unread() {
    let mut matching = matching();
    park(&mut matching, "a", 0);
    let selected = matching.select(&key("dep"), ms(1)).unwrap();
    let record_id = matching.finish_offer(warm_record("run_1", selected, 1));
    let outcome = matching.mark_unread(&record_id).map(|record| record.outcome);
    assert_eq!(outcome, Some(OfferOutcome::Warm(Delivery::Unread)));
    assert!(matching.active_runs().is_empty());
}

#[test]
fn retired_runners_are_removed_now_or_refused_later() {
    let mut matching = matching();
    for runner in ["a", "b"] {
        park(&mut matching, runner, 0);
    }
    let gone = matching.retire(filter(Some("dep"), Some("a")), ms(1), Duration::from_millis(100));
    assert_eq!(gone, [poll("a", 0)]);
    assert_eq!(park(&mut matching, "a", 50), ParkResult::Retired);
    assert!(is_parked(&park(&mut matching, "a", 101)));
    assert_eq!(matching.retire(filter(Some("other"), None), ms(102), Duration::ZERO), []);
    assert_eq!(matching.retire(filter(Some("dep"), None), ms(102), Duration::ZERO).len(), 2);
}

#[test]
fn an_empty_runner_filter_is_refused() {
    assert_eq!(RunnerFilter::new(None, None, None), None);
}

#[test]
fn at_the_cap_only_a_replacement_is_parked() {
    let mut matching = matching();
    for runner in ["a", "b", "c"] {
        assert!(is_parked(&park(&mut matching, runner, 0)));
    }
    assert_eq!(park(&mut matching, "d", 1), ParkResult::Closed);
    assert!(is_parked(&park(&mut matching, "a", 1)));
}

#[test]
fn a_draining_service_parks_no_poll() {
    let mut matching = matching();
    park(&mut matching, "a", 0);
    assert_eq!(matching.drain(), [poll("a", 0)]);
    assert_eq!(park(&mut matching, "a", 1), ParkResult::Closed);
    assert_eq!(matching.select(&key("dep"), ms(2)), None);
}
