//! Backup and restore.

use pilotlight_store::Error;
use pilotlight_store::sqlite::{RestoreMode, backup, restore};
use pilotlight_testkit::temp_dir::TempDir;
use tokio::task::JoinSet;

use crate::support::{at, open, store_in, submission};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_store_in_use_is_complete() {
    let folder = TempDir::new();
    let store = open(&store_in(&folder)).unwrap();
    for number in 0..100 {
        store.submit(submission(number, 1000), at(1)).await.unwrap();
    }
    let mut callers = JoinSet::new();
    for caller in 1..5_u64 {
        let store = store.clone();
        callers.spawn(async move {
            for number in 0..100 {
                store.submit(submission(caller * 1000 + number, 1000), at(1)).await.unwrap();
            }
        });
    }
    let copy = folder.path().join("copy.db");
    let (from, to) = (store_in(&folder), copy.clone());
    tokio::task::spawn_blocking(move || backup(&from, &to)).await.unwrap().unwrap();
    callers.join_all().await;

    let other = folder.path().join("other");
    restore(&copy, &other, RestoreMode::KeepExisting).unwrap();
    let restored = open(&other).unwrap();
    assert_eq!(restored.verify_integrity().await.unwrap(), [""; 0]);
    for number in 0..100 {
        assert_eq!(restored.input(submission(number, 0).id).await.unwrap().map(|it| it.len()), Some(1000));
    }
}

#[tokio::test]
async fn a_backup_overwrites_nothing() {
    let folder = TempDir::new();
    drop(open(&store_in(&folder)).unwrap());
    let existing = folder.path().join("existing");
    std::fs::write(&existing, "other content").unwrap();
    assert!(backup(&store_in(&folder), &existing).is_err());
    assert_eq!(std::fs::read(&existing).unwrap(), b"other content");
    assert!(backup(&folder.path().join("missing"), &folder.path().join("copy")).is_err());
    assert!(!folder.path().join("copy").exists());
}

#[tokio::test]
async fn a_restore_replaces_a_store_only_when_requested() {
    let folder = TempDir::new();
    let copy = folder.path().join("copy.db");
    let store = open(&store_in(&folder)).unwrap();
    store.submit(submission(1, 10), at(1)).await.unwrap();
    backup(&store_in(&folder), &copy).unwrap();
    store.submit(submission(2, 10), at(1)).await.unwrap();
    assert!(matches!(restore(&copy, &store_in(&folder), RestoreMode::ReplaceExisting), Err(Error::InUse)));
    drop(store);
    assert!(matches!(
        restore(&copy, &store_in(&folder), RestoreMode::KeepExisting),
        Err(Error::Unavailable(_))
    ));
    assert!(open(&store_in(&folder)).unwrap().job(submission(2, 0).id).await.unwrap().is_some());
    restore(&copy, &store_in(&folder), RestoreMode::ReplaceExisting).unwrap();
    let store = open(&store_in(&folder)).unwrap();
    assert!(store.job(submission(1, 0).id).await.unwrap().is_some());
    assert!(store.job(submission(2, 0).id).await.unwrap().is_none());
    assert_eq!(store.verify_integrity().await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn an_incomplete_backup_is_not_restored() {
    let folder = TempDir::new();
    let other = folder.path().join("other");
    let store = open(&store_in(&folder)).unwrap();
    for number in 0..100 {
        store.submit(submission(number, 1000), at(1)).await.unwrap();
    }
    let copy = folder.path().join("copy.db");
    backup(&store_in(&folder), &copy).unwrap();

    let half = folder.path().join("half.db");
    let bytes = std::fs::read(&copy).unwrap();
    std::fs::write(&half, &bytes[..bytes.len() / 2]).unwrap();
    let text = folder.path().join("text.db");
    std::fs::write(&text, "x".repeat(5000)).unwrap();
    let empty = folder.path().join("empty.db");
    std::fs::write(&empty, "").unwrap();
    for bad in [half, text, empty] {
        let error = restore(&bad, &other, RestoreMode::KeepExisting).unwrap_err();
        assert!(matches!(error, Error::Corrupt(_)), "{}: {error:?}", bad.display());
    }
    let newer = folder.path().join("newer.db");
    std::fs::copy(&copy, &newer).unwrap();
    rusqlite::Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(restore(&newer, &other, RestoreMode::KeepExisting), Err(Error::SchemaTooNew { .. })));
    assert!(!other.join("pilotlight.db").exists());
}
