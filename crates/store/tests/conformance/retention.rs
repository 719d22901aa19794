//! Retention, deletion, stored bytes, and the integrity check.

use std::time::Duration;

use pilotlight_core::job::CancelScope;
use pilotlight_store::{PruneStats, Retention};

use crate::fixture::{StoreFixture, WEBHOOK_TYPE, at, key, submission, submission_of_type};

const UNLIMITED: Retention = Retention { keep_for: Duration::MAX, max_bytes: 0, at_most: 100 };

fn keep_for(millis: u64) -> Retention {
    Retention { keep_for: Duration::from_millis(millis), ..UNLIMITED }
}

pub(crate) async fn ended_jobs_are_pruned_after_the_retention_time(fixture: StoreFixture) {
    let old = fixture.completed_job("a", "42", at(5)).await;
    let young = fixture.completed_job("b", "42", at(6)).await;
    assert_eq!(fixture.prune(keep_for(10), at(14)).await.unwrap(), PruneStats::default());
    assert_eq!(fixture.prune(keep_for(10), at(15)).await.unwrap(), PruneStats { jobs: 1, bytes: 14 });
    assert!(fixture.job(old.id).await.unwrap().is_none());
    assert!(fixture.input(old.id).await.unwrap().is_none());
    assert!(fixture.lookup(key("a")).await.unwrap().is_none());
    assert!(fixture.job(young.id).await.unwrap().is_some());
    assert_eq!(fixture.prune(UNLIMITED, at(u64::MAX)).await.unwrap(), PruneStats::default());
}

pub(crate) async fn jobs_that_have_not_ended_are_never_pruned(fixture: StoreFixture) {
    fixture.submit_new(submission("a"), at(5)).await;
    fixture.claimed_job("b", at(5)).await;
    fixture.submit_new(submission("c"), at(5)).await;
    fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    let strict = Retention { keep_for: Duration::ZERO, max_bytes: 1, at_most: 100 };
    assert_eq!(fixture.prune(strict, at(500)).await.unwrap(), PruneStats::default());
}

pub(crate) async fn failed_and_cancelled_jobs_are_pruned_too(fixture: StoreFixture) {
    let failed = fixture.claimed_job("a", at(5)).await;
    fixture.fail(&failed, "no", at(6)).await;
    let cancelled = fixture.submit_new(submission("b"), at(5)).await;
    fixture.cancel(cancelled.id, CancelScope::AllCallers, at(7)).await;
    assert_eq!(fixture.prune(keep_for(10), at(16)).await.unwrap().jobs, 1);
    assert_eq!(fixture.prune(keep_for(10), at(17)).await.unwrap().jobs, 1);
    assert_eq!(fixture.stored_bytes().await.unwrap(), 0);
}

pub(crate) async fn over_the_byte_limit_the_oldest_ended_job_is_pruned_first(fixture: StoreFixture) {
    let late = fixture.claimed_job("a", at(5)).await;
    let early = fixture.completed_job("b", "42", at(6)).await;
    fixture.complete(&late, "42", at(7)).await;
    fixture.submit_new(submission("c"), at(8)).await;
    let bytes = fixture.stored_bytes().await.unwrap() - 12;
    let up_to = |max_bytes| Retention { max_bytes, ..UNLIMITED };
    assert_eq!(fixture.prune(up_to(bytes), at(9)).await.unwrap(), PruneStats::default());
    assert_eq!(fixture.prune(up_to(bytes - 1), at(9)).await.unwrap(), PruneStats { jobs: 1, bytes: 14 });
    assert!(fixture.job(early.id).await.unwrap().is_none());
    assert_eq!(fixture.prune(up_to(1), at(9)).await.unwrap(), PruneStats { jobs: 1, bytes: 14 });
    assert_eq!(fixture.stored_bytes().await.unwrap(), 12, "the parameters of the pending job");
}

pub(crate) async fn unfinished_jobs_do_not_count_against_the_byte_limit(fixture: StoreFixture) {
    let ended = fixture.completed_job("a", "42", at(5)).await;
    for name in ["b", "c", "d"] {
        fixture.submit_new(submission(name), at(6)).await;
    }
    let running = fixture.claimed_job("e", at(6)).await;
    fixture.dispatch_next("render", "r", at(7)).await.unwrap();
    let up_to = |max_bytes| Retention { max_bytes, ..UNLIMITED };
    assert_eq!(fixture.prune(up_to(14), at(8)).await.unwrap(), PruneStats::default());
    fixture.complete(&running, "42", at(9)).await;
    assert_eq!(fixture.prune(up_to(28), at(10)).await.unwrap(), PruneStats::default());
    assert_eq!(fixture.prune(up_to(27), at(10)).await.unwrap(), PruneStats { jobs: 1, bytes: 14 });
    assert!(fixture.job(ended.id).await.unwrap().is_none());
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_prune_respects_its_limit(fixture: StoreFixture) {
    for name in ["a", "b", "c"] {
        fixture.completed_job(name, "42", at(5)).await;
    }
    let two = Retention { at_most: 2, ..keep_for(0) };
    assert_eq!(fixture.prune(two, at(6)).await.unwrap().jobs, 2);
    assert_eq!(fixture.prune(two, at(6)).await.unwrap().jobs, 1);
}

pub(crate) async fn deleted_jobs_are_removed_completely(fixture: StoreFixture) {
    let pending = fixture.submit_new(submission("a"), at(5)).await;
    let running = fixture.claimed_job("b", at(5)).await;
    let ended = fixture.completed_job("c", "42", at(5)).await;
    let ids = [pending.id, submission("d").id, running.id, ended.id, pending.id];
    assert_eq!(fixture.delete(&ids).await.unwrap(), [pending.id, running.id, ended.id]);
    assert_eq!(fixture.stored_bytes().await.unwrap(), 0);
    assert_eq!(fixture.counts(at(0), at(6)).await.unwrap().jobs, [0; 6]);
    assert!(fixture.dispatch_next("render", "r", at(6)).await.is_none());
    assert_eq!(fixture.delete(&ids).await.unwrap(), []);
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_cache_key_is_free_after_its_job_is_deleted(fixture: StoreFixture) {
    let job = fixture.completed_job("a", "42", at(5)).await;
    fixture.delete(&[job.id]).await.unwrap();
    assert!(fixture.submit_new(submission("a"), at(6)).await.is_current);
}

pub(crate) async fn stored_bytes_count_inputs_results_and_consoles(fixture: StoreFixture) {
    assert_eq!(fixture.stored_bytes().await.unwrap(), 0);
    let job = fixture.claimed_job("a", at(5)).await;
    assert_eq!(fixture.stored_bytes().await.unwrap(), 12);
    fixture
        .apply_ok(job.id, crate::fixture::heartbeat(&job), crate::fixture::console_replacement("four"), at(6))
        .await;
    assert_eq!(fixture.stored_bytes().await.unwrap(), 16);
    fixture.complete(&job, "42", at(7)).await;
    assert_eq!(fixture.stored_bytes().await.unwrap(), 18);
}

pub(crate) async fn integrity_check_passes_on_a_store_in_use(fixture: StoreFixture) {
    fixture.submit_new(submission("a"), at(5)).await;
    fixture.claimed_job("b", at(5)).await;
    fixture.completed_job("c", "42", at(5)).await;
    let failed = fixture.claimed_job(WEBHOOK_TYPE, at(5)).await;
    fixture.fail(&failed, "no", at(6)).await;
    fixture.submit_new(submission_of_type(WEBHOOK_TYPE, "e"), at(5)).await;
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}
