//! What a submission becomes beside its twin, and whose result is the known one.

use super::*;

#[test]
fn a_submission_is_held_against_the_current_job() {
    let valid = live(
        claimed_with(|options| options.ttl = Some(Duration::from_millis(30))),
        &[(10, complete(word("r", 1), 1), Ok(Change::Completed))],
    );
    let failed = live(claimed(), &[(10, fail(word("r", 1), 1), Ok(Change::Failed))]);
    let invalid = live(valid.clone(), &[(11, Event::Invalid, Ok(Change::Expired))]);
    let cancelled = live(job(), &[(10, ALL, Ok(Change::Failed))]);
    let (current, beside) = (Admitted::New { is_current: true }, Admitted::New { is_current: false });
    for (name, twin, now, any, again) in [
        ("none", None, 1, &current, &current),
        ("valid", Some(&valid), 39, &Admitted::Known, &beside),
        ("over", Some(&valid), 40, &current, &current),
        ("invalid", Some(&invalid), 12, &current, &current),
        ("failed", Some(&failed), 609, &Admitted::Known, &beside),
        ("failed long ago", Some(&failed), 610, &current, &current),
        ("cancelled", Some(&cancelled), 11, &current, &current),
    ] {
        assert_eq!(&admit(twin, Freshness::Any, &options(), at(now)), any, "{name}");
        assert_eq!(&admit(twin, Freshness::Again, &options(), at(now)), again, "{name}");
    }
    for under_way in [job(), claimed(), live(job(), &[(1, dispatch("r"), Ok(Change::Dispatched))])] {
        assert!(matches!(admit(Some(&under_way), Freshness::Any, &options(), at(2)), Admitted::Joined(_)));
        assert_eq!(admit(Some(&under_way), Freshness::Again, &options(), at(2)), beside);
    }
}

pub(super) fn joined(twin: &Job, wish: &Options, now: u64) -> Job {
    match admit(Some(twin), Freshness::Any, wish, at(now)) {
        Admitted::Joined(job) => *job,
        Admitted::New { .. } | Admitted::Known => panic!("does not join"),
    }
}

#[test]
fn who_joins_brings_the_more_urgent_wish() {
    let twin = job_with(|options| {
        options.run_at = at(50);
        options.priority = 1;
    });
    for (run_at, priority, ready_at, higher) in [(60, 0, 50, 1), (40, 2, 40, 2), (40, i32::MIN, 40, 1)] {
        let wish = Options { run_at: at(run_at), priority, max_attempts: 9, ..options() };
        let job = joined(&twin, &wish, 5);
        assert_eq!((job.ready_at, job.options.priority), (at(ready_at), higher));
        assert_eq!((job.callers, job.options.max_attempts, job.updated_at), (2, 1, at(5)));
        assert_eq!((job.id, job.created_at, &job.state), (twin.id, twin.created_at, &twin.state));
    }
}

#[test]
fn who_joins_does_not_shorten_a_pause_after_a_failure() {
    let paused = live(
        claimed_with(|options| options.max_attempts = 2),
        &[(1, fail(word("r", 1), 1), Ok(Change::Queued))],
    );
    assert_eq!(joined(&paused, &options(), 2).ready_at, at(11));
}

#[test]
fn who_joins_can_leave_again() {
    let twice = joined(&job(), &options(), 1);
    live(twice, &[(2, ONE, Ok(Change::Left)), (3, ONE, Ok(Change::Failed))]);
}

/// A job that is not found by equal submissions, and has completed at 10.
fn beside() -> Job {
    let mut job = live(claimed(), &[(10, complete(word("r", 1), 1), Ok(Change::Completed))]);
    job.is_current = false;
    job
}

#[test]
fn only_a_valid_result_of_a_later_submission_keeps_its_place() {
    let valid = live(
        claimed_with(|options| options.ttl = Some(Duration::from_millis(30))),
        &[(5, complete(word("r", 1), 2), Ok(Change::Completed))],
    );
    let invalid = live(valid.clone(), &[(6, Event::Invalid, Ok(Change::Expired))]);
    let failed = live(claimed(), &[(5, fail(word("r", 1), 1), Ok(Change::Failed))]);
    let cancelled = live(job(), &[(5, ALL, Ok(Change::Failed))]);
    let dispatched = live(job(), &[(1, dispatch("r"), Ok(Change::Dispatched))]);
    for (name, current, now, after) in [
        ("valid", &valid, 34, false),
        ("over", &valid, 35, true),
        ("invalid", &invalid, 10, true),
        ("failed, and told", &failed, 10, true),
        ("failed long ago", &failed, 605, true),
        ("cancelled", &cancelled, 10, true),
        ("pending", &job(), 10, true),
        ("dispatched", &dispatched, 10, true),
        ("executing", &claimed(), 10, true),
    ] {
        for (came, expected) in [(Came::Before, true), (Came::After, after)] {
            let mut job = beside();
            job.settle(Some((current, came)), at(now));
            assert_eq!(job.is_current, expected, "{name}, {came:?}");
        }
    }
}

#[test]
fn a_result_is_found_where_nothing_else_is() {
    let mut job = beside();
    job.settle(None, at(10));
    assert!(job.is_current);
}

#[test]
fn of_two_results_the_later_submissions_is_known_whichever_comes_first() {
    let (mut first, mut second) = (beside(), beside());
    second.settle(Some((&claimed(), Came::Before)), at(10));
    first.settle(Some((&second, Came::After)), at(11));
    assert_eq!((first.is_current, second.is_current), (false, true));

    let (mut first, mut second) = (beside(), beside());
    first.settle(None, at(10));
    second.settle(Some((&first, Came::Before)), at(11));
    assert!(second.is_current);
}
