//! Pending webhook calls: which events queue one, and how calls are claimed, acknowledged, retried and dropped.

use std::time::Duration;

use pilotlight_core::job::CancelScope;
use pilotlight_core::time::Timestamp;
use pilotlight_store::{WebhookCall, WebhookTrigger};

use crate::fixture::{
    OTHER_WEBHOOK_TYPE, StoreFixture, WEBHOOK_TYPE, at, job_type, recomputed, settings, submission,
    submission_of_type, with_options,
};

const LEASE: Duration = Duration::from_millis(100);

/// Claims the webhook calls that are due at this time.
async fn claim_webhooks(fixture: &StoreFixture, now: u64) -> Vec<WebhookCall> {
    fixture.claim_webhooks(&[(job_type(WEBHOOK_TYPE), 10)], LEASE, at(now)).await.unwrap()
}

fn events(calls: &[WebhookCall]) -> Vec<WebhookTrigger> {
    calls.iter().map(|call| call.event).collect()
}

pub(crate) async fn creation_and_completion_queue_webhooks(fixture: StoreFixture) {
    let job = fixture.complete_submission(submission_of_type(WEBHOOK_TYPE, "a"), "42", at(5)).await;
    let calls = claim_webhooks(&fixture, 6).await;
    assert_eq!(events(&calls), [WebhookTrigger::Created, WebhookTrigger::Completed]);
    let first = &calls[0];
    assert_eq!((first.job, &first.job_type, first.at, first.failures), (job.id, &job.job_type, at(5), 0));
}

pub(crate) async fn types_without_webhooks_queue_no_call(fixture: StoreFixture) {
    fixture.completed_job("a", "42", at(5)).await;
    assert!(claim_webhooks(&fixture, 6).await.is_empty());
}

pub(crate) async fn only_a_final_failure_queues_a_webhook(fixture: StoreFixture) {
    let with_retry = with_options(submission_of_type(WEBHOOK_TYPE, "a"), |options| options.max_attempts = 2);
    let job = fixture.submit_new(with_retry, at(5)).await;
    let job = fixture.claim(job.id, "r", at(5)).await;
    let (_, job) = fixture.fail(&job, "no", at(6)).await;
    assert_eq!(events(&claim_webhooks(&fixture, 7).await), [WebhookTrigger::Created]);
    let job = fixture.claim(job.id, "r", at(20)).await;
    fixture.fail(&job, "no", at(21)).await;
    assert_eq!(events(&claim_webhooks(&fixture, 22).await), [WebhookTrigger::Failed]);
}

pub(crate) async fn cancelled_and_lost_jobs_queue_a_failure_webhook(fixture: StoreFixture) {
    let cancelled = fixture.submit_new(submission_of_type(WEBHOOK_TYPE, "a"), at(5)).await;
    fixture.cancel(cancelled.id, CancelScope::AllCallers, at(6)).await;
    let lost = fixture.submit_new(submission_of_type(WEBHOOK_TYPE, "b"), at(5)).await;
    for now in [10, 200] {
        fixture.claim(lost.id, "r", at(now)).await;
        fixture.sweep(10, Timestamp::default(), at(now + 90)).await.unwrap();
    }
    let failed: Vec<_> = claim_webhooks(&fixture, 300)
        .await
        .into_iter()
        .filter(|call| call.event == WebhookTrigger::Failed)
        .collect();
    assert_eq!(failed.iter().map(|call| call.job).collect::<Vec<_>>(), [cancelled.id, lost.id]);
}

pub(crate) async fn joins_and_cached_results_queue_no_webhook(fixture: StoreFixture) {
    let job = fixture.submit_new(submission_of_type(WEBHOOK_TYPE, "a"), at(5)).await;
    fixture.submit_existing(submission_of_type(WEBHOOK_TYPE, "a"), at(6)).await;
    let job = fixture.claim(job.id, "r", at(6)).await;
    fixture.complete(&job, "42", at(7)).await;
    fixture.complete(&job, "42", at(8)).await;
    fixture.submit_existing(submission_of_type(WEBHOOK_TYPE, "a"), at(9)).await;
    assert_eq!(
        events(&claim_webhooks(&fixture, 10).await),
        [WebhookTrigger::Created, WebhookTrigger::Completed]
    );
    fixture.submit_new(recomputed(submission_of_type(WEBHOOK_TYPE, "a")), at(11)).await;
    assert_eq!(events(&claim_webhooks(&fixture, 12).await), [WebhookTrigger::Created]);
}

pub(crate) async fn a_claimed_webhook_is_hidden_for_its_lease(fixture: StoreFixture) {
    fixture.submit_new(submission_of_type(WEBHOOK_TYPE, "a"), at(5)).await;
    assert!(claim_webhooks(&fixture, 4).await.is_empty());
    let first = claim_webhooks(&fixture, 6).await;
    assert!(claim_webhooks(&fixture, 105).await.is_empty());
    assert_eq!(claim_webhooks(&fixture, 106).await, first);
}

pub(crate) async fn an_acked_webhook_is_removed(fixture: StoreFixture) {
    fixture.complete_submission(submission_of_type(WEBHOOK_TYPE, "a"), "42", at(5)).await;
    let calls = claim_webhooks(&fixture, 6).await;
    fixture.ack_webhook(calls[0].id).await.unwrap();
    fixture.ack_webhook(calls[0].id).await.unwrap();
    assert_eq!(claim_webhooks(&fixture, 500).await, calls[1..]);
}

pub(crate) async fn a_failed_webhook_is_due_again_at_its_retry_time(fixture: StoreFixture) {
    fixture.submit_new(submission_of_type(WEBHOOK_TYPE, "a"), at(5)).await;
    let call = claim_webhooks(&fixture, 6).await.remove(0);
    fixture.retry_webhook(call.id, at(50)).await.unwrap();
    assert!(claim_webhooks(&fixture, 49).await.is_empty());
    assert_eq!(claim_webhooks(&fixture, 50).await, [WebhookCall { failures: 1, ..call }]);
}

pub(crate) async fn webhooks_are_claimed_oldest_first_up_to_the_limit(fixture: StoreFixture) {
    for (name, now) in [("a", 5), ("b", 6), ("c", 7)] {
        fixture.submit_new(submission_of_type(WEBHOOK_TYPE, name), at(now)).await;
    }
    let capacity = [(job_type(WEBHOOK_TYPE), 2)];
    let first = fixture.claim_webhooks(&capacity, LEASE, at(8)).await.unwrap();
    let second = fixture.claim_webhooks(&capacity, LEASE, at(8)).await.unwrap();
    assert_eq!(first.iter().chain(&second).map(|call| call.at).collect::<Vec<_>>(), [at(5), at(6), at(7)]);
    assert!(first.is_sorted_by_key(|call| call.id) && first[1].id < second[0].id);
}

pub(crate) async fn a_webhook_outlives_its_job(fixture: StoreFixture) {
    let job = fixture.complete_submission(submission_of_type(WEBHOOK_TYPE, "a"), "42", at(5)).await;
    fixture.delete(&[job.id]).await.unwrap();
    assert_eq!(claim_webhooks(&fixture, 6).await.len(), 2);
    fixture.submit_new(submission("b"), at(7)).await;
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn webhooks_of_one_type_do_not_delay_other_types(fixture: StoreFixture) {
    for name in ["a", "b", "c"] {
        fixture.submit_new(submission_of_type(WEBHOOK_TYPE, name), at(5)).await;
    }
    fixture.submit_new(submission_of_type(OTHER_WEBHOOK_TYPE, "d"), at(6)).await;
    let [one, other] = [WEBHOOK_TYPE, OTHER_WEBHOOK_TYPE].map(job_type);
    let types = async |capacity: &[_]| {
        let calls = fixture.claim_webhooks(capacity, LEASE, at(8)).await.unwrap();
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

pub(crate) async fn webhooks_of_unconfigured_types_are_dropped(mut fixture: StoreFixture) {
    for (type_name, name) in
        [(WEBHOOK_TYPE, "a"), (OTHER_WEBHOOK_TYPE, "b"), (OTHER_WEBHOOK_TYPE, "c"), (OTHER_WEBHOOK_TYPE, "d")]
    {
        fixture.submit_new(submission_of_type(type_name, name), at(if name == "d" { 9 } else { 5 })).await;
    }
    assert_eq!(fixture.drop_webhooks(at(100), 10).await.unwrap(), 0, "all types have a webhook");
    let mut fewer = settings();
    fewer.webhook_types =
        [job_type(WEBHOOK_TYPE)].into_iter().collect::<std::collections::HashSet<_>>().into();
    fixture.reopen_with(&fewer).await;
    assert_eq!(fixture.drop_webhooks(at(5), 10).await.unwrap(), 0, "no call was due before this time");
    assert_eq!(fixture.drop_webhooks(at(6), 1).await.unwrap(), 1);
    assert_eq!(fixture.drop_webhooks(at(6), 10).await.unwrap(), 1);
    fixture.reopen().await;
    let capacity = [WEBHOOK_TYPE, OTHER_WEBHOOK_TYPE].map(|it| (job_type(it), 10));
    let remaining = fixture.claim_webhooks(&capacity, LEASE, at(10)).await.unwrap();
    assert_eq!(remaining.iter().map(|call| call.at).collect::<Vec<_>>(), [at(5), at(9)]);
}
