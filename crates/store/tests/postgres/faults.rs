//! Connections that break, and a server that goes and comes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pilotlight_core::job::{JobId, Status};
use pilotlight_store::{Error, EventOutcome, Store, StoreNotification};
use tokio::task::JoinSet;

use crate::support::postgres::Server;
use crate::world::{
    at, claim, complete, job_type, need_postgresql, new, open, output, submit, told, told_until, until,
};

/// Ends the backends that hear, or those that do not.
const END_LISTENERS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
     WHERE pid <> pg_backend_pid() AND (query LIKE '%pg_notify%' OR query LIKE '%LISTEN%')";
const END_ALL: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid()";

#[tokio::test]
async fn an_instance_that_could_not_hear_is_told_anything() {
    need_postgresql!();
    let server = Server::start();
    let address = server.database();
    let [here, there] = [open(&address).await, open(&address).await];

    server.sql(&address, END_LISTENERS);
    assert_eq!(told(&*here).await, StoreNotification::Resync);
    // From here on it hears again, and so does the other. Who was not connected yet says "anything" instead.
    let hears = |told: &StoreNotification, of| {
        *told == StoreNotification::Ready(vec![job_type(of)]) || *told == StoreNotification::Resync
    };
    submit(&*there, new("render", 1)).await;
    told_until(&*here, |told| hears(told, "render")).await;
    submit(&*here, new("encode", 2)).await;
    told_until(&*there, |told| hears(told, "encode")).await;
}

#[tokio::test]
async fn a_lost_connection_between_two_verbs_is_not_noticed() {
    need_postgresql!();
    let server = Server::start();
    let address = server.database();
    let store = open(&address).await;
    for number in 0..20 {
        submit(&*store, new("render", number)).await;
        server.sql(&address, END_ALL);
    }
    assert_eq!(store.counts(at(0), at(2)).await.unwrap().jobs[0], 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backends_that_end_under_load_lose_nothing_answered() {
    need_postgresql!();
    let server = Server::start();
    let address = server.database();
    let stores = [open(&address).await, open(&address).await];
    let is_over = Arc::new(AtomicBool::new(false));

    let mut tasks = JoinSet::new();
    for caller in 0..8 {
        let (store, is_over) = (Arc::clone(&stores[caller % 2]), Arc::clone(&is_over));
        tasks.spawn(async move { live(&*store, caller as u64 * 1_000_000, &is_over).await });
    }
    for _ in 0..30 {
        server.sql(&address, END_ALL);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    is_over.store(true, Ordering::Relaxed);
    let completed: Vec<JobId> = tasks.join_all().await.into_iter().flatten().collect();

    assert!(!completed.is_empty());
    for id in completed {
        let found = stores[0].job(id).await.unwrap().expect("it was answered");
        assert_eq!(found.job.status(at(3)), Status::Completed);
        assert_eq!(found.output.unwrap().result.as_deref(), Some("1"));
    }
    assert_eq!(stores[0].verify_integrity().await.unwrap(), [""; 0]);
}

/// Lives of jobs, one after the other. Returns those whose end was answered.
async fn live(store: &dyn Store, first: u64, is_over: &AtomicBool) -> Vec<JobId> {
    let mut completed = Vec::new();
    for number in first.. {
        if is_over.load(Ordering::Relaxed) {
            break;
        }
        let new = new("render", number);
        let id = new.id;
        // What is not answered may have come about or not.
        if store.submit(new, at(1)).await.is_err() {
            continue;
        }
        let Ok(EventOutcome::Applied(claimed)) = store.apply_event(id, claim("r"), output(""), at(2)).await
        else {
            continue;
        };
        let said = store.apply_event(id, complete(&claimed.job), output("1"), at(2)).await;
        match said {
            Ok(EventOutcome::Applied(_)) => completed.push(id),
            Ok(other) => panic!("its holder is refused: {other:?}"),
            Err(Error::Unavailable(_)) => {}
            Err(other) => panic!("is no lost connection: {other:?}"),
        }
    }
    completed
}

#[tokio::test]
async fn a_server_that_is_gone_is_said_in_a_sentence_and_its_return_is_noticed() {
    need_postgresql!();
    let mut server = Server::start();
    let address = server.database_over_tcp();
    let store = open(&address).await;
    let job = submit(&*store, new("render", 1)).await;

    for _ in 0..2 {
        server.stop();
        let why = store.submit(new("render", 2), at(1)).await.unwrap_err();
        assert!(matches!(why, Error::Unavailable(_)), "{why:?}");
        let why = why.to_string();
        assert!(why.contains("PostgreSQL at 127.0.0.1") && !why.contains("s3cret"), "{why}");
        server.start_again();
        until("the store answers", async || store.job(job.id).await.is_ok_and(|found| found.is_some())).await;
    }
    told_until(&*store, |told| *told == StoreNotification::Resync).await;
}

#[tokio::test]
async fn what_was_answered_survives_a_crash_of_the_server() {
    need_postgresql!();
    let mut server = Server::start();
    let address = server.database();
    let store = open(&address).await;
    let job = submit(&*store, new("render", 1)).await;
    server.crash();
    server.start_again();
    until("the store answers", async || store.job(job.id).await.is_ok_and(|found| found.is_some())).await;
    assert_eq!(store.verify_integrity().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_row_that_somebody_else_holds_is_not_waited_for_without_end() {
    need_postgresql!();
    let server = Server::start();
    let address = server.database();
    let store = open(&address).await;
    let job = submit(&*store, new("render", 1)).await;
    let holder = server.hold(&address, "BEGIN; SELECT seq FROM pilotlight.jobs FOR UPDATE");
    let why = store.apply_event(job.id, claim("r"), output(""), at(2)).await.unwrap_err();
    assert!(matches!(why, Error::Unavailable(_)), "{why:?}");
    drop(holder);
    until("the row is free", async || store.apply_event(job.id, claim("r"), output(""), at(2)).await.is_ok())
        .await;
}
