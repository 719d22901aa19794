//! Several instances on one database.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pilotlight_core::clock_offset::{ClockOffset, ClockSample};
use pilotlight_core::job::Status;
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Store, StoreNotification, SubmitOutcome};
use pilotlight_testkit::need;
use pilotlight_testkit::postgres::PostgresCluster;
use tokio::task::JoinSet;

use crate::fixture::{
    apply_ok, at, claim, complete, job_type, next_notification, open, output, runner, submission, submit,
    wait_for_notification,
};

#[tokio::test]
async fn changes_are_notified_to_other_instances() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    let [here, there] = [open(&address).await, open(&address).await];

    let job = submit(&*there, submission("render", 1)).await;
    assert_eq!(next_notification(&*here).await, StoreNotification::Ready(vec![job_type("render")]));
    let claimed = apply_ok(&*there, job.id, claim("r"), output("")).await.job;
    wait_for_notification(&*here, |notification| *notification == StoreNotification::Changed(vec![job.id]))
        .await;
    apply_ok(&*there, job.id, complete(&claimed), output("1")).await;
    wait_for_notification(&*here, |notification| *notification == StoreNotification::Changed(vec![job.id]))
        .await;
    assert_eq!(here.job(job.id).await.unwrap().unwrap().job.status(at(3)), Status::Completed);
}

#[tokio::test]
async fn own_changes_are_not_notified() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    let [here, there] = [open(&address).await, open(&address).await];

    submit(&*here, submission("own", 1)).await;
    // The later change of the other instance is the first notification: the own change was not notified.
    wait_for_notification(&*there, |notification| {
        *notification == StoreNotification::Ready(vec![job_type("own")])
    })
    .await;
    submit(&*there, submission("other", 2)).await;
    assert_eq!(next_notification(&*here).await, StoreNotification::Ready(vec![job_type("other")]));
}

#[tokio::test]
async fn many_concurrent_changes_are_notified_in_batches() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    let [here, there] = [open(&address).await, open(&address).await];

    let mut tasks = JoinSet::new();
    for number in 0..600 {
        let there = Arc::clone(&there);
        tasks.spawn(
            async move { submit(&*there, submission(&format!("type {number}"), number)).await.job_type },
        );
    }
    let mut missing: std::collections::HashSet<_> = tasks.join_all().await.into_iter().collect();
    while !missing.is_empty() {
        match next_notification(&*here).await {
            StoreNotification::Ready(types) => types.iter().for_each(|it| _ = missing.remove(it)),
            StoreNotification::Changed(_) => {}
            StoreNotification::Resync => missing.clear(),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn equal_submissions_to_two_instances_are_one_job() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    let stores = [open(&address).await, open(&address).await];

    for round in 0..5 {
        let mut tasks = JoinSet::new();
        for number in 0..100 {
            let store = Arc::clone(&stores[number % 2]);
            tasks.spawn(async move { store.submit(submission("render", round), at(1)).await.unwrap() });
        }
        let outcomes = tasks.join_all().await;
        let created = outcomes.iter().filter(|it| matches!(it, SubmitOutcome::New(_))).count();
        assert_eq!(created, 1);
        let key = submission("render", round).key;
        assert_eq!(stores[0].lookup(key).await.unwrap().unwrap().job.callers, 100);
    }
    assert_eq!(stores[0].verify_integrity().await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_instances_never_dispatch_one_job_twice() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    let stores = [open(&address).await, open(&address).await];
    for number in 0..200 {
        submit(&*stores[0], submission(["a", "b"][number as usize % 2], number)).await;
    }
    let mut tasks = JoinSet::new();
    for number in 0..40 {
        let store = Arc::clone(&stores[number % 2]);
        tasks.spawn(async move {
            let types = [job_type("a"), job_type("b")];
            let mut leased_ids = Vec::new();
            while let Some(leased) = store.dispatch(&types, &runner("r"), at(2)).await.unwrap() {
                leased_ids.push(leased.job.id);
            }
            leased_ids
        });
    }
    let mut leased_ids: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    leased_ids.sort_unstable();
    leased_ids.dedup();
    assert_eq!(leased_ids.len(), 200);
    assert_eq!(stores[0].verify_integrity().await.unwrap(), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn instances_started_together_create_the_schema_once() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    let mut tasks = JoinSet::new();
    for _ in 0..4 {
        let address = address.clone();
        tasks.spawn(async move { open(&address).await });
    }
    let stores = tasks.join_all().await;
    submit(&*stores[0], submission("render", 1)).await;
    assert!(stores[3].lookup(submission("render", 1).key).await.unwrap().is_some());
}

/// The time that an instance computes from the database's clock when the instance's clock is `skew_ms` ahead.
async fn now_of(store: &dyn Store, skew_ms: i64) -> Timestamp {
    let own_clock = || ClockOffset::from_millis(skew_ms).apply(system_time());
    let (requested_at, started) = (own_clock(), Instant::now());
    let remote_time = store.clock().await.unwrap().expect("a database has a clock");
    let sample = ClockSample { requested_at, round_trip: started.elapsed(), remote_time };
    ClockOffset::updated(None, &sample).apply(own_clock())
}

#[expect(
    clippy::disallowed_methods,
    reason = "the test is the caller of the store, and reads the clock for it"
)]
fn system_time() -> Timestamp {
    Timestamp::from_millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64)
}

#[tokio::test]
async fn the_databases_clock_is_its_machines_clock() {
    need!("postgresql");
    let server = PostgresCluster::shared();
    let store = open(&server.database()).await;
    let (before, rounding) = (system_time(), Duration::from_millis(2));
    let remote_time = store.clock().await.unwrap().expect("a database has a clock");
    let after = system_time().after(rounding);
    assert!(
        before.before(rounding) <= remote_time && remote_time <= after,
        "{before:?} {remote_time:?} {after:?}"
    );
}

#[tokio::test]
async fn lease_timeouts_agree_between_instances_with_skewed_clocks() {
    const HOUR: i64 = 60 * 60 * 1000;
    need!("postgresql");
    let server = PostgresCluster::shared();
    let address = server.database();
    let [slow, fast] = [open(&address).await, open(&address).await];
    let job = match slow.submit(submission("render", 1), now_of(&*slow, -HOUR).await).await.unwrap() {
        SubmitOutcome::New(job) => job,
        other @ (SubmitOutcome::Existing(_) | SubmitOutcome::Conflict | SubmitOutcome::QueueFull(_)) => {
            panic!("the submission is not a new job: {other:?}")
        }
    };
    let leased =
        slow.dispatch(&[job_type("render")], &runner("r"), now_of(&*slow, -HOUR).await).await.unwrap();
    assert_eq!(leased.expect("the job is ready").job.id, job.id);
    let sweep = async |now| fast.sweep(10, Timestamp::default(), now).await.unwrap().len();
    assert_eq!(sweep(now_of(&*fast, HOUR).await).await, 0, "the start timeout is not over");
    assert_eq!(sweep(now_of(&*fast, HOUR).await.after(Duration::from_secs(3))).await, 1);
}
