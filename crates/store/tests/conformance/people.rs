//! Lists, counts, runners.

use pilotlight_core::job::{CancelScope, Status};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Counts, JobFilter, Runner};

use crate::stage::{Stage, at, heartbeat, new, nothing, runner, with};

/// One job of each status but expired, named by it.
async fn one_of_each(stage: &Stage) {
    stage.ended("completed", "42", at(5)).await;
    let failed = stage.claimed("failed", at(5)).await;
    stage.fail(&failed, "no", at(5)).await;
    stage.claimed("claimed", at(5)).await;
    let running = stage.claimed("in_progress", at(5)).await;
    stage.taken(running.id, heartbeat(&running), nothing(), at(5)).await;
    stage.new_job(new("pending"), at(5)).await;
}

pub(crate) async fn jobs_are_listed_by_status(stage: Stage) {
    one_of_each(&stage).await;
    for status in Status::ALL {
        let (jobs, total) = stage.jobs(JobFilter { status: Some(status), limit: 10 }, at(6)).await.unwrap();
        let expected = usize::from(status != Status::Expired);
        assert_eq!((jobs.len(), total), (expected, expected as u64), "{status:?}");
        assert!(jobs.iter().all(|job| job.status(at(6)) == status));
    }
}

pub(crate) async fn the_newest_are_listed_first(stage: Stage) {
    let mut submitted = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let later = with(new(name), |options| options.run_at = at(if name == "b" { 90 } else { 0 }));
        submitted.push(stage.new_job(later, at(5)).await.id);
    }
    submitted.reverse();
    for status in [None, Some(Status::Pending)] {
        let (jobs, total) = stage.jobs(JobFilter { status, limit: 3 }, at(6)).await.unwrap();
        assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), submitted[..3]);
        assert_eq!(total, 4);
    }
    let (jobs, total) = stage.jobs(JobFilter { status: None, limit: 0 }, at(6)).await.unwrap();
    assert_eq!((jobs.len(), total), (0, 4));
}

pub(crate) async fn dispatched_jobs_are_listed_as_claimed(stage: Stage) {
    stage.new_job(new("a"), at(5)).await;
    stage.next("render", "r", at(6)).await.unwrap();
    let (jobs, total) =
        stage.jobs(JobFilter { status: Some(Status::Claimed), limit: 3 }, at(6)).await.unwrap();
    assert_eq!((jobs.len(), total), (1, 1));
}

pub(crate) async fn jobs_and_runners_are_counted(stage: Stage) {
    assert_eq!(stage.counts(at(0), at(0)).await.unwrap(), Counts::default());
    one_of_each(&stage).await;
    for (name, seen) in [("r", 5), ("s", 7), ("t", 9)] {
        stage.register_runner(registered(name, at(seen))).await.unwrap();
    }
    let counts = stage.counts(at(5), at(9)).await.unwrap();
    assert_eq!(counts, Counts { jobs: [1, 1, 1, 1, 1, 0], runners: 3, active_runners: 2 });
}

pub(crate) async fn counts_follow_every_word(stage: Stage) {
    let job = stage.new_job(with(new("a"), |options| options.max_attempts = 2), at(5)).await;
    let counted = async || stage.counts(at(0), at(30)).await.unwrap().jobs;
    assert_eq!(counted().await, [1, 0, 0, 0, 0, 0]);
    let job = stage.claim(job.id, "r", at(6)).await;
    assert_eq!(counted().await, [0, 1, 0, 0, 0, 0]);
    stage.taken(job.id, heartbeat(&job), nothing(), at(7)).await;
    assert_eq!(counted().await, [0, 0, 1, 0, 0, 0]);
    stage.fail(&job, "no", at(8)).await;
    assert_eq!(counted().await, [1, 0, 0, 0, 0, 0]);
    stage.cancel(job.id, CancelScope::AllCallers, at(9)).await;
    assert_eq!(counted().await, [0, 0, 0, 0, 1, 0]);
}

fn registered(name: &str, seen_at: Timestamp) -> Runner {
    Runner {
        id: runner(name),
        name: format!("{name}'s \"machine\""),
        capabilities: vec!["render".into(), "a,b".into(), "\u{e9}\n".into(), String::new()],
        registered_at: at(1),
        seen_at,
    }
}

pub(crate) async fn a_registered_runner_is_remembered(stage: Stage) {
    assert_eq!(stage.runner(&runner("r")).await.unwrap(), None);
    stage.register_runner(registered("r", at(5))).await.unwrap();
    assert_eq!(stage.runner(&runner("r")).await.unwrap(), Some(registered("r", at(5))));
    let other = Runner { name: "new".into(), capabilities: vec![], ..registered("r", at(6)) };
    stage.register_runner(other.clone()).await.unwrap();
    assert_eq!(stage.runner(&runner("r")).await.unwrap(), Some(other.clone()));
    assert_eq!(stage.runners(10).await.unwrap(), (vec![other], 1));
}

pub(crate) async fn a_runner_that_was_heard_of_is_seen(stage: Stage) {
    assert!(!stage.touch_runner(&runner("r"), at(5)).await.unwrap());
    assert_eq!(stage.runner(&runner("r")).await.unwrap(), None, "being seen registers nobody");
    stage.register_runner(registered("r", at(5))).await.unwrap();
    assert!(stage.touch_runner(&runner("r"), at(9)).await.unwrap());
    assert!(stage.touch_runner(&runner("r"), at(7)).await.unwrap());
    assert_eq!(stage.runner(&runner("r")).await.unwrap().unwrap().seen_at, at(9));
}

pub(crate) async fn the_last_seen_runners_are_listed_first(stage: Stage) {
    for (name, seen) in [("r", 7), ("s", 5), ("t", 6)] {
        stage.register_runner(registered(name, at(seen))).await.unwrap();
    }
    stage.touch_runner(&runner("s"), at(8)).await.unwrap();
    let (runners, total) = stage.runners(2).await.unwrap();
    assert_eq!(runners.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["s", "r"]);
    assert_eq!(total, 3);
}

pub(crate) async fn a_runners_last_jobs_are_listed(stage: Stage) {
    let first = stage.ended("a", "42", at(5)).await;
    let second = stage.claimed("b", at(5)).await;
    let other = stage.new_job(new("c"), at(5)).await;
    stage.claim(other.id, "s", at(5)).await;
    stage.new_job(new("d"), at(5)).await;
    let jobs = stage.jobs_of_runner(&runner("r"), 10).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [second.id, first.id]);
    assert_eq!(stage.jobs_of_runner(&runner("r"), 1).await.unwrap()[0].id, second.id);
    assert!(stage.jobs_of_runner(&runner("nobody"), 10).await.unwrap().is_empty());
}

pub(crate) async fn a_runner_that_is_not_seen_any_more_is_forgotten(stage: Stage) {
    for (name, seen) in [("b", 6), ("a", 5), ("c", 7), ("d", 7)] {
        stage.register_runner(registered(name, at(seen))).await.unwrap();
    }
    stage.touch_runner(&runner("d"), at(9)).await.unwrap();
    assert_eq!(stage.prune_runners(at(5), 10).await.unwrap(), 0);
    assert_eq!(stage.prune_runners(at(8), 1).await.unwrap(), 1);
    assert_eq!(stage.runner(&runner("a")).await.unwrap(), None, "the longest unseen goes first");
    assert_eq!(stage.prune_runners(at(8), 10).await.unwrap(), 2);
    assert_eq!(stage.prune_runners(at(8), 10).await.unwrap(), 0);
    let (left, total) = stage.runners(10).await.unwrap();
    assert_eq!((left[0].id.clone(), total), (runner("d"), 1));
    assert!(!stage.touch_runner(&runner("a"), at(10)).await.unwrap());
    assert_eq!(stage.counts(at(0), at(10)).await.unwrap().runners, 1);
}

pub(crate) async fn a_runner_that_a_job_names_is_not_forgotten(stage: Stage) {
    for name in ["r", "s", "t"] {
        stage.register_runner(registered(name, at(5))).await.unwrap();
    }
    let ended = stage.ended("a", "42", at(5)).await;
    let held = stage.new_job(new("b"), at(5)).await;
    stage.claim(held.id, "s", at(5)).await;
    assert_eq!(stage.prune_runners(at(500), 10).await.unwrap(), 1);
    assert_eq!(stage.runner(&runner("t")).await.unwrap(), None);
    stage.delete(&[ended.id]).await.unwrap();
    assert_eq!(stage.prune_runners(at(500), 10).await.unwrap(), 1);
    assert_eq!(stage.runner(&runner("r")).await.unwrap(), None);
    assert_eq!(stage.runner(&runner("s")).await.unwrap(), Some(registered("s", at(5))));
}
