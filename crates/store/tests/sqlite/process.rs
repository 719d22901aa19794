//! A store shared by two processes, file permissions, files that are rejected, and failures of single operations.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::ids::RunnerId;
use pilotlight_core::job::Event;
use pilotlight_store::{Error, RunnerOutput};
use pilotlight_testkit::temp_dir::TempDir;
use tokio::task::JoinSet;

use crate::support::{at, open, store_in, submission};

#[tokio::test]
async fn two_processes_may_share_the_store_during_a_handover() {
    let folder = TempDir::new();
    let (old, new) = (open(&store_in(&folder)).unwrap(), open(&store_in(&folder)).unwrap());
    let runner = RunnerId::parse("runner").unwrap();
    let mut jobs = JoinSet::new();
    for number in 0..100 {
        let store = if number % 2 == 0 { Arc::clone(&old) } else { Arc::clone(&new) };
        jobs.spawn(async move { store.submit(submission(number, 10), at(0)).await.unwrap() });
    }
    assert_eq!(jobs.join_all().await.len(), 100);
    for number in 0..100 {
        let store = if number % 2 == 0 { &new } else { &old };
        let types = [submission(0, 0).job_type];
        assert!(store.dispatch(&types, &runner, at(1)).await.unwrap().is_some(), "{number}");
    }
    drop(old);
    assert_eq!(new.verify_integrity().await.unwrap(), Vec::<String>::new());
}

#[tokio::test]
async fn a_newer_schema_is_rejected_and_not_changed() {
    let folder = TempDir::new();
    drop(open(&store_in(&folder)).unwrap());
    let db = rusqlite::Connection::open(store_in(&folder).join("pilotlight.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    let error = open(&store_in(&folder)).unwrap_err();
    assert!(matches!(error, Error::SchemaTooNew { found: 99, known: 1 }), "{error:?}");
    let version: u32 = db.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    assert_eq!(version, 99);
}

#[tokio::test]
async fn a_database_of_another_program_is_not_changed() {
    let folder = TempDir::new();
    std::fs::create_dir(store_in(&folder)).unwrap();
    let file = store_in(&folder).join("pilotlight.db");
    rusqlite::Connection::open(&file).unwrap().execute_batch("CREATE TABLE other_program (a)").unwrap();
    assert!(matches!(open(&store_in(&folder)), Err(Error::Corrupt(_))));
    std::fs::write(&file, "a text that is not a database, and is longer than the header of a database")
        .unwrap();
    assert!(matches!(open(&store_in(&folder)), Err(Error::Corrupt(_))));
}

#[tokio::test]
async fn files_are_readable_by_the_owner_only() {
    let folder = TempDir::new();
    let store = open(&store_in(&folder)).unwrap();
    store.submit(submission(1, 10), at(1)).await.unwrap();
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&store_in(&folder)), 0o700);
    for file in std::fs::read_dir(store_in(&folder)).unwrap() {
        assert_eq!(mode(&file.unwrap().path()), 0o600);
    }
}

#[tokio::test]
async fn a_failed_operation_does_not_undo_others_of_its_batch() {
    let folder = TempDir::new();
    let store = open(&store_in(&folder)).unwrap();
    let mut callers = JoinSet::new();
    for number in 0..200_u64 {
        let store = store.clone();
        // Every fourth submission repeats the id of another job, which the database rejects.
        let mut job = submission(number, 10);
        job.id = if number % 4 == 3 { submission(number - 1, 0).id } else { job.id };
        callers.spawn(async move { store.submit(job, at(1)).await.is_ok() });
    }
    let stored = callers.join_all().await.into_iter().filter(|is_stored| *is_stored).count();
    assert_eq!(stored, 150);
    assert_eq!(store.counts(at(0), at(1)).await.unwrap().jobs[0], 150);
    assert_eq!(store.verify_integrity().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_dropped_call_is_still_executed() {
    let folder = TempDir::new();
    let store = open(&store_in(&folder)).unwrap();
    for number in 0..50 {
        let call = tokio::time::timeout(Duration::ZERO, store.submit(submission(number, 10), at(1)));
        let _ = call.await;
    }
    store.submit(submission(99, 10), at(1)).await.unwrap();
    assert_eq!(store.verify_integrity().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_invalid_row_is_reported_as_corrupt() {
    let folder = TempDir::new();
    let store = open(&store_in(&folder)).unwrap();
    store.submit(submission(1, 10), at(1)).await.unwrap();
    drop(store);
    let db = rusqlite::Connection::open(store_in(&folder).join("pilotlight.db")).unwrap();
    db.execute("UPDATE jobs SET phase = 77", []).unwrap();
    drop(db);
    let store = open(&store_in(&folder)).unwrap();
    assert!(matches!(store.job(submission(1, 0).id).await, Err(Error::Corrupt(_))));
    let claim = Event::Claim { runner: RunnerId::parse("r").unwrap() };
    let outcome = store.apply_event(submission(1, 0).id, claim, RunnerOutput::default(), at(2)).await;
    assert!(matches!(outcome, Err(Error::Corrupt(_))), "{outcome:?}");
    let errors = store.verify_integrity().await.unwrap();
    assert!(errors.iter().any(|error| error.contains("phase")), "{errors:?}");
    store.submit(submission(2, 10), at(3)).await.unwrap();
}

#[tokio::test]
async fn a_sqlite_store_never_notifies() {
    let folder = TempDir::new();
    let store = open(&store_in(&folder)).unwrap();
    store.submit(submission(1, 10), at(1)).await.unwrap();
    assert!(tokio::time::timeout(Duration::from_millis(20), store.next_notification()).await.is_err());
}
