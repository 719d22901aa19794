//! How much may wait.

use pilotlight_core::job::{CancelScope, QueueFull, QueueLimits, QueueUsage, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::SubmitOutcome;
use tokio::task::JoinSet;

use crate::stage::{Stage, again, at, key, new, new_of, once, with};

/// Of a job with a name of one letter.
const INPUT_BYTES: u64 = 12;

const TWO: QueueLimits = QueueLimits { jobs: 2, bytes: 0 };

async fn waiting(stage: &Stage, now: Timestamp) -> QueueUsage {
    stage.backlog(now).await.unwrap().usage
}

pub(crate) async fn what_waits_is_told_with_its_bytes(stage: Stage) {
    let of = |jobs, bytes| QueueUsage { jobs, bytes };
    assert_eq!(waiting(&stage, at(5)).await, QueueUsage::default());
    stage.new_job(new_of("one", "a"), at(5)).await;
    stage.new_job(with(new_of("two", "b"), |options| options.run_at = at(50)), at(5)).await;
    let job = stage.new_job(with(new("c"), |options| options.max_attempts = 2), at(5)).await;
    assert_eq!(waiting(&stage, at(6)).await, of(3, 3 * INPUT_BYTES));
    let job = stage.claim(job.id, "r", at(6)).await;
    assert_eq!(waiting(&stage, at(6)).await, of(2, 2 * INPUT_BYTES));
    stage.taken(job.id, crate::stage::heartbeat(&job), crate::stage::whole("four"), at(7)).await;
    stage.fail(&job, "no", at(7)).await;
    assert_eq!(waiting(&stage, at(7)).await, of(3, 3 * INPUT_BYTES + 4));
    assert_eq!(waiting(&stage, at(50)).await, of(3, 3 * INPUT_BYTES + 4), "all of them are ready now");
    let job = stage.claim(job.id, "r", at(50)).await;
    stage.complete(&job, "42", at(51)).await;
    assert_eq!(waiting(&stage, at(51)).await, of(2, 2 * INPUT_BYTES));
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_new_job_is_refused_when_as_many_wait_as_may(stage: Stage) {
    let stage = stage.with_queue_limits(TWO).await;
    stage.new_job(new_of("one", "a"), at(5)).await;
    stage.new_job(with(new_of("two", "b"), |options| options.run_at = at(50)), at(5)).await;
    assert_eq!(stage.full(new_of("three", "c"), at(6)).await, QueueFull::Jobs(2));
    assert_eq!(stage.full(again(new_of("one", "a")), at(6)).await, QueueFull::Jobs(2));
}

pub(crate) async fn a_new_job_is_refused_when_what_waits_is_as_large_as_may_be(stage: Stage) {
    let stage = stage.with_queue_limits(QueueLimits { jobs: 0, bytes: INPUT_BYTES + 1 }).await;
    stage.new_job(new("a"), at(5)).await;
    stage.new_job(new("b"), at(5)).await;
    assert_eq!(stage.full(new("c"), at(6)).await, QueueFull::Bytes(INPUT_BYTES + 1));
}

pub(crate) async fn what_is_no_new_job_needs_no_room(stage: Stage) {
    let stage = stage.with_queue_limits(TWO).await;
    let ended = stage.ended("a", "42", at(5)).await;
    let under_way = stage.claimed("b", at(5)).await;
    let waits = stage.new_job(once(again(new("c")), "k"), at(5)).await;
    stage.new_job(new("d"), at(5)).await;
    assert_eq!(stage.full(new("e"), at(6)).await, QueueFull::Jobs(2));
    for (equal, id) in [
        (new("a"), ended.id),
        (new("b"), under_way.id),
        (new("c"), waits.id),
        (once(again(new("c")), "k"), waits.id),
    ] {
        assert_eq!(stage.known(equal, at(6)).await.job.id, id);
    }
}

pub(crate) async fn a_refused_submission_changes_nothing(stage: Stage) {
    let stage = stage.with_queue_limits(TWO).await;
    let old = stage.ended("a", "42", at(5)).await;
    stage.new_job(new("b"), at(5)).await;
    stage.new_job(new("c"), at(5)).await;
    let (before, bytes) = (stage.counts(at(0), at(6)).await.unwrap(), stage.stored_bytes().await.unwrap());
    stage.full(once(new("d"), "k"), at(6)).await;
    stage.full(again(new("a")), at(6)).await;
    assert_eq!(stage.counts(at(0), at(6)).await.unwrap(), before);
    assert_eq!(stage.stored_bytes().await.unwrap(), bytes);
    assert!(stage.lookup(key("d")).await.unwrap().is_none());
    assert_eq!(stage.known(new("a"), at(6)).await.job, old);
    stage.next("render", "r", at(6)).await.unwrap();
    stage.new_job(once(new("e"), "k"), at(7)).await;
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn there_is_room_again_when_fewer_wait(stage: Stage) {
    let stage = stage.with_queue_limits(TWO).await;
    stage.new_job(new("a"), at(5)).await;
    stage.new_job(new("b"), at(5)).await;
    stage.full(new("c"), at(6)).await;
    stage.next("render", "r", at(6)).await.unwrap();
    let waits = stage.new_job(new("c"), at(6)).await;
    stage.full(new("d"), at(7)).await;
    stage.cancel(waits.id, CancelScope::AllCallers, at(7)).await;
    let waits = stage.new_job(new("d"), at(7)).await;
    stage.full(new("e"), at(8)).await;
    stage.delete(&[waits.id]).await.unwrap();
    stage.new_job(new("e"), at(8)).await;
}

pub(crate) async fn a_job_that_waits_again_needs_no_room(stage: Stage) {
    let stage = stage.with_queue_limits(TWO).await;
    stage.claimed("a", at(5)).await;
    stage.new_job(new("b"), at(5)).await;
    stage.new_job(new("c"), at(5)).await;
    let swept = stage.sweep(10, Timestamp::default(), at(100)).await.unwrap();
    assert_eq!(swept.iter().map(|(_, transition)| *transition).collect::<Vec<_>>(), [Transition::Queued]);
    assert_eq!(waiting(&stage, at(100)).await.jobs, 3);
    assert_eq!(stage.full(new("d"), at(101)).await, QueueFull::Jobs(2));
}

/// For each of the connections to a database a question and a job may be on their way at once.
const AT_ONCE: usize = 2 * 16;

pub(crate) async fn a_hundred_at_once_do_not_go_far_beyond_the_bound(stage: Stage) {
    let stage = stage.with_queue_limits(QueueLimits { jobs: 50, bytes: 0 }).await;
    let mut callers = JoinSet::new();
    for number in 0..100 {
        let store = stage.shared();
        callers.spawn(async move { store.submit(new(&number.to_string()), at(5)).await.unwrap() });
    }
    let submitted = callers.join_all().await;
    let created = submitted.iter().filter(|it| matches!(it, SubmitOutcome::New(_))).count();
    assert!((50..=50 + AT_ONCE).contains(&created), "{created}");
    assert!(submitted.iter().all(|it| matches!(it, SubmitOutcome::New(_) | SubmitOutcome::QueueFull(_))));
}
