//! The output that runners send with events: consoles, results, error messages.

use pilotlight_core::job::{Event, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{ConsoleUpdate, EventOutcome, JobOutput, RunnerOutput};

use crate::fixture::{
    CONSOLE_BYTES, StoreFixture, at, console_chunk, console_replacement, fingerprint, heartbeat, lease_claim,
    lease_claim_of, result_output, runner, submission, with_options,
};

pub(crate) async fn a_console_replacement_replaces_the_stored_console(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    for (console, expected) in [
        (console_replacement("one\n"), "one\n"),
        (console_chunk("two\n"), "one\ntwo\n"),
        (console_replacement("three"), "three"),
        (console_replacement(""), ""),
        (console_chunk("four"), "four"),
        (console_chunk(""), "four"),
    ] {
        fixture.apply_ok(job.id, heartbeat(&job), console, at(6)).await;
        assert_eq!(fixture.record(job.id).await.output.unwrap().console, expected);
    }
}

pub(crate) async fn console_chunks_are_joined(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    let mut expected = String::new();
    for index in 0..CONSOLE_BYTES {
        let text = char::from(b'a' + u8::try_from(index % 26).unwrap()).to_string();
        fixture.apply_ok(job.id, heartbeat(&job), console_chunk(&text), at(6)).await;
        expected += &text;
    }
    assert_eq!(fixture.record(job.id).await.output.unwrap().console, expected);
    assert_eq!(fixture.stored_bytes().await.unwrap(), (expected.len() + r#"{"name":"a"}"#.len()) as u64);
}

pub(crate) async fn a_console_over_its_limit_changes_nothing(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    let (_, job) =
        fixture.apply_ok(job.id, heartbeat(&job), console_replacement(&"x".repeat(99)), at(6)).await;
    // The limit counts bytes: this is one character of two bytes.
    for console in [console_chunk("\u{e9}"), console_replacement(&"y".repeat(CONSOLE_BYTES + 1))] {
        let outcome = fixture.apply_event(job.id, heartbeat(&job), console, at(7)).await.unwrap();
        assert!(matches!(outcome, EventOutcome::ConsoleFull), "{outcome:?}");
    }
    let complete = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("42") };
    let too_much = RunnerOutput { console: Some(ConsoleUpdate::Append("zz".into())), ..result_output("42") };
    let outcome = fixture.apply_event(job.id, complete.clone(), too_much, at(8)).await.unwrap();
    assert!(matches!(outcome, EventOutcome::ConsoleFull), "{outcome:?}");
    let found = fixture.record(job.id).await;
    assert_eq!((&found.job, found.output.unwrap().console), (&job, "x".repeat(99)));
    let at_limit = RunnerOutput { console: Some(ConsoleUpdate::Append("z".into())), ..result_output("42") };
    let (transition, _) = fixture.apply_ok(job.id, complete, at_limit, at(9)).await;
    assert_eq!(transition, Transition::Completed);
    assert_eq!(fixture.record(job.id).await.output.unwrap().console.len(), CONSOLE_BYTES);
}

pub(crate) async fn rejection_takes_precedence_over_a_full_console(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    let event = Event::Heartbeat { lease_claim: lease_claim("s", None), progress: None };
    fixture
        .apply_rejected_with(job.id, event, console_replacement(&"x".repeat(CONSOLE_BYTES + 1)), at(6))
        .await;
}

pub(crate) async fn completion_stores_result_and_console(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    fixture.apply_ok(job.id, heartbeat(&job), console_replacement("started, "), at(6)).await;
    let complete = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("42") };
    let output = RunnerOutput { console: Some(ConsoleUpdate::Append("done".into())), ..result_output("42") };
    fixture.apply_ok(job.id, complete, output, at(7)).await;
    let expected = JobOutput { result: Some("42".into()), error: None, console: "started, done".into() };
    assert_eq!(fixture.record(job.id).await.output, Some(expected.clone()));
    assert_eq!(fixture.submit_existing(submission("a"), at(8)).await.output, Some(expected));
}

pub(crate) async fn a_result_before_completion_is_not_stored(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    fixture.apply_ok(job.id, heartbeat(&job), result_output("42"), at(6)).await;
    assert_eq!(fixture.record(job.id).await.output, Some(JobOutput::default()));
}

pub(crate) async fn a_new_attempt_begins_with_an_empty_console(fixture: StoreFixture) {
    let job =
        fixture.submit_new(with_options(submission("a"), |options| options.max_attempts = 3), at(5)).await;
    let job = fixture.claim(job.id, "r", at(5)).await;
    let fail = Event::Fail { lease_claim: lease_claim_of(&job), report: fingerprint("no") };
    fixture.apply_ok(job.id, fail, console_replacement("why it failed"), at(6)).await;
    assert_eq!(
        fixture.record(job.id).await.output.unwrap().console,
        "why it failed",
        "the console of the failed attempt stays until the retry"
    );
    let job = fixture.claim(job.id, "r", at(50)).await;
    assert_eq!(fixture.record(job.id).await.output.unwrap().console, "");
    fixture.apply_ok(job.id, heartbeat(&job), console_chunk("lost"), at(51)).await;
    fixture.sweep(10, Timestamp::default(), at(200)).await.unwrap();
    assert_eq!(fixture.record(job.id).await.output.unwrap().console, "lost");
    let leased = fixture.dispatch_next("render", "r", at(201)).await.unwrap();
    assert_eq!(fixture.record(job.id).await.output.unwrap().console, "");
    fixture
        .apply_ok(job.id, Event::Start(lease_claim_of(&leased.job)), console_chunk("again"), at(202))
        .await;
    assert_eq!(fixture.record(job.id).await.output.unwrap().console, "again");
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_claim_may_carry_console_output(fixture: StoreFixture) {
    let job = fixture.submit_new(submission("a"), at(5)).await;
    fixture.apply_ok(job.id, Event::Claim { runner: runner("r") }, console_replacement("hello"), at(6)).await;
    assert_eq!(fixture.record(job.id).await.output.unwrap().console, "hello");
}

pub(crate) async fn a_console_may_contain_any_character(fixture: StoreFixture) {
    let job = fixture.claimed_job("a", at(5)).await;
    let special = "\0\u{1b}[1m \u{1f525}\r\n\0";
    fixture.apply_ok(job.id, heartbeat(&job), console_replacement(special), at(6)).await;
    fixture.apply_ok(job.id, heartbeat(&job), console_chunk("\0\u{e9}"), at(7)).await;
    assert_eq!(fixture.record(job.id).await.output.unwrap().console, format!("{special}\0\u{e9}"));
    assert_eq!(fixture.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn large_inputs_and_results_are_stored(fixture: StoreFixture) {
    let mut large = submission("a");
    large.input = "i".repeat(100 * 1024);
    let job = fixture.complete_submission(large, &"o".repeat(32), at(5)).await;
    assert_eq!(fixture.input(job.id).await.unwrap().unwrap().len(), 100 * 1024);
    let job = fixture.claimed_job("b", at(5)).await;
    let complete = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("x") };
    fixture.apply_ok(job.id, complete, result_output(&"o".repeat(500 * 1024)), at(6)).await;
    assert_eq!(
        fixture.submit_existing(submission("b"), at(7)).await.output.unwrap().result.unwrap().len(),
        500 * 1024
    );
    assert_eq!(fixture.stored_bytes().await.unwrap(), 100 * 1024 + 32 + 12 + 500 * 1024);
}
