//! Concurrent operations, and the contents of a reopened store.

use std::collections::HashSet;
use std::time::Duration;

use pilotlight_core::job::CancelScope;
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Runner, SubmitOutcome};
use tokio::task::JoinSet;

use crate::fixture::{
    StoreFixture, WEBHOOK_TYPE, at, console_replacement, job_type, key, runner, submission,
    submission_of_type, with_idempotency_key, with_options,
};

pub(crate) async fn a_hundred_equal_concurrent_submissions_are_one_job(fixture: StoreFixture) {
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let store = fixture.shared_store();
        callers.spawn(async move { store.submit(submission("a"), at(5)).await.unwrap() });
    }
    let submitted = callers.join_all().await;
    let created = submitted.iter().filter(|it| matches!(it, SubmitOutcome::New(_))).count();
    assert_eq!(created, 1);
    let job = fixture.lookup(key("a")).await.unwrap().unwrap().job;
    assert_eq!(job.callers, 100);
    assert_eq!(fixture.counts(at(0), at(6)).await.unwrap().jobs, [1, 0, 0, 0, 0, 0]);
}

pub(crate) async fn a_hundred_concurrent_retries_are_one_job(fixture: StoreFixture) {
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let store = fixture.shared_store();
        callers.spawn(async move {
            match store
                .submit(with_idempotency_key(crate::fixture::recomputed(submission("a")), "k"), at(5))
                .await
                .unwrap()
            {
                SubmitOutcome::New(job) => job.id,
                SubmitOutcome::Existing(found) => found.job.id,
                SubmitOutcome::Conflict | SubmitOutcome::QueueFull(_) => {
                    panic!("the submissions are equal and the queue is not full")
                }
            }
        });
    }
    let ids: HashSet<_> = callers.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1);
}

pub(crate) async fn no_job_is_dispatched_twice(fixture: StoreFixture) {
    for number in 0..100 {
        let name = number.to_string();
        fixture
            .submit_new(with_options(submission(&name), |options| options.priority = number % 3), at(5))
            .await;
    }
    let mut runners = JoinSet::new();
    for name in 0..20 {
        let store = fixture.shared_store();
        runners.spawn(async move {
            let mut leased = Vec::new();
            while let Some(next) =
                store.dispatch(&[job_type("render")], &runner(&name.to_string()), at(6)).await.unwrap()
            {
                assert_eq!(next.job.assignment().unwrap().runner, runner(&name.to_string()));
                leased.push(next.job.id);
            }
            leased
        });
    }
    let leased: Vec<_> = runners.join_all().await.into_iter().flatten().collect();
    let unique: HashSet<_> = leased.iter().copied().collect();
    assert_eq!((leased.len(), unique.len()), (100, 100));
}

pub(crate) async fn of_many_concurrent_claims_one_is_applied(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    let mut runners = JoinSet::new();
    for name in 0..20 {
        let store = fixture.shared_store();
        runners.spawn(async move {
            let claim = pilotlight_core::job::Event::Claim { runner: runner(&name.to_string()) };
            let outcome = store.apply_event(job.id, claim, crate::fixture::no_output(), at(6)).await.unwrap();
            usize::from(matches!(outcome, pilotlight_store::EventOutcome::Applied(_)))
        });
    }
    assert_eq!(runners.join_all().await.into_iter().sum::<usize>(), 1);
    assert_eq!(fixture.record(job.id).await.job.lease.number(), 1);
}

pub(crate) async fn counters_are_right_after_concurrent_changes(fixture: StoreFixture) {
    let mut callers = JoinSet::new();
    for number in 0..60_u64 {
        let store = fixture.shared_store();
        callers.spawn(async move {
            let now = at(5 + number);
            let name = (number % 20).to_string();
            store.submit(submission(&name), now).await.unwrap();
            let types = [job_type("render")];
            if let Some(leased) = store.dispatch(&types, &runner("r"), now).await.unwrap() {
                let lease_claim = crate::fixture::lease_claim_of(&leased.job);
                let result = crate::fixture::fingerprint("42");
                let event = match number % 3 {
                    0 => pilotlight_core::job::Event::Complete { lease_claim, result },
                    1 => pilotlight_core::job::Event::Fail { lease_claim, report: result },
                    _ => pilotlight_core::job::Event::Cancel(CancelScope::AllCallers),
                };
                store
                    .apply_event(leased.job.id, event, crate::fixture::result_output("42"), now)
                    .await
                    .unwrap();
            }
        });
    }
    callers.join_all().await;
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn of_many_concurrent_results_the_last_submission_is_current(fixture: StoreFixture) {
    for round in 0..4_u64 {
        let name = round.to_string();
        let mut claimed = Vec::new();
        for _ in 0..40 {
            let job = fixture.submit_new(crate::fixture::recomputed(submission(&name)), at(5)).await;
            claimed.push(fixture.claim(job.id, "r", at(6)).await);
        }
        let last = claimed.last().unwrap().id;
        let mut runners = JoinSet::new();
        for job in claimed {
            let store = fixture.shared_store();
            runners.spawn(async move {
                let lease_claim = crate::fixture::lease_claim_of(&job);
                let event = pilotlight_core::job::Event::Complete {
                    lease_claim,
                    result: crate::fixture::fingerprint("42"),
                };
                let outcome = store
                    .apply_event(job.id, event, crate::fixture::result_output("42"), at(7))
                    .await
                    .unwrap();
                assert!(matches!(outcome, pilotlight_store::EventOutcome::Applied(_)), "{outcome:?}");
            });
        }
        runners.join_all().await;
        assert_eq!(fixture.submit_existing(submission(&name), at(8)).await.job.id, last);
    }
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_reopened_store_has_all_data(mut fixture: StoreFixture) {
    let ended = fixture.completed_job("a", "42", at(5)).await;
    let delayed =
        fixture.submit_new(with_options(submission("b"), |options| options.run_at = at(90)), at(5)).await;
    let running = fixture.claimed_job("c", at(6)).await;
    fixture
        .apply_ok(running.id, crate::fixture::heartbeat(&running), console_replacement("so far"), at(7))
        .await;
    let with_webhook =
        fixture.submit_new(with_idempotency_key(submission_of_type(WEBHOOK_TYPE, "d"), "k"), at(8)).await;
    let registered = Runner {
        id: runner("r"),
        name: "r".into(),
        capabilities: vec!["render".into()],
        registered_at: at(1),
        seen_at: at(2),
    };
    fixture.register_runner(registered.clone()).await.unwrap();
    let counts = fixture.counts(at(0), at(9)).await.unwrap();
    let bytes = fixture.stored_bytes().await.unwrap();

    fixture.reopen().await;

    assert_eq!(
        fixture.submit_existing(submission("a"), at(10)).await.output.unwrap().result.as_deref(),
        Some("42")
    );
    assert_eq!(fixture.record(ended.id).await.job, ended);
    assert_eq!(fixture.backlog(at(10)).await.unwrap().next_at, Some(delayed.ready_at));
    assert_eq!(fixture.record(running.id).await.output.unwrap().console, "so far");
    assert_eq!(
        fixture
            .submit_existing(with_idempotency_key(submission_of_type(WEBHOOK_TYPE, "d"), "k"), at(10))
            .await
            .job,
        with_webhook
    );
    assert_eq!(fixture.runner(&runner("r")).await.unwrap(), Some(registered));
    assert_eq!(fixture.counts(at(0), at(9)).await.unwrap(), counts);
    assert_eq!(fixture.stored_bytes().await.unwrap(), bytes);
    assert_eq!(
        fixture
            .claim_webhooks(&[(job_type(WEBHOOK_TYPE), 10)], Duration::from_secs(1), at(10))
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(fixture.sweep(10, Timestamp::default(), at(500)).await.unwrap().len(), 1);
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn lease_ids_keep_growing_in_a_reopened_store(mut fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    fixture.reopen().await;
    fixture.sweep(10, Timestamp::default(), at(100)).await.unwrap();
    assert_eq!(fixture.claim(job.id, "r", at(101)).await.lease.number(), 2);
    fixture.apply_rejected(job.id, crate::fixture::heartbeat(&job), at(102)).await;
}
