//! The queue: which job is dispatched next, and when delayed jobs become ready.

use pilotlight_core::job::Job;
use pilotlight_store::{Backlog, LeasedJob};

use crate::fixture::{StoreFixture, at, job_type, runner, submission, submission_of_type, with_options};

pub(crate) async fn jobs_are_dispatched_in_the_order_of_submission(fixture: StoreFixture) {
    let mut submitted = Vec::new();
    for name in ["a", "b", "c"] {
        submitted.push(fixture.submit_new(submission(name), at(5)).await.id);
    }
    for id in submitted {
        assert_eq!(fixture.dispatch_next("render", "r", at(6)).await.unwrap().job.id, id);
    }
    assert!(fixture.dispatch_next("render", "r", at(6)).await.is_none());
}

pub(crate) async fn a_higher_priority_is_dispatched_first(fixture: StoreFixture) {
    for (name, priority) in [("a", 0), ("b", i32::MAX), ("c", -1), ("d", i32::MIN), ("e", 0)] {
        fixture
            .submit_new(with_options(submission(name), |options| options.priority = priority), at(5))
            .await;
    }
    for name in ["b", "a", "e", "c", "d"] {
        let leased = fixture.dispatch_next("render", "r", at(6)).await.unwrap();
        assert_eq!(leased.input, format!("{{\"name\":\"{name}\"}}"));
    }
}

pub(crate) async fn only_requested_types_are_dispatched(fixture: StoreFixture) {
    fixture.submit_new(submission_of_type("other", "a"), at(5)).await;
    assert!(fixture.dispatch_next("render", "r", at(6)).await.is_none());
    assert!(fixture.dispatch(&[], &runner("r"), at(6)).await.unwrap().is_none());
    assert!(fixture.dispatch_next("other", "r", at(6)).await.is_some());
}

pub(crate) async fn the_most_urgent_job_of_several_types_is_dispatched_first(fixture: StoreFixture) {
    fixture.submit_new(submission_of_type("one", "a"), at(5)).await;
    fixture
        .submit_new(with_options(submission_of_type("two", "b"), |options| options.priority = 1), at(5))
        .await;
    fixture.submit_new(submission_of_type("two", "c"), at(5)).await;
    fixture.submit_new(submission_of_type("one", "d"), at(5)).await;
    let types = [job_type("one"), job_type("two"), job_type("one")];
    for name in ["b", "a", "c", "d"] {
        let leased = fixture.dispatch(&types, &runner("r"), at(6)).await.unwrap().unwrap();
        assert_eq!(leased.input, format!("{{\"name\":\"{name}\"}}"));
    }
    assert!(fixture.dispatch(&types, &runner("r"), at(6)).await.unwrap().is_none());
}

pub(crate) async fn a_delayed_job_is_not_dispatched_before_its_time(fixture: StoreFixture) {
    fixture.submit_new(with_options(submission("a"), |options| options.run_at = at(50)), at(5)).await;
    fixture.backlog(at(49)).await.unwrap();
    assert!(fixture.dispatch_next("render", "r", at(49)).await.is_none());
    fixture.backlog(at(50)).await.unwrap();
    assert!(
        fixture.dispatch_next("render", "r", at(49)).await.is_none(),
        "a poll with an earlier time gets no job either"
    );
    assert!(fixture.dispatch_next("render", "r", at(50)).await.is_some());
}

pub(crate) async fn the_backlog_has_ready_counts_and_the_next_time(fixture: StoreFixture) {
    assert_eq!(fixture.backlog(at(5)).await.unwrap(), Backlog::default());
    for (type_name, name, run_at) in
        [("one", "a", 0), ("one", "b", 0), ("two", "c", 70), ("two", "d", 50), ("three", "e", 0)]
    {
        fixture
            .submit_new(
                with_options(submission_of_type(type_name, name), |options| options.run_at = at(run_at)),
                at(5),
            )
            .await;
    }
    fixture.dispatch_next("three", "r", at(6)).await.unwrap();
    for (now, ready, next_at) in [
        (6, vec![("one", 2)], Some(50)),
        (50, vec![("one", 2), ("two", 1)], Some(70)),
        (70, vec![("one", 2), ("two", 2)], None),
    ] {
        let mut backlog = fixture.backlog(at(now)).await.unwrap();
        backlog.ready.sort();
        let ready: Vec<_> = ready.into_iter().map(|(type_name, jobs)| (job_type(type_name), jobs)).collect();
        assert_eq!((backlog.ready, backlog.next_at), (ready, next_at.map(at)), "{now}");
    }
}

pub(crate) async fn a_delayed_job_made_ready_by_a_join_is_in_the_backlog(fixture: StoreFixture) {
    fixture.submit_new(with_options(submission("a"), |options| options.run_at = at(50)), at(5)).await;
    fixture.submit_existing(submission("a"), at(6)).await;
    let backlog = fixture.backlog(at(6)).await.unwrap();
    assert_eq!((backlog.ready, backlog.next_at), (vec![(job_type("render"), 1)], None));
}

pub(crate) async fn available_jobs_are_listed_in_the_order_of_submission(fixture: StoreFixture) {
    fixture
        .submit_new(with_options(submission_of_type("one", "a"), |options| options.priority = -1), at(5))
        .await;
    fixture.submit_new(submission_of_type("two", "b"), at(5)).await;
    fixture
        .submit_new(with_options(submission_of_type("one", "c"), |options| options.priority = 7), at(5))
        .await;
    fixture
        .submit_new(with_options(submission_of_type("one", "d"), |options| options.run_at = at(50)), at(5))
        .await;
    fixture.submit_new(submission_of_type("three", "e"), at(5)).await;
    let types = [job_type("two"), job_type("one"), job_type("two")];
    let names = |leased: Vec<LeasedJob>| leased.into_iter().map(|it| it.input).collect::<Vec<_>>().join(" ");
    let all = names(fixture.available(&types, 10, at(6)).await.unwrap());
    assert_eq!(all, r#"{"name":"a"} {"name":"b"} {"name":"c"}"#);
    assert_eq!(names(fixture.available(&types, 1, at(6)).await.unwrap()), r#"{"name":"a"}"#);
    assert!(fixture.available(&[], 10, at(6)).await.unwrap().is_empty());
    let job: Job = fixture.available(&types, 1, at(6)).await.unwrap().remove(0).job;
    assert_eq!(fixture.record(job.id).await.job, job, "listing changes nothing");
}

pub(crate) async fn a_claimed_job_is_not_available(fixture: StoreFixture) {
    fixture.claimed_job("a", at(5)).await;
    assert!(fixture.available(&[job_type("render")], 10, at(6)).await.unwrap().is_empty());
    assert!(fixture.dispatch_next("render", "s", at(6)).await.is_none());
    assert_eq!(fixture.backlog(at(6)).await.unwrap(), Backlog::default());
}
