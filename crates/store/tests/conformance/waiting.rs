//! Jobs that wait for runners: who is next, and when.

use pilotlight_core::job::Job;
use pilotlight_store::{Backlog, LeasedJob};

use crate::stage::{Stage, at, job_type, new, new_of, runner, with};

pub(crate) async fn the_first_submitted_goes_first(stage: Stage) {
    let mut submitted = Vec::new();
    for name in ["a", "b", "c"] {
        submitted.push(stage.new_job(new(name), at(5)).await.id);
    }
    for id in submitted {
        assert_eq!(stage.next("render", "r", at(6)).await.unwrap().job.id, id);
    }
    assert!(stage.next("render", "r", at(6)).await.is_none());
}

pub(crate) async fn a_higher_priority_goes_first(stage: Stage) {
    for (name, priority) in [("a", 0), ("b", i32::MAX), ("c", -1), ("d", i32::MIN), ("e", 0)] {
        stage.new_job(with(new(name), |options| options.priority = priority), at(5)).await;
    }
    for name in ["b", "a", "e", "c", "d"] {
        let handed = stage.next("render", "r", at(6)).await.unwrap();
        assert_eq!(handed.input, format!("{{\"name\":\"{name}\"}}"));
    }
}

pub(crate) async fn only_types_asked_for_are_handed_out(stage: Stage) {
    stage.new_job(new_of("other", "a"), at(5)).await;
    assert!(stage.next("render", "r", at(6)).await.is_none());
    assert!(stage.dispatch(&[], &runner("r"), at(6)).await.unwrap().is_none());
    assert!(stage.next("other", "r", at(6)).await.is_some());
}

pub(crate) async fn of_several_types_the_most_urgent_goes_first(stage: Stage) {
    stage.new_job(new_of("one", "a"), at(5)).await;
    stage.new_job(with(new_of("two", "b"), |options| options.priority = 1), at(5)).await;
    stage.new_job(new_of("two", "c"), at(5)).await;
    stage.new_job(new_of("one", "d"), at(5)).await;
    let types = [job_type("one"), job_type("two"), job_type("one")];
    for name in ["b", "a", "c", "d"] {
        let handed = stage.dispatch(&types, &runner("r"), at(6)).await.unwrap().unwrap();
        assert_eq!(handed.input, format!("{{\"name\":\"{name}\"}}"));
    }
    assert!(stage.dispatch(&types, &runner("r"), at(6)).await.unwrap().is_none());
}

pub(crate) async fn a_delayed_job_is_not_handed_out_before_its_time(stage: Stage) {
    stage.new_job(with(new("a"), |options| options.run_at = at(50)), at(5)).await;
    stage.backlog(at(49)).await.unwrap();
    assert!(stage.next("render", "r", at(49)).await.is_none());
    stage.backlog(at(50)).await.unwrap();
    assert!(stage.next("render", "r", at(49)).await.is_none(), "not even by a clock that went back");
    assert!(stage.next("render", "r", at(50)).await.is_some());
}

pub(crate) async fn the_backlog_says_what_waits_and_until_when(stage: Stage) {
    assert_eq!(stage.backlog(at(5)).await.unwrap(), Backlog::default());
    for (of, name, run_at) in
        [("one", "a", 0), ("one", "b", 0), ("two", "c", 70), ("two", "d", 50), ("three", "e", 0)]
    {
        stage.new_job(with(new_of(of, name), |options| options.run_at = at(run_at)), at(5)).await;
    }
    stage.next("three", "r", at(6)).await.unwrap();
    for (now, ready, next_at) in [
        (6, vec![("one", 2)], Some(50)),
        (50, vec![("one", 2), ("two", 1)], Some(70)),
        (70, vec![("one", 2), ("two", 2)], None),
    ] {
        let mut backlog = stage.backlog(at(now)).await.unwrap();
        backlog.ready.sort();
        let ready: Vec<_> = ready.into_iter().map(|(of, jobs)| (job_type(of), jobs)).collect();
        assert_eq!((backlog.ready, backlog.next_at), (ready, next_at.map(at)), "{now}");
    }
}

pub(crate) async fn a_joined_job_whose_time_came_earlier_is_in_the_backlog(stage: Stage) {
    stage.new_job(with(new("a"), |options| options.run_at = at(50)), at(5)).await;
    stage.known(new("a"), at(6)).await;
    let backlog = stage.backlog(at(6)).await.unwrap();
    assert_eq!((backlog.ready, backlog.next_at), (vec![(job_type("render"), 1)], None));
}

pub(crate) async fn available_jobs_are_listed_in_the_order_of_submission(stage: Stage) {
    stage.new_job(with(new_of("one", "a"), |options| options.priority = -1), at(5)).await;
    stage.new_job(new_of("two", "b"), at(5)).await;
    stage.new_job(with(new_of("one", "c"), |options| options.priority = 7), at(5)).await;
    stage.new_job(with(new_of("one", "d"), |options| options.run_at = at(50)), at(5)).await;
    stage.new_job(new_of("three", "e"), at(5)).await;
    let types = [job_type("two"), job_type("one"), job_type("two")];
    let names = |handed: Vec<LeasedJob>| handed.into_iter().map(|it| it.input).collect::<Vec<_>>().join(" ");
    let all = names(stage.available(&types, 10, at(6)).await.unwrap());
    assert_eq!(all, r#"{"name":"a"} {"name":"b"} {"name":"c"}"#);
    assert_eq!(names(stage.available(&types, 1, at(6)).await.unwrap()), r#"{"name":"a"}"#);
    assert!(stage.available(&[], 10, at(6)).await.unwrap().is_empty());
    let job: Job = stage.available(&types, 1, at(6)).await.unwrap().remove(0).job;
    assert_eq!(stage.found(job.id).await.job, job, "asking changes nothing");
}

pub(crate) async fn a_claimed_job_is_not_available(stage: Stage) {
    stage.claimed("a", at(5)).await;
    assert!(stage.available(&[job_type("render")], 10, at(6)).await.unwrap().is_empty());
    assert!(stage.next("render", "s", at(6)).await.is_none());
    assert_eq!(stage.backlog(at(6)).await.unwrap(), Backlog::default());
}
