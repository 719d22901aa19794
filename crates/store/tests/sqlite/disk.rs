//! Full and read-only disks, and recovery once there is space again.

use std::path::Path;

use pilotlight_store::{Error, Store};
use pilotlight_testkit::temp_dir::mount;
use tokio::task::JoinSet;

use crate::support::{at, need_disk, open, store_in, submission};

/// Submits until a submission fails. Returns the number of accepted submissions, and the error.
async fn submit_until_full(store: &dyn Store, from: u64, bytes: usize) -> (u64, Error) {
    for number in from.. {
        if let Err(error) = store.submit(submission(number, bytes), at(1)).await {
            return (number - from, error);
        }
        assert!(number - from < 100_000, "the disk does not fill up");
    }
    unreachable!()
}

async fn assert_stored(store: &dyn Store, numbers: std::ops::Range<u64>) {
    for number in numbers {
        assert!(store.job(submission(number, 0).id).await.unwrap().is_some(), "{number}");
    }
}

/// Fills the remaining space of the disk.
fn fill_disk(path: &Path) {
    let mut size = 64 * 1024;
    while size >= 512 {
        let more = [std::fs::read(path).unwrap_or_default(), vec![0; size]].concat();
        if std::fs::write(path, &more).is_err() {
            size /= 2;
        }
    }
}

#[tokio::test]
async fn a_full_disk_is_reported_and_recovers() {
    let disk = need_disk!(2048);
    let store = open(&store_in(&disk)).unwrap();
    store.submit(submission(0, 10), at(1)).await.unwrap();

    let ballast = disk.path().join("ballast");
    fill_disk(&ballast);
    let (accepted, error) = submit_until_full(&*store, 1, 3000).await;
    assert!(matches!(error, Error::DiskFull), "{error:?}");
    for _ in 0..3 {
        let error = store.submit(submission(5000, 3000), at(1)).await.unwrap_err();
        assert!(matches!(error, Error::DiskFull), "{error:?}");
    }
    assert_stored(&*store, 0..1 + accepted).await;
    assert!(
        store.job(submission(1 + accepted, 0).id).await.unwrap().is_none(),
        "a failed submission is not stored"
    );

    std::fs::remove_file(&ballast).unwrap();
    store.submit(submission(5000, 3000), at(1)).await.unwrap();
    assert_eq!(store.verify_integrity().await.unwrap(), [""; 0]);
    drop(store);
    let store = open(&store_in(&disk)).unwrap();
    assert_stored(&*store, 0..1 + accepted).await;
    assert_stored(&*store, 5000..5001).await;
}

#[tokio::test]
async fn acknowledged_writes_are_stored_while_the_disk_fills() {
    let disk = need_disk!(3 * 1024);
    let store = open(&store_in(&disk)).unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..16_u64 {
        let store = store.clone();
        callers.spawn(async move {
            let (accepted, error) = submit_until_full(&*store, caller * 100_000, 9000).await;
            assert!(matches!(error, Error::DiskFull), "{error:?}");
            (caller * 100_000, accepted)
        });
    }
    for (first, accepted) in callers.join_all().await {
        assert_stored(&*store, first..first + accepted).await;
    }
    assert_eq!(store.verify_integrity().await.unwrap(), [""; 0]);
    assert!(store.lookup(submission(0, 0).key).await.is_ok(), "reads work on a full disk");
}

#[tokio::test]
async fn creating_a_store_on_a_full_disk_reports_it() {
    let disk = need_disk!(64);
    fill_disk(&disk.path().join("ballast"));
    let error = open(&store_in(&disk)).unwrap_err();
    assert!(matches!(error, Error::DiskFull), "{error:?}");
}

#[tokio::test]
async fn a_read_only_disk_is_reported() {
    let disk = need_disk!(4096);
    let store = open(&store_in(&disk)).unwrap();
    store.submit(submission(0, 10), at(1)).await.unwrap();
    drop(store);
    assert!(mount(&["-o", "remount,ro", disk.text()]));
    let error = open(&store_in(&disk)).unwrap_err();
    assert!(matches!(error, Error::ReadOnly), "{error:?}");
    assert!(mount(&["-o", "remount,rw", disk.text()]));
    assert_stored(&*open(&store_in(&disk)).unwrap(), 0..1).await;
}
