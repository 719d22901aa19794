//! The conformance suite of all stores. Each case is a function that takes a [`fixture::StoreFixture`], and becomes one
//! test for each kind of store. A new kind of store implements [`backend::Backend`] and gets a module at the end of
//! this file.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    reason = "tests: a violated assumption fails the test"
)]

mod backend;
mod fixture;

mod concurrency;
mod events;
mod lists;
mod queue;
mod queue_limits;
mod retention;
mod runner_output;
mod submit;
mod sweep;
mod webhooks;

/// All cases, by module. `$with` is a macro that turns them into tests.
macro_rules! every_case {
    ($with:ident, $backend:ty) => {
        $with! { $backend;
            submit {
                a_submission_becomes_a_job
                a_job_reads_back_as_it_was_submitted
                an_unknown_job_is_not_found
                an_equal_submission_joins_the_job_in_flight
                an_equal_submission_joins_a_running_job
                another_submission_is_another_job
                joined_callers_share_the_most_urgent_options
                a_result_answers_equal_submissions
                a_lookup_finds_the_same_job_as_a_submission
                an_expired_result_is_computed_again
                an_invalid_result_is_computed_again
                a_failure_answers_equal_submissions_until_it_expires
                a_cancelled_job_answers_no_equal_submission
                a_recomputing_submission_never_joins_a_job_in_flight
                a_recomputed_result_replaces_the_cached_one
                a_failed_recomputation_leaves_the_cached_result
                a_recomputing_submission_of_a_new_key_is_current
                an_older_job_that_completes_later_leaves_the_newer_result
                a_result_replaces_a_later_job_without_a_valid_result
                a_result_replaces_a_later_job_in_flight_until_that_one_completes
                a_repeated_submission_is_the_same_job
                a_repeated_submission_joins_once
                one_idempotency_key_for_two_submissions_is_a_conflict
                an_idempotency_key_is_free_after_its_job_is_deleted
                special_characters_are_stored_unchanged
            }
            events {
                an_event_for_an_unknown_job_is_reported_as_such
                a_claimed_job_is_assigned_to_its_runner
                a_claim_before_the_run_at_of_its_job_is_rejected
                a_heartbeat_updates_the_progress
                a_result_ends_a_job
                the_same_result_again_changes_nothing
                a_different_result_after_completion_is_rejected
                an_event_of_another_runner_is_rejected
                a_stale_lease_is_rejected
                the_attempt_of_a_dispatched_job_begins_with_its_start
                a_start_after_the_start_timeout_is_rejected
                a_failed_dispatch_requeues_the_job
                a_failed_attempt_is_retried_after_the_backoff
                a_repeated_failure_report_changes_nothing
                only_the_last_callers_cancel_cancels_the_job
                a_heartbeat_of_a_cancelled_job_is_rejected
                only_the_result_of_a_completed_job_can_become_invalid
                a_result_is_accepted_although_no_start_was_reported
                a_result_expires_after_its_ttl
            }
            queue {
                jobs_are_dispatched_in_the_order_of_submission
                a_higher_priority_is_dispatched_first
                only_requested_types_are_dispatched
                the_most_urgent_job_of_several_types_is_dispatched_first
                a_delayed_job_is_not_dispatched_before_its_time
                the_backlog_has_ready_counts_and_the_next_time
                a_delayed_job_made_ready_by_a_join_is_in_the_backlog
                available_jobs_are_listed_in_the_order_of_submission
                a_claimed_job_is_not_available
            }
            sweep {
                a_silent_runners_job_is_requeued_without_using_an_attempt
                heartbeat_timeouts_start_when_the_service_listens
                a_heartbeat_extends_the_lease
                a_job_that_is_lost_too_often_fails_and_answers_no_equal_submission
                a_dispatch_without_a_start_times_out
                a_sweep_respects_its_limit
                a_result_past_its_ttl_is_marked_expired
                lists_show_expired_results_before_a_sweep
                only_results_not_validated_recently_are_due
                a_replaced_result_is_not_due_for_validation
            }
            runner_output {
                a_console_replacement_replaces_the_stored_console
                console_chunks_are_joined
                a_console_over_its_limit_changes_nothing
                rejection_takes_precedence_over_a_full_console
                completion_stores_result_and_console
                a_result_before_completion_is_not_stored
                a_new_attempt_begins_with_an_empty_console
                a_claim_may_carry_console_output
                a_console_may_contain_any_character
                large_inputs_and_results_are_stored
            }
            retention {
                ended_jobs_are_pruned_after_the_retention_time
                jobs_that_have_not_ended_are_never_pruned
                failed_and_cancelled_jobs_are_pruned_too
                over_the_byte_limit_the_oldest_ended_job_is_pruned_first
                unfinished_jobs_do_not_count_against_the_byte_limit
                a_prune_respects_its_limit
                deleted_jobs_are_removed_completely
                a_cache_key_is_free_after_its_job_is_deleted
                stored_bytes_count_inputs_results_and_consoles
                integrity_check_passes_on_a_store_in_use
            }
            queue_limits {
                queue_usage_counts_jobs_and_bytes
                a_new_job_is_rejected_at_the_job_limit
                a_new_job_is_rejected_at_the_byte_limit
                submissions_of_existing_jobs_ignore_the_limit
                a_rejected_submission_changes_nothing
                submissions_are_accepted_again_when_the_queue_shrinks
                a_requeued_job_ignores_the_limit
                a_hundred_concurrent_submissions_barely_exceed_the_limit
            }
            lists {
                jobs_are_listed_by_status
                the_newest_jobs_are_listed_first
                dispatched_jobs_are_listed_as_claimed
                jobs_and_runners_are_counted
                counts_follow_every_event
                a_registered_runner_is_stored
                touching_a_runner_updates_seen_at
                the_last_seen_runners_are_listed_first
                a_runners_last_jobs_are_listed
                runners_not_seen_for_long_are_pruned
                a_runner_assigned_to_a_job_is_not_pruned
            }
            webhooks {
                creation_and_completion_queue_webhooks
                types_without_webhooks_queue_no_call
                only_a_final_failure_queues_a_webhook
                cancelled_and_lost_jobs_queue_a_failure_webhook
                joins_and_cached_results_queue_no_webhook
                a_claimed_webhook_is_hidden_for_its_lease
                an_acked_webhook_is_removed
                a_failed_webhook_is_due_again_at_its_retry_time
                webhooks_are_claimed_oldest_first_up_to_the_limit
                a_webhook_outlives_its_job
                webhooks_of_one_type_do_not_delay_other_types
                webhooks_of_unconfigured_types_are_dropped
            }
            concurrency {
                a_hundred_equal_concurrent_submissions_are_one_job
                a_hundred_concurrent_retries_are_one_job
                no_job_is_dispatched_twice
                of_many_concurrent_claims_one_is_applied
                counters_are_right_after_concurrent_changes
                of_many_concurrent_results_the_last_submission_is_current
                a_reopened_store_has_all_data
                lease_ids_keep_growing_in_a_reopened_store
            }
        }
    };
}

/// Defines one test for each case, on one kind of store.
macro_rules! tests {
    ($backend:ty; $($module:ident { $($case:ident)* })*) => {
        $(mod $module {
            $(#[test]
            fn $case() {
                if pilotlight_testkit::skip::is_skipped(<$backend as crate::backend::Backend>::requirements(), &|| ()) {
                    return;
                }
                crate::fixture::run_case::<$backend, _>(crate::$module::$case);
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
