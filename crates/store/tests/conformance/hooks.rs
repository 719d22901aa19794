//! What others are told, in the transaction of what it tells.

use std::time::Duration;

use pilotlight_core::job::CancelScope;
use pilotlight_core::time::Timestamp;
use pilotlight_store::{WebhookCall, WebhookTrigger};

use crate::stage::{HOOKED, HOOKED_TOO, Stage, again, at, job_type, new, new_of, settings, with};

const LEASE: Duration = Duration::from_millis(100);

/// What is to be told at this time, and to nobody else for a while.
async fn told(stage: &Stage, now: u64) -> Vec<WebhookCall> {
    stage.claim_webhooks(&[(job_type(HOOKED), 10)], LEASE, at(now)).await.unwrap()
}

fn events(calls: &[WebhookCall]) -> Vec<WebhookTrigger> {
    calls.iter().map(|call| call.event).collect()
}

pub(crate) async fn a_life_is_told(stage: Stage) {
    let job = stage.ended_of(new_of(HOOKED, "a"), "42", at(5)).await;
    let calls = told(&stage, 6).await;
    assert_eq!(events(&calls), [WebhookTrigger::Created, WebhookTrigger::Completed]);
    let first = &calls[0];
    assert_eq!((first.job, &first.job_type, first.at, first.failures), (job.id, &job.job_type, at(5), 0));
}

pub(crate) async fn other_types_are_not_told(stage: Stage) {
    stage.ended("a", "42", at(5)).await;
    assert!(told(&stage, 6).await.is_empty());
}

pub(crate) async fn only_a_failure_for_good_is_told(stage: Stage) {
    let twice = with(new_of(HOOKED, "a"), |options| options.max_attempts = 2);
    let job = stage.new_job(twice, at(5)).await;
    let job = stage.claim(job.id, "r", at(5)).await;
    let (_, job) = stage.fail(&job, "no", at(6)).await;
    assert_eq!(events(&told(&stage, 7).await), [WebhookTrigger::Created]);
    let job = stage.claim(job.id, "r", at(20)).await;
    stage.fail(&job, "no", at(21)).await;
    assert_eq!(events(&told(&stage, 22).await), [WebhookTrigger::Failed]);
}

pub(crate) async fn a_cancel_and_a_loss_are_failures(stage: Stage) {
    let cancelled = stage.new_job(new_of(HOOKED, "a"), at(5)).await;
    stage.cancel(cancelled.id, CancelScope::AllCallers, at(6)).await;
    let lost = stage.new_job(new_of(HOOKED, "b"), at(5)).await;
    for now in [10, 200] {
        stage.claim(lost.id, "r", at(now)).await;
        stage.sweep(10, Timestamp::default(), at(now + 90)).await.unwrap();
    }
    let failed: Vec<_> =
        told(&stage, 300).await.into_iter().filter(|call| call.event == WebhookTrigger::Failed).collect();
    assert_eq!(failed.iter().map(|call| call.job).collect::<Vec<_>>(), [cancelled.id, lost.id]);
}

pub(crate) async fn what_joins_or_is_known_is_told_once(stage: Stage) {
    let job = stage.new_job(new_of(HOOKED, "a"), at(5)).await;
    stage.known(new_of(HOOKED, "a"), at(6)).await;
    let job = stage.claim(job.id, "r", at(6)).await;
    stage.complete(&job, "42", at(7)).await;
    stage.complete(&job, "42", at(8)).await;
    stage.known(new_of(HOOKED, "a"), at(9)).await;
    assert_eq!(events(&told(&stage, 10).await), [WebhookTrigger::Created, WebhookTrigger::Completed]);
    stage.new_job(again(new_of(HOOKED, "a")), at(11)).await;
    assert_eq!(events(&told(&stage, 12).await), [WebhookTrigger::Created]);
}

pub(crate) async fn a_telling_is_nobody_elses_for_its_lease(stage: Stage) {
    stage.new_job(new_of(HOOKED, "a"), at(5)).await;
    assert!(told(&stage, 4).await.is_empty());
    let first = told(&stage, 6).await;
    assert!(told(&stage, 105).await.is_empty());
    assert_eq!(told(&stage, 106).await, first);
}

pub(crate) async fn a_telling_that_was_heard_is_gone(stage: Stage) {
    stage.ended_of(new_of(HOOKED, "a"), "42", at(5)).await;
    let calls = told(&stage, 6).await;
    stage.ack_webhook(calls[0].id).await.unwrap();
    stage.ack_webhook(calls[0].id).await.unwrap();
    assert_eq!(told(&stage, 500).await, calls[1..]);
}

pub(crate) async fn a_telling_that_failed_comes_again_at_its_time(stage: Stage) {
    stage.new_job(new_of(HOOKED, "a"), at(5)).await;
    let call = told(&stage, 6).await.remove(0);
    stage.retry_webhook(call.id, at(50)).await.unwrap();
    assert!(told(&stage, 49).await.is_empty());
    assert_eq!(told(&stage, 50).await, [WebhookCall { failures: 1, ..call }]);
}

pub(crate) async fn tellings_are_taken_at_most_so_many_the_first_first(stage: Stage) {
    for (name, now) in [("a", 5), ("b", 6), ("c", 7)] {
        stage.new_job(new_of(HOOKED, name), at(now)).await;
    }
    let room = [(job_type(HOOKED), 2)];
    let first = stage.claim_webhooks(&room, LEASE, at(8)).await.unwrap();
    let second = stage.claim_webhooks(&room, LEASE, at(8)).await.unwrap();
    assert_eq!(first.iter().chain(&second).map(|call| call.at).collect::<Vec<_>>(), [at(5), at(6), at(7)]);
    assert!(first.is_sorted_by_key(|call| call.id) && first[1].id < second[0].id);
}

pub(crate) async fn a_telling_outlives_its_job(stage: Stage) {
    let job = stage.ended_of(new_of(HOOKED, "a"), "42", at(5)).await;
    stage.delete(&[job.id]).await.unwrap();
    assert_eq!(told(&stage, 6).await.len(), 2);
    stage.new_job(new("b"), at(7)).await;
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn what_one_type_has_due_keeps_no_other_waiting(stage: Stage) {
    for name in ["a", "b", "c"] {
        stage.new_job(new_of(HOOKED, name), at(5)).await;
    }
    stage.new_job(new_of(HOOKED_TOO, "d"), at(6)).await;
    let [one, other] = [HOOKED, HOOKED_TOO].map(job_type);
    let types = async |room: &[_]| {
        let calls = stage.claim_webhooks(room, LEASE, at(8)).await.unwrap();
        calls.into_iter().map(|call| call.job_type).collect::<Vec<_>>()
    };
    assert_eq!(
        types(&[(one.clone(), 2), (other.clone(), 1)]).await,
        [one.clone(), one.clone(), other.clone()]
    );
    assert!(types(&[(other, 1)]).await.is_empty());
    assert_eq!(types(&[(one.clone(), 9)]).await, [one]);
    assert!(types(&[]).await.is_empty());
}

pub(crate) async fn what_nobody_is_told_of_any_more_is_dropped(mut stage: Stage) {
    for (of, name) in [(HOOKED, "a"), (HOOKED_TOO, "b"), (HOOKED_TOO, "c"), (HOOKED_TOO, "d")] {
        stage.new_job(new_of(of, name), at(if name == "d" { 9 } else { 5 })).await;
    }
    assert_eq!(stage.drop_webhooks(at(100), 10).await.unwrap(), 0, "all are wanted");
    let mut fewer = settings();
    fewer.webhook_types = [job_type(HOOKED)].into_iter().collect::<std::collections::HashSet<_>>().into();
    stage.open_again_with(&fewer).await;
    assert_eq!(stage.drop_webhooks(at(5), 10).await.unwrap(), 0, "not yet");
    assert_eq!(stage.drop_webhooks(at(6), 1).await.unwrap(), 1);
    assert_eq!(stage.drop_webhooks(at(6), 10).await.unwrap(), 1);
    stage.open_again().await;
    let room = [HOOKED, HOOKED_TOO].map(|it| (job_type(it), 10));
    let left = stage.claim_webhooks(&room, LEASE, at(10)).await.unwrap();
    assert_eq!(left.iter().map(|call| call.at).collect::<Vec<_>>(), [at(5), at(9)]);
}
