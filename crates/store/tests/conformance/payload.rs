//! What words bring along.

use pilotlight_core::job::{Event, Transition};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{ConsoleUpdate, EventOutcome, JobOutput, RunnerOutput};

use crate::stage::{
    CONSOLE_BYTES, Stage, at, fingerprint, heartbeat, lease_claim, lease_claim_of, new, output, piece,
    runner, whole, with,
};

pub(crate) async fn a_whole_console_replaces_what_is_known(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    for (console, known) in [
        (whole("one\n"), "one\n"),
        (piece("two\n"), "one\ntwo\n"),
        (whole("three"), "three"),
        (whole(""), ""),
        (piece("four"), "four"),
        (piece(""), "four"),
    ] {
        stage.taken(job.id, heartbeat(&job), console, at(6)).await;
        assert_eq!(stage.found(job.id).await.output.unwrap().console, known);
    }
}

pub(crate) async fn a_console_in_many_pieces_is_one_text(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    let mut known = String::new();
    for at_most in 0..CONSOLE_BYTES {
        let text = char::from(b'a' + u8::try_from(at_most % 26).unwrap()).to_string();
        stage.taken(job.id, heartbeat(&job), piece(&text), at(6)).await;
        known += &text;
    }
    assert_eq!(stage.found(job.id).await.output.unwrap().console, known);
    assert_eq!(stage.stored_bytes().await.unwrap(), (known.len() + r#"{"name":"a"}"#.len()) as u64);
}

pub(crate) async fn a_console_over_its_cap_changes_nothing(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    let (_, job) = stage.taken(job.id, heartbeat(&job), whole(&"x".repeat(99)), at(6)).await;
    // Two bytes, one character.
    for console in [piece("\u{e9}"), whole(&"y".repeat(CONSOLE_BYTES + 1))] {
        let said = stage.apply_event(job.id, heartbeat(&job), console, at(7)).await.unwrap();
        assert!(matches!(said, EventOutcome::ConsoleFull), "{said:?}");
    }
    let complete = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("42") };
    let too_much = RunnerOutput { console: Some(ConsoleUpdate::Append("zz".into())), ..output("42") };
    let said = stage.apply_event(job.id, complete.clone(), too_much, at(8)).await.unwrap();
    assert!(matches!(said, EventOutcome::ConsoleFull), "{said:?}");
    let found = stage.found(job.id).await;
    assert_eq!((&found.job, found.output.unwrap().console), (&job, "x".repeat(99)));
    let just = RunnerOutput { console: Some(ConsoleUpdate::Append("z".into())), ..output("42") };
    let (transition, _) = stage.taken(job.id, complete, just, at(9)).await;
    assert_eq!(transition, Transition::Completed);
    assert_eq!(stage.found(job.id).await.output.unwrap().console.len(), CONSOLE_BYTES);
}

pub(crate) async fn a_refused_word_comes_before_a_full_console(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    let event = Event::Heartbeat { lease_claim: lease_claim("s", None), progress: None };
    stage.refused_with(job.id, event, whole(&"x".repeat(CONSOLE_BYTES + 1)), at(6)).await;
}

pub(crate) async fn an_end_keeps_all_that_came_with_it(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    stage.taken(job.id, heartbeat(&job), whole("begun, "), at(6)).await;
    let complete = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("42") };
    let payload = RunnerOutput { console: Some(ConsoleUpdate::Append("done".into())), ..output("42") };
    stage.taken(job.id, complete, payload, at(7)).await;
    let end = JobOutput { result: Some("42".into()), error: None, console: "begun, done".into() };
    assert_eq!(stage.found(job.id).await.output, Some(end.clone()));
    assert_eq!(stage.known(new("a"), at(8)).await.output, Some(end));
}

pub(crate) async fn a_result_before_the_end_is_not_kept(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    stage.taken(job.id, heartbeat(&job), output("42"), at(6)).await;
    assert_eq!(stage.found(job.id).await.output, Some(JobOutput::default()));
}

pub(crate) async fn a_new_try_begins_with_an_empty_console(stage: Stage) {
    let job = stage.new_job(with(new("a"), |options| options.max_attempts = 3), at(5)).await;
    let job = stage.claim(job.id, "r", at(5)).await;
    let fail = Event::Fail { lease_claim: lease_claim_of(&job), report: fingerprint("no") };
    stage.taken(job.id, fail, whole("why it failed"), at(6)).await;
    assert_eq!(stage.found(job.id).await.output.unwrap().console, "why it failed", "while it waits");
    let job = stage.claim(job.id, "r", at(50)).await;
    assert_eq!(stage.found(job.id).await.output.unwrap().console, "");
    stage.taken(job.id, heartbeat(&job), piece("lost"), at(51)).await;
    stage.sweep(10, Timestamp::default(), at(200)).await.unwrap();
    assert_eq!(stage.found(job.id).await.output.unwrap().console, "lost");
    let handed = stage.next("render", "r", at(201)).await.unwrap();
    assert_eq!(stage.found(job.id).await.output.unwrap().console, "");
    stage.taken(job.id, Event::Start(lease_claim_of(&handed.job)), piece("again"), at(202)).await;
    assert_eq!(stage.found(job.id).await.output.unwrap().console, "again");
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn a_claim_may_bring_a_console(stage: Stage) {
    let job = stage.new_job(new("a"), at(5)).await;
    stage.taken(job.id, Event::Claim { runner: runner("r") }, whole("hello"), at(6)).await;
    assert_eq!(stage.found(job.id).await.output.unwrap().console, "hello");
}

pub(crate) async fn a_console_may_hold_any_character(stage: Stage) {
    let job = stage.claimed("a", at(5)).await;
    let odd = "\0\u{1b}[1m \u{1f525}\r\n\0";
    stage.taken(job.id, heartbeat(&job), whole(odd), at(6)).await;
    stage.taken(job.id, heartbeat(&job), piece("\0\u{e9}"), at(7)).await;
    assert_eq!(stage.found(job.id).await.output.unwrap().console, format!("{odd}\0\u{e9}"));
    assert_eq!(stage.verify_integrity().await.unwrap(), [""; 0]);
}

pub(crate) async fn large_things_are_kept(stage: Stage) {
    let mut large = new("a");
    large.input = "i".repeat(100 * 1024);
    let job = stage.ended_of(large, &"o".repeat(32), at(5)).await;
    assert_eq!(stage.input(job.id).await.unwrap().unwrap().len(), 100 * 1024);
    let job = stage.claimed("b", at(5)).await;
    let complete = Event::Complete { lease_claim: lease_claim_of(&job), result: fingerprint("x") };
    stage.taken(job.id, complete, output(&"o".repeat(500 * 1024)), at(6)).await;
    assert_eq!(stage.known(new("b"), at(7)).await.output.unwrap().result.unwrap().len(), 500 * 1024);
    assert_eq!(stage.stored_bytes().await.unwrap(), 100 * 1024 + 32 + 12 + 500 * 1024);
}
