//! One suite for every kind of store: each case is a function over a [`stage::Stage`], and becomes one test per kind.
//! A new kind implements [`backend::Backend`] and gets one line at the end of this file.

#![allow(clippy::unwrap_used, clippy::wildcard_enum_match_arm, reason = "tests: what cannot be ends them")]

mod backend;
mod stage;
#[path = "../support/mod.rs"]
mod support;

mod due;
mod hooks;
mod kept;
mod payload;
mod people;
mod room;
mod submit;
mod together;
mod waiting;
mod words;

/// Every case there is, by its module. `$with` is a macro that makes tests of them.
macro_rules! every_case {
    ($with:ident, $backend:ty) => {
        $with! { $backend;
            submit {
                a_submission_becomes_a_job
                a_job_reads_back_as_it_was_submitted
                what_was_never_submitted_is_not_there
                an_equal_submission_joins_the_one_under_way
                an_equal_submission_joins_one_that_executes
                another_submission_is_another_job
                joined_callers_share_the_most_urgent_wish
                a_result_is_the_answer_to_equal_submissions
                a_lookup_finds_what_a_submission_would
                an_expired_result_is_computed_again
                an_invalid_result_is_computed_again
                a_failure_is_remembered_for_a_while
                a_cancelled_job_is_not_remembered
                a_fresh_submission_never_joins_a_twin_under_way
                a_fresh_result_replaces_the_known_one
                a_fresh_failure_leaves_the_known_result
                a_fresh_submission_of_the_unknown_is_current
                a_slow_older_twin_leaves_the_newer_result
                a_result_replaces_a_later_submission_without_a_valid_one
                a_result_replaces_a_later_submission_under_way_until_that_one_completes
                a_repeated_submission_is_the_same_job
                a_repeated_submission_joins_once
                one_idempotency_key_for_two_submissions_is_a_conflict
                an_idempotency_key_is_free_again_when_its_job_is_gone
                texts_of_any_kind_are_kept
            }
            words {
                a_word_about_no_job_is_unknown
                a_claimed_job_is_its_runners
                a_claim_before_its_time_is_refused
                a_heartbeat_brings_progress
                a_result_ends_a_job
                the_same_result_again_changes_nothing
                another_result_after_the_end_is_refused
                a_strangers_word_is_refused
                a_stale_lease_is_refused
                a_dispatched_job_begins_with_its_start
                a_start_after_its_time_is_refused
                a_void_dispatch_goes_to_the_next
                a_failed_try_is_repeated_after_a_pause
                a_failure_told_twice_changes_nothing
                the_last_callers_cancel_counts
                a_runner_learns_of_a_cancel_by_its_heartbeat
                what_is_not_completed_cannot_be_invalid
                a_result_may_come_without_a_start
                a_result_ends_to_be_valid_after_its_time
            }
            waiting {
                the_first_submitted_goes_first
                a_higher_priority_goes_first
                only_types_asked_for_are_handed_out
                of_several_types_the_most_urgent_goes_first
                a_delayed_job_is_not_handed_out_before_its_time
                the_backlog_says_what_waits_and_until_when
                a_joined_job_whose_time_came_earlier_is_in_the_backlog
                available_jobs_are_listed_in_the_order_of_submission
                a_claimed_job_is_not_available
            }
            due {
                a_silent_runners_job_is_queued_again_without_using_a_try
                nobody_is_silent_who_could_not_be_heard
                a_heartbeat_keeps_a_job
                a_job_that_is_lost_too_often_fails_and_is_not_remembered
                a_dispatch_without_a_start_is_over
                a_sweep_takes_at_most_so_many
                a_result_whose_time_is_over_is_marked_as_expired
                lists_know_what_has_expired_before_any_sweep
                only_unchecked_results_are_to_be_checked
                a_replaced_result_is_not_checked_any_more
            }
            payload {
                a_whole_console_replaces_what_is_known
                a_console_in_many_pieces_is_one_text
                a_console_over_its_cap_changes_nothing
                a_refused_word_comes_before_a_full_console
                an_end_keeps_all_that_came_with_it
                a_result_before_the_end_is_not_kept
                a_new_try_begins_with_an_empty_console
                a_claim_may_bring_a_console
                a_console_may_hold_any_character
                large_things_are_kept
            }
            kept {
                ended_jobs_are_kept_for_their_time
                jobs_that_have_not_ended_are_never_pruned
                failed_and_cancelled_jobs_are_pruned_too
                beyond_the_bytes_the_first_ended_goes_first
                what_has_not_ended_takes_no_result_away
                a_prune_takes_at_most_so_many
                what_is_deleted_is_gone
                a_deleted_key_is_unknown_again
                bytes_are_those_of_all_that_is_large
                a_store_in_use_is_sound
            }
            room {
                what_waits_is_told_with_its_bytes
                a_new_job_is_refused_when_as_many_wait_as_may
                a_new_job_is_refused_when_what_waits_is_as_large_as_may_be
                what_is_no_new_job_needs_no_room
                a_refused_submission_changes_nothing
                there_is_room_again_when_fewer_wait
                a_job_that_waits_again_needs_no_room
                a_hundred_at_once_do_not_go_far_beyond_the_bound
            }
            people {
                jobs_are_listed_by_status
                the_newest_are_listed_first
                dispatched_jobs_are_listed_as_claimed
                jobs_and_runners_are_counted
                counts_follow_every_word
                a_registered_runner_is_remembered
                a_runner_that_was_heard_of_is_seen
                the_last_seen_runners_are_listed_first
                a_runners_last_jobs_are_listed
                a_runner_that_is_not_seen_any_more_is_forgotten
                a_runner_that_a_job_names_is_not_forgotten
            }
            hooks {
                a_life_is_told
                other_types_are_not_told
                only_a_failure_for_good_is_told
                a_cancel_and_a_loss_are_failures
                what_joins_or_is_known_is_told_once
                a_telling_is_nobody_elses_for_its_lease
                a_telling_that_was_heard_is_gone
                a_telling_that_failed_comes_again_at_its_time
                tellings_are_taken_at_most_so_many_the_first_first
                a_telling_outlives_its_job
                what_one_type_has_due_keeps_no_other_waiting
                what_nobody_is_told_of_any_more_is_dropped
            }
            together {
                a_hundred_equal_submissions_at_once_are_one_job
                a_hundred_repeated_submissions_at_once_are_one_job
                no_job_is_handed_out_twice
                of_many_claims_at_once_one_is_taken
                sums_are_right_after_many_at_once
                of_many_results_at_once_the_last_submissions_is_known
                a_store_opened_again_has_everything
                leases_go_on_growing_in_a_store_opened_again
            }
        }
    };
}

/// One test for each case, on one kind of store.
macro_rules! tests {
    ($backend:ty; $($module:ident { $($case:ident)* })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                if crate::support::skip::is_skipped(<$backend as crate::backend::Backend>::needs(), &|| ()) {
                    return;
                }
                crate::stage::play::<$backend, _>(crate::$module::$case);
            })*
        })*
    };
}

mod postgres {
    every_case!(tests, crate::backend::postgres::Postgres);
}

mod sqlite {
    every_case!(tests, crate::backend::sqlite::Sqlite);
}
