//! The rules of matching, as tables.

use super::*;
use crate::delivery::Delivery;
use crate::history::AssignedRunner;
use crate::ids::{Amount, DeploymentId, RunId, Runner, RunnerId, Version, WorkerName};

const POLLS_AT_MOST: usize = 3;

fn matching() -> Matching<()> {
    let timing = PollTiming::for_clients(Duration::from_secs(30));
    Matching::new(Order::Newest, timing, POLLS_AT_MOST)
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

fn is_parked(parking: &ParkResult<()>) -> bool {
    matches!(parking, ParkResult::Parked { .. })
}

fn warm(run: &str, SelectedPoll { id, poll }: SelectedPoll<()>, at_ms: u64) -> OfferRecord {
    OfferRecord {
        run: RunId::parse(run).unwrap(),
        key: poll.key,
        at: ms(at_ms),
        took: Duration::ZERO,
        dispatches: 1,
        answer: OfferOutcome::Warm(Delivery::Acknowledged),
        runner: Some(AssignedRunner {
            runner: poll.runner,
            poll: id,
            selected_at: ms(at_ms),
            waited: Duration::ZERO,
        }),
    }
}

fn executes(matching: &Matching<()>) -> Vec<String> {
    matching
        .active_runs()
        .iter()
        .map(|execution| format!("{}:{}", execution.runner.id, execution.run))
        .collect()
}

fn only(deployment: Option<&str>, runner: Option<&str>) -> RunnerFilter {
    let deployment = deployment.map(|id| DeploymentId::parse(id).unwrap());
    let runner = runner.map(|id| RunnerId::parse(id).unwrap());
    RunnerFilter::new(deployment, None, runner).unwrap()
}

#[test]
fn a_matched_runner_executes_until_it_polls_again() {
    let mut matching = matching();
    park(&mut matching, "a", 0);
    let chosen = matching.select(&key("dep"), ms(1)).unwrap();
    matching.finish_offer(warm("run_1", chosen, 1));
    assert_eq!(executes(&matching), ["a:run_1"]);
    park(&mut matching, "a", 2);
    assert!(matching.active_runs().is_empty());
}

#[test]
fn a_runner_that_polls_before_the_offer_settles_does_not_execute() {
    let mut matching = matching();
    park(&mut matching, "a", 0);
    let chosen = matching.select(&key("dep"), ms(1)).unwrap();
    park(&mut matching, "a", 2);
    matching.finish_offer(warm("run_1", chosen, 1));
    assert!(matching.active_runs().is_empty());
}

#[test]
fn an_unread_run_is_not_executed_and_the_history_says_so() {
    let mut matching = matching();
    park(&mut matching, "a", 0);
    let chosen = matching.select(&key("dep"), ms(1)).unwrap();
    let entry = matching.finish_offer(warm("run_1", chosen, 1));
    let answer = matching.mark_unread(&entry).map(|offered| offered.answer);
    assert_eq!(answer, Some(OfferOutcome::Warm(Delivery::Unread)));
    assert!(matching.active_runs().is_empty());
}

#[test]
fn the_retired_leave_now_or_when_they_come_back() {
    let mut matching = matching();
    for runner in ["a", "b"] {
        park(&mut matching, runner, 0);
    }
    let gone = matching.retire(only(Some("dep"), Some("a")), ms(1), Duration::from_millis(100));
    assert_eq!(gone, [poll("a", 0)]);
    assert_eq!(park(&mut matching, "a", 50), ParkResult::Retired);
    assert!(is_parked(&park(&mut matching, "a", 101)));
    assert_eq!(matching.retire(only(Some("other"), None), ms(102), Duration::ZERO), []);
    assert_eq!(matching.retire(only(Some("dep"), None), ms(102), Duration::ZERO).len(), 2);
}

#[test]
fn retiring_nobody_in_particular_is_not_possible() {
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
fn a_draining_service_parks_nobody() {
    let mut matching = matching();
    park(&mut matching, "a", 0);
    assert_eq!(matching.drain(), [poll("a", 0)]);
    assert_eq!(park(&mut matching, "a", 1), ParkResult::Closed);
    assert_eq!(matching.select(&key("dep"), ms(2)), None);
}
