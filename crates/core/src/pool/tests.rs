//! Tests of the pool rules.

use super::*;
use crate::ids::WorkerName;

fn key(deployment: &str) -> PoolKey {
    PoolKey {
        deployment: DeploymentId::parse(deployment).unwrap(),
        version: Version::parse("20240101.1").unwrap(),
        cpu: Amount::parse("0.5").unwrap(),
        memory: Amount::ZERO,
    }
}

fn poll(runner: &str, deployment: &str, at_ms: u64) -> Poll<()> {
    let runner = Runner { id: RunnerId::parse(runner).unwrap(), worker: WorkerName::parse("node").unwrap() };
    Poll { key: key(deployment), runner, parked_at: Moment::from_millis(at_ms), handle: () }
}

fn pools(order: Order) -> Pools<()> {
    Pools::new(order, PollTiming::for_clients(Duration::from_millis(100)))
}

fn select_runner(pools: &mut Pools<()>, deployment: &str, at_ms: u64) -> Option<String> {
    let selected = pools.select(&key(deployment), Moment::from_millis(at_ms))?;
    Some(selected.poll.runner.id.to_string())
}

#[test]
fn order_decides_which_poll_is_next() {
    for (order, expected) in [(Order::Newest, ["c", "b", "a"]), (Order::Oldest, ["a", "b", "c"])] {
        let mut pools = pools(order);
        for (at, runner) in ["a", "b", "c"].into_iter().enumerate() {
            pools.park(poll(runner, "dep", at as u64));
        }
        let got: Vec<_> = std::iter::from_fn(|| select_runner(&mut pools, "dep", 5)).collect();
        assert_eq!(got, expected);
        assert!(pools.is_empty());
    }
}

#[test]
fn a_run_fits_only_its_own_pool() {
    let base = poll("a", "dep", 0);
    let mut pools = pools(Order::Newest);
    pools.park(base.clone());
    let others = [
        key("other"),
        PoolKey { version: Version::parse("20240101.2").unwrap(), ..base.key.clone() },
        PoolKey { cpu: Amount::parse("1").unwrap(), ..base.key.clone() },
        PoolKey { memory: Amount::parse("1").unwrap(), ..base.key.clone() },
    ];
    for other in others {
        assert_eq!(pools.select(&other, Moment::from_millis(1)), None, "{other:?}");
    }
    let same = PoolKey { cpu: Amount::parse("5e-1").unwrap(), ..base.key.clone() };
    assert_eq!(pools.select(&same, Moment::from_millis(1)).map(|selected| selected.poll), Some(base));
}

#[test]
fn a_new_poll_of_a_runner_replaces_its_old_one() {
    let mut pools = pools(Order::Newest);
    let (old, none) = pools.park(poll("a", "dep", 0));
    assert_eq!(none, None);
    let (_, replaced) = pools.park(poll("a", "elsewhere", 1));
    assert_eq!(replaced, Some(poll("a", "dep", 0)));
    assert_eq!(pools.leave(old), None);
    assert_eq!(select_runner(&mut pools, "dep", 2), None);
    assert_eq!(select_runner(&mut pools, "elsewhere", 2), Some("a".into()));
}

#[test]
fn a_poll_that_left_is_not_selected_and_its_id_is_not_reused() {
    let mut pools = pools(Order::Newest);
    let (gone, _) = pools.park(poll("a", "dep", 0));
    assert!(pools.leave(gone).is_some());
    pools.park(poll("b", "dep", 1));
    assert_eq!(pools.leave(gone), None);
    assert_eq!(select_runner(&mut pools, "dep", 2), Some("b".into()));
}

#[test]
fn a_poll_is_unselectable_in_the_last_quarter_of_its_timeout_and_expires_later() {
    for order in [Order::Newest, Order::Oldest] {
        let mut pools = pools(order);
        pools.park(poll("old", "dep", 0));
        pools.park(poll("young", "dep", 50));
        assert_eq!(select_runner(&mut pools, "dep", 75), Some("young".into()));
        assert_eq!(select_runner(&mut pools, "dep", 75), None);
        assert_eq!(pools.len(), 1);
        assert_eq!(pools.pop_expired(Moment::from_millis(5099)), None);
        assert_eq!(pools.pop_expired(Moment::from_millis(5100)), Some(poll("old", "dep", 0)));
        assert!(pools.is_empty());
    }
}

#[test]
fn the_guard_is_a_quarter_but_at_most_a_second() {
    let cases = [(0, 0, 5000), (100, 75, 5100), (4000, 3000, 9000), (30_000, 29_000, 35_000)];
    for (timeout, selectable, expires) in cases {
        let timing = PollTiming::for_clients(Duration::from_millis(timeout));
        assert_eq!(timing.selectable_for, Duration::from_millis(selectable));
        assert_eq!(timing.expires_after, Duration::from_millis(expires));
    }
}

#[test]
fn oldest_first_lists_unselectable_polls_too() {
    let mut pools = pools(Order::Newest);
    for (at, runner) in [(0, "a"), (60, "b"), (70, "c")] {
        pools.park(poll(runner, "dep", at));
    }
    assert_eq!(select_runner(&mut pools, "nothing", 80), None);
    let names: Vec<_> = pools.oldest_first().map(|poll| poll.runner.id.to_string()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let taken = pools.remove_where(|poll| poll.runner.id.as_str() != "b");
    assert_eq!(taken.len(), 2);
    assert_eq!(select_runner(&mut pools, "dep", 80), Some("b".into()));
}

#[test]
fn get_returns_a_parked_poll_by_id() {
    let mut pools = pools(Order::Newest);
    let (first, _) = pools.park(poll("a", "dep", 0));
    let (second, _) = pools.park(poll("b", "other", 1));
    assert_eq!(pools.ids().collect::<Vec<_>>(), [first, second]);
    assert_eq!(pools.get(first), Some(&poll("a", "dep", 0)));
    assert!(first.number() < second.number());
    pools.leave(first);
    // The slot is reused, the id is not.
    let (third, _) = pools.park(poll("c", "dep", 2));
    assert_eq!((pools.get(first), pools.get(third)), (None, Some(&poll("c", "dep", 2))));
}
