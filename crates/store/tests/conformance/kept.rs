//! What is kept, and what is forgotten.

use std::time::Duration;

use pilotlight_core::job::CancelScope;
use pilotlight_store::{PruneStats, Retention};

use crate::stage::{HOOKED, Stage, at, key, new, new_of};

const FOR_EVER: Retention = Retention { keep_for: Duration::MAX, max_bytes: 0, at_most: 100 };

fn keep_for(millis: u64) -> Retention {
    Retention { keep_for: Duration::from_millis(millis), ..FOR_EVER }
}

pub(crate) async fn ended_jobs_are_kept_for_their_time(stage: Stage) {
    let old = stage.ended("a", "42", at(5)).await;
    let young = stage.ended("b", "42", at(6)).await;
    assert_eq!(stage.prune(keep_for(10), at(14)).await.unwrap(), PruneStats::default());
    assert_eq!(stage.prune(keep_for(10), at(15)).await.unwrap(), PruneStats { jobs: 1, bytes: 14 });
    assert!(stage.job(old.id).await.unwrap().is_none());
    assert!(stage.input(old.id).await.unwrap().is_none());
    assert!(stage.lookup(key("a")).await.unwrap().is_none());
    assert!(stage.job(young.id).await.unwrap().is_some());
    assert_eq!(stage.prune(FOR_EVER, at(u64::MAX)).await.unwrap(), PruneStats::default());
}

pub(crate) async fn jobs_that_have_not_ended_are_never_pruned(stage: Stage) {
    stage.new_job(new("a"), at(5)).await;
    stage.claimed("b", at(5)).await;
    stage.new_job(new("c"), at(5)).await;
    stage.next("render", "r", at(6)).await.unwrap();
    let strict = Retention { keep_for: Duration::ZERO, max_bytes: 1, at_most: 100 };
    assert_eq!(stage.prune(strict, at(500)).await.unwrap(), PruneStats::default());
}

pub(crate) async fn failed_and_cancelled_jobs_are_pruned_too(stage: Stage) {
    let failed = stage.claimed("a", at(5)).await;
    stage.fail(&failed, "no", at(6)).await;
    let cancelled = stage.new_job(new("b"), at(5)).await;
    stage.cancel(cancelled.id, CancelScope::AllCallers, at(7)).await;
    assert_eq!(stage.prune(keep_for(10), at(16)).await.unwrap().jobs, 1);
    assert_eq!(stage.prune(keep_for(10), at(17)).await.unwrap().jobs, 1);
    assert_eq!(stage.stored_bytes().await.unwrap(), 0);
}

pub(crate) async fn beyond_the_bytes_the_first_ended_goes_first(stage: Stage) {
    let late = stage.claimed("a", at(5)).await;
    let early = stage.ended("b", "42", at(6)).await;
    stage.complete(&late, "42", at(7)).await;
    stage.new_job(new("c"), at(8)).await;
    let bytes = stage.stored_bytes().await.unwrap() - 12;
    let within = |max_bytes| Retention { max_bytes, ..FOR_EVER };
    assert_eq!(stage.prune(within(bytes), at(9)).await.unwrap(), PruneStats::default());
    assert_eq!(stage.prune(within(bytes - 1), at(9)).await.unwrap(), PruneStats { jobs: 1, bytes: 14 });
    assert!(stage.job(early.id).await.unwrap().is_none());
    assert_eq!(stage.prune(within(1), at(9)).await.unwrap(), PruneStats { jobs: 1, bytes: 14 });
    assert_eq!(stage.stored_bytes().await.unwrap(), 12, "the pending one's parameters");
}

pub(crate) async fn what_has_not_ended_takes_no_result_away(stage: Stage) {
    let ended = stage.ended("a", "42", at(5)).await;
    for name in ["b", "c", "d"] {
        stage.new_job(new(name), at(6)).await;
    }
    let running = stage.claimed("e", at(6)).await;
    stage.next("render", "r", at(7)).await.unwrap();
    let within = |max_bytes| Retention { max_bytes, ..FOR_EVER };
    assert_eq!(stage.prune(within(14), at(8)).await.unwrap(), PruneStats::default());
    stage.complete(&running, "42", at(9)).await;
    assert_eq!(stage.prune(within(28), at(10)).await.unwrap(), PruneStats::default());
    assert_eq!(stage.prune(within(27), at(10)).await.unwrap(), PruneStats { jobs: 1, bytes: 14 });
    assert!(stage.job(ended.id).await.unwrap().is_none());
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_prune_takes_at_most_so_many(stage: Stage) {
    for name in ["a", "b", "c"] {
        stage.ended(name, "42", at(5)).await;
    }
    let two = Retention { at_most: 2, ..keep_for(0) };
    assert_eq!(stage.prune(two, at(6)).await.unwrap().jobs, 2);
    assert_eq!(stage.prune(two, at(6)).await.unwrap().jobs, 1);
}

pub(crate) async fn what_is_deleted_is_gone(stage: Stage) {
    let pending = stage.new_job(new("a"), at(5)).await;
    let running = stage.claimed("b", at(5)).await;
    let ended = stage.ended("c", "42", at(5)).await;
    let ids = [pending.id, new("d").id, running.id, ended.id, pending.id];
    assert_eq!(stage.delete(&ids).await.unwrap(), [pending.id, running.id, ended.id]);
    assert_eq!(stage.stored_bytes().await.unwrap(), 0);
    assert_eq!(stage.counts(at(0), at(6)).await.unwrap().jobs, [0; 6]);
    assert!(stage.next("render", "r", at(6)).await.is_none());
    assert_eq!(stage.delete(&ids).await.unwrap(), []);
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_deleted_key_is_unknown_again(stage: Stage) {
    let job = stage.ended("a", "42", at(5)).await;
    stage.delete(&[job.id]).await.unwrap();
    assert!(stage.new_job(new("a"), at(6)).await.is_current);
}

pub(crate) async fn bytes_are_those_of_all_that_is_large(stage: Stage) {
    assert_eq!(stage.stored_bytes().await.unwrap(), 0);
    let job = stage.claimed("a", at(5)).await;
    assert_eq!(stage.stored_bytes().await.unwrap(), 12);
    stage.taken(job.id, crate::stage::heartbeat(&job), crate::stage::whole("four"), at(6)).await;
    assert_eq!(stage.stored_bytes().await.unwrap(), 16);
    stage.complete(&job, "42", at(7)).await;
    assert_eq!(stage.stored_bytes().await.unwrap(), 18);
}

pub(crate) async fn a_store_in_use_is_sound(stage: Stage) {
    stage.new_job(new("a"), at(5)).await;
    stage.claimed("b", at(5)).await;
    stage.ended("c", "42", at(5)).await;
    let failed = stage.claimed(HOOKED, at(5)).await;
    stage.fail(&failed, "no", at(6)).await;
    stage.new_job(new_of(HOOKED, "e"), at(5)).await;
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}
