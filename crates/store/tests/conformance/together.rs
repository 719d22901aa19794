//! Many at once, and what is there when a store is opened again.

use std::collections::HashSet;
use std::time::Duration;

use pilotlight_core::job::CancelScope;
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Runner, SubmitOutcome};
use tokio::task::JoinSet;

use crate::stage::{HOOKED, Stage, at, job_type, key, new, new_of, once, runner, whole, with};

pub(crate) async fn a_hundred_equal_submissions_at_once_are_one_job(stage: Stage) {
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let store = stage.shared();
        callers.spawn(async move { store.submit(new("a"), at(5)).await.unwrap() });
    }
    let submitted = callers.join_all().await;
    let created = submitted.iter().filter(|it| matches!(it, SubmitOutcome::New(_))).count();
    assert_eq!(created, 1);
    let job = stage.lookup(key("a")).await.unwrap().unwrap().job;
    assert_eq!(job.callers, 100);
    assert_eq!(stage.counts(at(0), at(6)).await.unwrap().jobs, [1, 0, 0, 0, 0, 0]);
}

pub(crate) async fn a_hundred_repeated_submissions_at_once_are_one_job(stage: Stage) {
    let mut callers = JoinSet::new();
    for _ in 0..100 {
        let store = stage.shared();
        callers.spawn(async move {
            match store.submit(once(crate::stage::again(new("a")), "k"), at(5)).await.unwrap() {
                SubmitOutcome::New(job) => job.id,
                SubmitOutcome::Existing(found) => found.job.id,
                SubmitOutcome::Conflict | SubmitOutcome::QueueFull(_) => {
                    panic!("they are equal, and there is room")
                }
            }
        });
    }
    let ids: HashSet<_> = callers.join_all().await.into_iter().collect();
    assert_eq!(ids.len(), 1);
}

pub(crate) async fn no_job_is_handed_out_twice(stage: Stage) {
    for at_most in 0..100 {
        let name = at_most.to_string();
        stage.new_job(with(new(&name), |options| options.priority = at_most % 3), at(5)).await;
    }
    let mut runners = JoinSet::new();
    for name in 0..20 {
        let store = stage.shared();
        runners.spawn(async move {
            let mut handed = Vec::new();
            while let Some(next) =
                store.dispatch(&[job_type("render")], &runner(&name.to_string()), at(6)).await.unwrap()
            {
                assert_eq!(next.job.assignment().unwrap().runner, runner(&name.to_string()));
                handed.push(next.job.id);
            }
            handed
        });
    }
    let handed: Vec<_> = runners.join_all().await.into_iter().flatten().collect();
    let unique: HashSet<_> = handed.iter().copied().collect();
    assert_eq!((handed.len(), unique.len()), (100, 100));
}

pub(crate) async fn of_many_claims_at_once_one_is_taken(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    let mut runners = JoinSet::new();
    for name in 0..20 {
        let store = stage.shared();
        runners.spawn(async move {
            let claim = pilotlight_core::job::Event::Claim { runner: runner(&name.to_string()) };
            let said = store.apply_event(job.id, claim, crate::stage::nothing(), at(6)).await.unwrap();
            usize::from(matches!(said, pilotlight_store::EventOutcome::Applied(_)))
        });
    }
    assert_eq!(runners.join_all().await.into_iter().sum::<usize>(), 1);
    assert_eq!(stage.found(job.id).await.job.lease.number(), 1);
}

pub(crate) async fn sums_are_right_after_many_at_once(stage: Stage) {
    let mut callers = JoinSet::new();
    for number in 0..60_u64 {
        let store = stage.shared();
        callers.spawn(async move {
            let now = at(5 + number);
            let name = (number % 20).to_string();
            store.submit(new(&name), now).await.unwrap();
            let types = [job_type("render")];
            if let Some(handed) = store.dispatch(&types, &runner("r"), now).await.unwrap() {
                let lease_claim = crate::stage::lease_claim_of(&handed.job);
                let result = crate::stage::fingerprint("42");
                let event = match number % 3 {
                    0 => pilotlight_core::job::Event::Complete { lease_claim, result },
                    1 => pilotlight_core::job::Event::Fail { lease_claim, report: result },
                    _ => pilotlight_core::job::Event::Cancel(CancelScope::AllCallers),
                };
                store.apply_event(handed.job.id, event, crate::stage::output("42"), now).await.unwrap();
            }
        });
    }
    callers.join_all().await;
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn of_many_results_at_once_the_last_submissions_is_known(stage: Stage) {
    for round in 0..4_u64 {
        let name = round.to_string();
        let mut claimed = Vec::new();
        for _ in 0..40 {
            let job = stage.new_job(crate::stage::again(new(&name)), at(5)).await;
            claimed.push(stage.claim(job.id, "r", at(6)).await);
        }
        let last = claimed.last().unwrap().id;
        let mut runners = JoinSet::new();
        for job in claimed {
            let store = stage.shared();
            runners.spawn(async move {
                let lease_claim = crate::stage::lease_claim_of(&job);
                let event = pilotlight_core::job::Event::Complete {
                    lease_claim,
                    result: crate::stage::fingerprint("42"),
                };
                let said = store.apply_event(job.id, event, crate::stage::output("42"), at(7)).await.unwrap();
                assert!(matches!(said, pilotlight_store::EventOutcome::Applied(_)), "{said:?}");
            });
        }
        runners.join_all().await;
        assert_eq!(stage.known(new(&name), at(8)).await.job.id, last);
    }
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_store_opened_again_has_everything(mut stage: Stage) {
    let ended = stage.ended("a", "42", at(5)).await;
    let delayed = stage.new_job(with(new("b"), |options| options.run_at = at(90)), at(5)).await;
    let running = stage.claimed("c", at(6)).await;
    stage.taken(running.id, crate::stage::heartbeat(&running), whole("so far"), at(7)).await;
    let hooked = stage.new_job(once(new_of(HOOKED, "d"), "k"), at(8)).await;
    let known = Runner {
        id: runner("r"),
        name: "r".into(),
        capabilities: vec!["render".into()],
        registered_at: at(1),
        seen_at: at(2),
    };
    stage.register_runner(known.clone()).await.unwrap();
    let counts = stage.counts(at(0), at(9)).await.unwrap();
    let bytes = stage.stored_bytes().await.unwrap();

    stage.open_again().await;

    assert_eq!(stage.known(new("a"), at(10)).await.output.unwrap().result.as_deref(), Some("42"));
    assert_eq!(stage.found(ended.id).await.job, ended);
    assert_eq!(stage.backlog(at(10)).await.unwrap().next_at, Some(delayed.ready_at));
    assert_eq!(stage.found(running.id).await.output.unwrap().console, "so far");
    assert_eq!(stage.known(once(new_of(HOOKED, "d"), "k"), at(10)).await.job, hooked);
    assert_eq!(stage.runner(&runner("r")).await.unwrap(), Some(known));
    assert_eq!(stage.counts(at(0), at(9)).await.unwrap(), counts);
    assert_eq!(stage.stored_bytes().await.unwrap(), bytes);
    assert_eq!(
        stage.claim_webhooks(&[(job_type(HOOKED), 10)], Duration::from_secs(1), at(10)).await.unwrap().len(),
        1
    );
    assert_eq!(stage.sweep(10, Timestamp::default(), at(500)).await.unwrap().len(), 1);
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn leases_go_on_growing_in_a_store_opened_again(mut stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    stage.open_again().await;
    stage.sweep(10, Timestamp::default(), at(100)).await.unwrap();
    assert_eq!(stage.claim(job.id, "r", at(101)).await.lease.number(), 2);
    stage.refused(job.id, crate::stage::heartbeat(&job), at(102)).await;
}
