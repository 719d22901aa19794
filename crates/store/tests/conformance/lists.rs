//! Lists and counts of jobs and runners, and pruning of runners.

use pilotlight_core::job::{CancelScope, Status};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Counts, JobFilter, Runner};

use crate::fixture::{StoreFixture, at, heartbeat, no_output, runner, submission, with_options};

/// Submits one job of each status except expired.
async fn submit_one_of_each_status(fixture: &StoreFixture) {
    fixture.completed_job("completed", "42", at(5)).await;
    let failed = fixture.claimed_job("failed", at(5)).await;
    fixture.fail(&failed, "no", at(5)).await;
    fixture.claimed_job("claimed", at(5)).await;
    let running = fixture.claimed_job("in_progress", at(5)).await;
    fixture.apply_ok(running.id, heartbeat(&running), no_output(), at(5)).await;
    fixture.submit_new(submission("pending"), at(5)).await;
}

pub(crate) async fn jobs_are_listed_by_status(fixture: StoreFixture) {
    submit_one_of_each_status(&fixture).await;
    for status in Status::ALL {
        let (jobs, total) = fixture.jobs(JobFilter { status: Some(status), limit: 10 }, at(6)).await.unwrap();
        let expected = usize::from(status != Status::Expired);
        assert_eq!((jobs.len(), total), (expected, expected as u64), "{status:?}");
        assert!(jobs.iter().all(|job| job.status(at(6)) == status));
    }
}

pub(crate) async fn the_newest_jobs_are_listed_first(fixture: StoreFixture) {
    let mut submitted = Vec::new();
    for name in ["a", "b", "c", "d"] {
        let later =
            with_options(submission(name), |options| options.run_at = at(if name == "b" { 90 } else { 0 }));
        submitted.push(fixture.submit_new(later, at(5)).await.id);
    }
    submitted.reverse();
    for status in [None, Some(Status::Pending)] {
        let (jobs, total) = fixture.jobs(JobFilter { status, limit: 3 }, at(6)).await.unwrap();
        assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), submitted[..3]);
        assert_eq!(total, 4);
    }
    let (jobs, total) = fixture.jobs(JobFilter { status: None, limit: 0 }, at(6)).await.unwrap();
    assert_eq!((jobs.len(), total), (0, 4));
}

pub(crate) async fn dispatched_jobs_are_listed_as_claimed(fixture: StoreFixture) {
    fixture.submit_new(submission("a"), at(5)).await;
    fixture.dispatch_next("render", "r", at(6)).await.unwrap();
    let (jobs, total) =
        fixture.jobs(JobFilter { status: Some(Status::Claimed), limit: 3 }, at(6)).await.unwrap();
    assert_eq!((jobs.len(), total), (1, 1));
}

pub(crate) async fn jobs_and_runners_are_counted(fixture: StoreFixture) {
    assert_eq!(fixture.counts(at(0), at(0)).await.unwrap(), Counts::default());
    submit_one_of_each_status(&fixture).await;
    for (name, seen) in [("r", 5), ("s", 7), ("t", 9)] {
        fixture.register_runner(runner_record(name, at(seen))).await.unwrap();
    }
    let counts = fixture.counts(at(5), at(9)).await.unwrap();
    assert_eq!(counts, Counts { jobs: [1, 1, 1, 1, 1, 0], runners: 3, active_runners: 2 });
}

pub(crate) async fn counts_follow_every_event(fixture: StoreFixture) {
    let job =
        fixture.submit_new(with_options(submission("a"), |options| options.max_attempts = 2), at(5)).await;
    let job_counts = async || fixture.counts(at(0), at(30)).await.unwrap().jobs;
    assert_eq!(job_counts().await, [1, 0, 0, 0, 0, 0]);
    let job = fixture.claim(job.id, "r", at(6)).await;
    assert_eq!(job_counts().await, [0, 1, 0, 0, 0, 0]);
    fixture.apply_ok(job.id, heartbeat(&job), no_output(), at(7)).await;
    assert_eq!(job_counts().await, [0, 0, 1, 0, 0, 0]);
    fixture.fail(&job, "no", at(8)).await;
    assert_eq!(job_counts().await, [1, 0, 0, 0, 0, 0]);
    fixture.cancel(job.id, CancelScope::AllCallers, at(9)).await;
    assert_eq!(job_counts().await, [0, 0, 0, 0, 1, 0]);
}

fn runner_record(name: &str, seen_at: Timestamp) -> Runner {
    Runner {
        id: runner(name),
        name: format!("{name}'s \"machine\""),
        capabilities: vec!["render".into(), "a,b".into(), "\u{e9}\n".into(), String::new()],
        registered_at: at(1),
        seen_at,
    }
}

pub(crate) async fn a_registered_runner_is_stored(fixture: StoreFixture) {
    assert_eq!(fixture.runner(&runner("r")).await.unwrap(), None);
    fixture.register_runner(runner_record("r", at(5))).await.unwrap();
    assert_eq!(fixture.runner(&runner("r")).await.unwrap(), Some(runner_record("r", at(5))));
    let other = Runner { name: "new".into(), capabilities: vec![], ..runner_record("r", at(6)) };
    fixture.register_runner(other.clone()).await.unwrap();
    assert_eq!(fixture.runner(&runner("r")).await.unwrap(), Some(other.clone()));
    assert_eq!(fixture.runners(10).await.unwrap(), (vec![other], 1));
}

pub(crate) async fn touching_a_runner_updates_seen_at(fixture: StoreFixture) {
    assert!(!fixture.touch_runner(&runner("r"), at(5)).await.unwrap());
    assert_eq!(fixture.runner(&runner("r")).await.unwrap(), None, "touching does not register a runner");
    fixture.register_runner(runner_record("r", at(5))).await.unwrap();
    assert!(fixture.touch_runner(&runner("r"), at(9)).await.unwrap());
    assert!(fixture.touch_runner(&runner("r"), at(7)).await.unwrap());
    assert_eq!(fixture.runner(&runner("r")).await.unwrap().unwrap().seen_at, at(9));
}

pub(crate) async fn the_last_seen_runners_are_listed_first(fixture: StoreFixture) {
    for (name, seen) in [("r", 7), ("s", 5), ("t", 6)] {
        fixture.register_runner(runner_record(name, at(seen))).await.unwrap();
    }
    fixture.touch_runner(&runner("s"), at(8)).await.unwrap();
    let (runners, total) = fixture.runners(2).await.unwrap();
    assert_eq!(runners.iter().map(|it| it.id.as_str()).collect::<Vec<_>>(), ["s", "r"]);
    assert_eq!(total, 3);
}

pub(crate) async fn a_runners_last_jobs_are_listed(fixture: StoreFixture) {
    let first = fixture.completed_job("a", "42", at(5)).await;
    let second = fixture.claimed_job("b", at(5)).await;
    let other = fixture.submit_new(submission("c"), at(5)).await;
    fixture.claim(other.id, "s", at(5)).await;
    fixture.submit_new(submission("d"), at(5)).await;
    let jobs = fixture.jobs_of_runner(&runner("r"), 10).await.unwrap();
    assert_eq!(jobs.iter().map(|job| job.id).collect::<Vec<_>>(), [second.id, first.id]);
    assert_eq!(fixture.jobs_of_runner(&runner("r"), 1).await.unwrap()[0].id, second.id);
    assert!(fixture.jobs_of_runner(&runner("unknown"), 10).await.unwrap().is_empty());
}

pub(crate) async fn runners_not_seen_for_long_are_pruned(fixture: StoreFixture) {
    for (name, seen) in [("b", 6), ("a", 5), ("c", 7), ("d", 7)] {
        fixture.register_runner(runner_record(name, at(seen))).await.unwrap();
    }
    fixture.touch_runner(&runner("d"), at(9)).await.unwrap();
    assert_eq!(fixture.prune_runners(at(5), 10).await.unwrap(), 0);
    assert_eq!(fixture.prune_runners(at(8), 1).await.unwrap(), 1);
    assert_eq!(
        fixture.runner(&runner("a")).await.unwrap(),
        None,
        "the runner not seen for the longest time is pruned first"
    );
    assert_eq!(fixture.prune_runners(at(8), 10).await.unwrap(), 2);
    assert_eq!(fixture.prune_runners(at(8), 10).await.unwrap(), 0);
    let (remaining, total) = fixture.runners(10).await.unwrap();
    assert_eq!((remaining[0].id.clone(), total), (runner("d"), 1));
    assert!(!fixture.touch_runner(&runner("a"), at(10)).await.unwrap());
    assert_eq!(fixture.counts(at(0), at(10)).await.unwrap().runners, 1);
}

pub(crate) async fn a_runner_assigned_to_a_job_is_not_pruned(fixture: StoreFixture) {
    for name in ["r", "s", "t"] {
        fixture.register_runner(runner_record(name, at(5))).await.unwrap();
    }
    let ended = fixture.completed_job("a", "42", at(5)).await;
    let claimed = fixture.submit_new(submission("b"), at(5)).await;
    fixture.claim(claimed.id, "s", at(5)).await;
    assert_eq!(fixture.prune_runners(at(500), 10).await.unwrap(), 1);
    assert_eq!(fixture.runner(&runner("t")).await.unwrap(), None);
    fixture.delete(&[ended.id]).await.unwrap();
    assert_eq!(fixture.prune_runners(at(500), 10).await.unwrap(), 1);
    assert_eq!(fixture.runner(&runner("r")).await.unwrap(), None);
    assert_eq!(fixture.runner(&runner("s")).await.unwrap(), Some(runner_record("s", at(5))));
}
