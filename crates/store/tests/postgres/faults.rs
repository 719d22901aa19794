//! Broken connections, a stopped server, and a crashed server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pilotlight_core::job::{JobId, Status};
use pilotlight_store::{Error, EventOutcome, Store, StoreNotification};
use pilotlight_testkit::need;
use pilotlight_testkit::postgres::PostgresCluster;
use pilotlight_testkit::wait::wait_until_async;
use tokio::task::JoinSet;

use crate::fixture::{
    at, claim, complete, job_type, next_notification, open, output, submission, submit, wait_for_notification,
};

/// Terminates the backends of the notification connections.
const END_LISTENERS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
     WHERE pid <> pg_backend_pid() AND (query LIKE '%pg_notify%' OR query LIKE '%LISTEN%')";
/// Terminates all other backends.
const END_ALL: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";

#[tokio::test]
async fn a_disconnected_listener_gets_a_resync() {
    need!("postgresql");
    let server = PostgresCluster::start();
    let address = server.database();
    let [here, there] = [open(&address).await, open(&address).await];

    server.sql(&address, END_LISTENERS);
    assert_eq!(next_notification(&*here).await, StoreNotification::Resync);
    // From here on this instance receives notifications again. When the other instance is not connected yet, it sends a
    // resync once it is.
    let is_received = |notification: &StoreNotification, type_name| {
        *notification == StoreNotification::Ready(vec![job_type(type_name)])
            || *notification == StoreNotification::Resync
    };
    submit(&*there, submission("render", 1)).await;
    wait_for_notification(&*here, |notification| is_received(notification, "render")).await;
    submit(&*here, submission("encode", 2)).await;
    wait_for_notification(&*there, |notification| is_received(notification, "encode")).await;
}

#[tokio::test]
async fn a_connection_lost_between_operations_is_replaced() {
    need!("postgresql");
    let server = PostgresCluster::start();
    let address = server.database();
    let store = open(&address).await;
    for number in 0..20 {
        submit(&*store, submission("render", number)).await;
        server.sql(&address, END_ALL);
    }
    assert_eq!(store.counts(at(0), at(2)).await.unwrap().jobs[0], 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_terminated_backends() {
    need!("postgresql");
    let server = PostgresCluster::start();
    let address = server.database();
    let stores = [open(&address).await, open(&address).await];
    let stopped = Arc::new(AtomicBool::new(false));

    let mut tasks = JoinSet::new();
    for caller in 0..8 {
        let (store, stopped) = (Arc::clone(&stores[caller % 2]), Arc::clone(&stopped));
        tasks.spawn(async move { run_jobs(&*store, caller as u64 * 1_000_000, &stopped).await });
    }
    for _ in 0..30 {
        server.sql(&address, END_ALL);
        // The callers run jobs between two faults.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    stopped.store(true, Ordering::Relaxed);
    let completed: Vec<JobId> = tasks.join_all().await.into_iter().flatten().collect();

    assert!(!completed.is_empty());
    for id in completed {
        let found = stores[0].job(id).await.unwrap().expect("an acknowledged job is stored");
        assert_eq!(found.job.status(at(3)), Status::Completed);
        assert_eq!(found.output.unwrap().result.as_deref(), Some("1"));
    }
    assert_eq!(stores[0].verify_integrity().await.unwrap(), [""; 0]);
}

/// Runs jobs one after the other until `stopped`. Returns the jobs whose completion was acknowledged.
async fn run_jobs(store: &dyn Store, first: u64, stopped: &AtomicBool) -> Vec<JobId> {
    let mut completed = Vec::new();
    for number in first.. {
        if stopped.load(Ordering::Relaxed) {
            break;
        }
        let new = submission("render", number);
        let id = new.id;
        // A failed submission may or may not be stored.
        if store.submit(new, at(1)).await.is_err() {
            continue;
        }
        let Ok(EventOutcome::Applied(claimed)) = store.apply_event(id, claim("r"), output(""), at(2)).await
        else {
            continue;
        };
        let outcome = store.apply_event(id, complete(&claimed.job), output("1"), at(2)).await;
        match outcome {
            Ok(EventOutcome::Applied(_)) => completed.push(id),
            Ok(other) => panic!("the completion is not applied: {other:?}"),
            Err(Error::Unavailable(_)) => {}
            Err(other) => panic!("the error is not a lost connection: {other:?}"),
        }
    }
    completed
}

#[tokio::test]
async fn a_stopped_server_gives_a_clear_error_and_is_used_again_after_its_restart() {
    need!("postgresql");
    let mut server = PostgresCluster::start();
    let address = server.database_over_tcp();
    let store = open(&address).await;
    let job = submit(&*store, submission("render", 1)).await;

    for _ in 0..2 {
        server.stop();
        let error = store.submit(submission("render", 2), at(1)).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
        let message = error.to_string();
        assert!(message.contains("PostgreSQL at 127.0.0.1") && !message.contains("s3cret"), "{message}");
        server.restart();
        wait_until_async("the store answers", async || {
            store.job(job.id).await.is_ok_and(|found| found.is_some())
        })
        .await;
    }
    wait_for_notification(&*store, |notification| *notification == StoreNotification::Resync).await;
}

#[tokio::test]
async fn acknowledged_writes_survive_a_server_crash() {
    need!("postgresql");
    let mut server = PostgresCluster::start();
    let address = server.database();
    let store = open(&address).await;
    let job = submit(&*store, submission("render", 1)).await;
    server.crash();
    server.restart();
    wait_until_async("the store answers", async || {
        store.job(job.id).await.is_ok_and(|found| found.is_some())
    })
    .await;
    assert_eq!(store.verify_integrity().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn waiting_for_a_locked_row_times_out() {
    need!("postgresql");
    let server = PostgresCluster::start();
    let address = server.database();
    let store = open(&address).await;
    let job = submit(&*store, submission("render", 1)).await;
    let lock = server.open_transaction(&address, "BEGIN; SELECT seq FROM pilotlight.jobs FOR UPDATE");
    let error = store.apply_event(job.id, claim("r"), output(""), at(2)).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable(_)), "{error:?}");
    drop(lock);
    wait_until_async("the row is not locked", async || {
        store.apply_event(job.id, claim("r"), output(""), at(2)).await.is_ok()
    })
    .await;
}
