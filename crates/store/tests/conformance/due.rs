//! What happens when nobody says anything.

use std::time::Duration;

use pilotlight_core::job::{Failure, Rejected, State, Status, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::JobFilter;

use crate::stage::{Stage, at, heartbeat, key, new, nothing, with};

pub(crate) async fn a_silent_runners_job_is_queued_again_without_using_a_try(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    assert!(stage.sweep(10, Timestamp::default(), at(94)).await.unwrap().is_empty());
    let swept = stage.sweep(10, Timestamp::default(), at(95)).await.unwrap();
    let [(lost, Transition::Queued)] = &swept[..] else { panic!("{swept:?}") };
    assert_eq!((lost.id, lost.attempts, lost.lost_attempts), (job.id, 0, 1));
    assert_eq!(&stage.found(job.id).await.job, lost);
    assert!(stage.sweep(10, Timestamp::default(), at(95)).await.unwrap().is_empty());
    assert_eq!(stage.refused(job.id, heartbeat(&job), at(96)).await, Rejected::StaleLease);
    assert_eq!(stage.next("render", "s", at(96)).await.unwrap().job.id, job.id);
}

pub(crate) async fn nobody_is_silent_who_could_not_be_heard(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    assert!(stage.sweep(10, at(500), at(589)).await.unwrap().is_empty());
    stage.taken(job.id, heartbeat(&job), nothing(), at(589)).await;
    assert!(stage.sweep(10, at(500), at(590)).await.unwrap().is_empty());
    assert_eq!(stage.sweep(10, at(500), at(679)).await.unwrap().len(), 1);
}

pub(crate) async fn a_heartbeat_keeps_a_job(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    stage.taken(job.id, heartbeat(&job), nothing(), at(90)).await;
    stage.taken(job.id, heartbeat(&job), nothing(), at(91)).await;
    assert!(stage.sweep(10, Timestamp::default(), at(180)).await.unwrap().is_empty());
    assert_eq!(stage.sweep(10, Timestamp::default(), at(181)).await.unwrap().len(), 1);
}

pub(crate) async fn a_job_that_is_lost_too_often_fails_and_is_not_remembered(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    stage.sweep(10, Timestamp::default(), at(100)).await.unwrap();
    stage.claim(job.id, "r", at(100)).await;
    let swept = stage.sweep(10, Timestamp::default(), at(200)).await.unwrap();
    let [(lost, Transition::Failed)] = &swept[..] else { panic!("{swept:?}") };
    assert!(matches!(lost.state, State::Failed { reason: Failure::Lost, until: None, .. }), "{lost:?}");
    assert!(stage.new_job(new("a"), at(201)).await.is_current);
}

pub(crate) async fn a_dispatch_without_a_start_is_over(stage: Stage) {
    stage.new_job(new("a"), at(5)).await;
    let handed = stage.next("render", "r", at(6)).await.unwrap();
    assert!(stage.sweep(10, Timestamp::default(), at(25)).await.unwrap().is_empty());
    let swept = stage.sweep(10, Timestamp::default(), at(26)).await.unwrap();
    let [(job, Transition::Queued)] = &swept[..] else { panic!("{swept:?}") };
    assert_eq!((job.id, job.attempts, job.lost_attempts), (handed.job.id, 0, 0));
    assert!(stage.next("render", "s", at(27)).await.is_some());
}

pub(crate) async fn a_sweep_takes_at_most_so_many(stage: Stage) {
    for name in ["a", "b", "c"] {
        stage.claimed(name, at(5)).await;
    }
    stage.new_job(new("d"), at(5)).await;
    stage.next("render", "r", at(6)).await.unwrap();
    assert!(stage.sweep(0, Timestamp::default(), at(500)).await.unwrap().is_empty());
    for left in [3, 1, 0] {
        assert_eq!(stage.sweep(3, Timestamp::default(), at(500)).await.unwrap().len(), left);
    }
}

pub(crate) async fn a_result_whose_time_is_over_is_marked_as_expired(stage: Stage) {
    let ttl = with(new("a"), |options| options.ttl = Some(Duration::from_millis(30)));
    let job = stage.ended_of(ttl, "42", at(5)).await;
    stage.ended("b", "42", at(5)).await;
    assert!(stage.sweep(10, Timestamp::default(), at(34)).await.unwrap().is_empty());
    let swept = stage.sweep(10, Timestamp::default(), at(35)).await.unwrap();
    let [(expired, Transition::Expired)] = &swept[..] else { panic!("{swept:?}") };
    assert_eq!((expired.id, expired.status(at(35))), (job.id, Status::Expired));
    assert!(stage.sweep(10, Timestamp::default(), at(35)).await.unwrap().is_empty());
    assert_eq!(stage.lookup(key("a")).await.unwrap().unwrap().output.unwrap().result.as_deref(), Some("42"));
}

pub(crate) async fn lists_know_what_has_expired_before_any_sweep(stage: Stage) {
    for (name, ttl) in [("a", 10), ("b", 30), ("c", 20)] {
        let job = with(new(name), |options| options.ttl = Some(Duration::from_millis(ttl)));
        stage.ended_of(job, "42", at(5)).await;
    }
    for swept in [false, true] {
        for (status, names) in [(Status::Completed, 1), (Status::Expired, 2)] {
            let listed = JobFilter { status: Some(status), limit: 10 };
            let (jobs, total) = stage.jobs(listed, at(25)).await.unwrap();
            assert_eq!((jobs.len(), total), (names, names as u64), "{status:?} {swept}");
            assert!(jobs.iter().all(|job| job.status(at(25)) == status));
            assert!(jobs.is_sorted_by(|one, next| one.id > next.id), "the newest first");
        }
        let counts = stage.counts(at(0), at(25)).await.unwrap();
        assert_eq!(counts.jobs, [0, 0, 0, 1, 0, 2], "{swept}");
        stage.sweep(10, Timestamp::default(), at(25)).await.unwrap();
    }
}

pub(crate) async fn only_unchecked_results_are_to_be_checked(stage: Stage) {
    let types = [crate::stage::job_type("render")];
    let first = stage.ended("a", "1", at(5)).await;
    let second = stage.ended("b", "2", at(6)).await;
    stage.claimed("c", at(7)).await;
    let unchecked = async |before, at_most| {
        let found = stage.due_for_validation(&types, at(before), at_most).await.unwrap();
        found.into_iter().map(|it| (it.job.id, it.output.unwrap().result.unwrap())).collect::<Vec<_>>()
    };
    let mut all = unchecked(10, 10).await;
    all.sort();
    assert_eq!(all, [(first.id, "1".to_owned()), (second.id, "2".to_owned())]);
    assert_eq!(unchecked(10, 1).await.len(), 1);
    stage.mark_validated(first.id, at(10)).await.unwrap();
    assert_eq!(unchecked(10, 10).await, [(second.id, "2".to_owned())]);
    stage.mark_validated(second.id, at(11)).await.unwrap();
    assert_eq!(unchecked(11, 10).await, [(first.id, "1".to_owned())]);
    stage.taken(first.id, pilotlight_core::job::Event::ResultInvalid, nothing(), at(12)).await;
    assert_eq!(unchecked(20, 10).await, [(second.id, "2".to_owned())]);
    let other = [crate::stage::job_type("other")];
    assert!(stage.due_for_validation(&other, at(20), 10).await.unwrap().is_empty());
}

pub(crate) async fn a_replaced_result_is_not_checked_any_more(stage: Stage) {
    let types = [crate::stage::job_type("render")];
    stage.ended("a", "1", at(5)).await;
    let fresh = stage.ended_of(crate::stage::again(new("a")), "2", at(6)).await;
    let found = stage.due_for_validation(&types, at(20), 10).await.unwrap();
    assert_eq!(found.iter().map(|it| it.job.id).collect::<Vec<_>>(), [fresh.id]);
}
