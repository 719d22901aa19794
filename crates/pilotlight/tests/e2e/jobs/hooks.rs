//! Webhooks: signed, told again until they are heard, and never lost with the process.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::hmac;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{CacheMode, JobId, JobOptions};
use pilotlight_core::limits::{
    MAX_UNCONFIGURED_WEBHOOK_AGE, MAX_WEBHOOKS_PER_TYPE, WEBHOOK_FIRST_BACKOFF, WEBHOOK_LEASE,
    WEBHOOK_TIMEOUT,
};
use pilotlight_core::time::Timestamp;
use pilotlight_store::NewJob;
use serde_json::{Value, json};

use super::store::{Store, over_each_store};
use crate::support::hearer::{Heard, Hearer, Says};
use crate::support::http::Connection;
use crate::support::jobs::Party;
use crate::support::server::{Server, pilotlight};
use crate::support::settings::File;
use crate::support::wait;

const SECRET: &str = "what signs webhooks";
/// Within an address of a webhook, where some receivers want it.
const IN_URL: &str = "token-within-the-address";

over_each_store! {
    each_event_that_is_wanted_is_told_signed_and_no_other
    what_signs_them_is_told_nobody
    what_is_not_heard_is_told_again_and_keeps_nobody_else_waiting
    a_target_that_hangs_has_its_share_and_no_more
    a_service_that_has_just_lost_a_webhook_drops_nothing
    what_was_on_its_way_when_the_process_was_killed_is_told_by_the_next
    what_was_on_its_way_when_the_process_ended_is_told_by_the_next
    every_job_whose_submission_was_answered_is_told_of_at_least_once
}

fn target(job_type: &str, hearer: &Hearer, more: &str) -> String {
    let url = hearer.url(&format!("/hook?token={IN_URL}"));
    format!("[jobs.types.{job_type}]\nwebhook_url = '{url}'\nwebhook_secret = '{SECRET}'\n{more}\n")
}

/// Executes the next job of the type, or fails at it.
fn execute(server: &Server, job_type: &str, end: &str) {
    let mut runner = Party::at(server.address()).of_runner("runner-1");
    let job = runner.next(job_type, 10_000).expect("a job");
    let body = json!({ "output_data": { "secret": "result" }, "error_message": "no such file" });
    assert_eq!(runner.say(end, &job, body).status, 200);
}

/// Each telling as `event job type`, in order.
fn told(heard: &[Heard]) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut told: Vec<_> = heard
        .iter()
        .map(|heard| {
            let body = heard.json();
            (text(&body["event"]), text(&body["job_id"]), text(&body["job_type"]))
        })
        .collect();
    told.sort();
    told
}

fn deliveries(heard: &[Heard]) -> HashSet<&str> {
    heard.iter().map(|heard| heard.header("x-pilotlight-delivery")).collect()
}

fn is_signed(heard: &Heard) {
    assert_eq!(heard.line, format!("POST /hook?token={IN_URL}"));
    assert_eq!(heard.header("content-type"), "application/json");
    let signed = format!("{}.{}", heard.header("x-pilotlight-timestamp"), heard.body);
    let signature = heard.header("x-pilotlight-signature").strip_prefix("sha256=").expect("its kind");
    let tag: Vec<u8> = (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&signature[at..at + 2], 16).expect("hex"))
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &tag).expect("the signature is right");
    let body = heard.json();
    let names: BTreeSet<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        names,
        BTreeSet::from(["at", "event", "job_id", "job_type"]),
        "nothing of what the job is about"
    );
}

fn each_event_that_is_wanted_is_told_signed_and_no_other(store: &Store) {
    let (all, ends) = (Hearer::listening(|_| Says::Status(200)), Hearer::listening(|_| Says::Status(204)));
    let file = target("all", &all, "") + &target("ends", &ends, "webhook_events = 'completed'");
    let file = File::with(&file);
    let server = store.serve(&[file.named()]);
    let mut caller = Party::at(server.address());
    let mut jobs = BTreeMap::new();
    for (job_type, end) in
        [("all", "complete"), ("ends", "complete"), ("quiet", "complete"), ("all", "error")]
    {
        let submitted = caller.submit(job_type, &json!({ "end": end }));
        jobs.insert((job_type, end), submitted["job_id"].as_str().expect("an id").to_owned());
        execute(&server, job_type, end);
    }
    let event = |event: &str, job_type: &'static str, end| {
        (event.to_owned(), jobs[&(job_type, end)].clone(), job_type.to_owned())
    };
    wait::until("all are told", || all.heard().len() >= 4 && !ends.heard().is_empty());
    let mut expected = vec![
        event("job.completed", "all", "complete"),
        event("job.created", "all", "complete"),
        event("job.created", "all", "error"),
        event("job.failed", "all", "error"),
    ];
    expected.sort();
    assert_eq!(told(&all.heard()), expected);
    assert_eq!(told(&ends.heard()), [event("job.completed", "ends", "complete")]);
    all.heard().iter().chain(&ends.heard()).for_each(is_signed);
    assert_eq!(deliveries(&all.heard()).len(), 4);
    // Those that nobody wants are not counted as heard.
    wait::until("it is counted", || server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 5.0);
    assert!((server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) - 5.0).abs() < 0.5);
}

fn what_signs_them_is_told_nobody(store: &Store) {
    let hearer = Hearer::listening(|_| Says::Status(500));
    let file = File::with(&target("secret", &hearer, ""));
    let server = store.serve(&[file.named(), ("PILOTLIGHT_LOG_LEVEL", "debug")]);
    let mut caller = Party::at(server.address());
    let job = caller.submit("secret", &json!({ "is": "input-of-a-job" }));
    execute(&server, "secret", "complete");
    wait::until("it was in vain", || server.metric(r#"pilotlight_webhooks_total{outcome="failed"}"#) >= 2.0);
    let id = job["job_id"].as_str().expect("an id");
    let paths = [
        "/metrics",
        "/health",
        "/api/openapi.json",
        "/api/dashboard",
        "/api/admin/jobs",
        "/api/admin/stats",
        &format!("/api/jobs/{id}"),
        &format!("/api/admin/jobs/{id}"),
    ];
    let mut seen: Vec<String> = paths.iter().map(|path| server.connect().get(path).text()).collect();
    seen.push(server.log());
    for text in &seen {
        assert!(!text.contains(SECRET) && !text.contains(IN_URL), "{text}");
    }
    assert!(
        server.log().contains("500 Internal Server Error"),
        "why it is in vain is said: {}",
        server.log()
    );
    assert!(!server.log().contains("input-of-a-job"), "{}", server.log());
    let shown = pilotlight(&[file.named()]).arg("config").output().expect("our own binary");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("webhook_secret") && !shown.contains(SECRET), "{shown}");
}

fn what_is_not_heard_is_told_again_and_keeps_nobody_else_waiting(store: &Store) {
    let fails = Hearer::listening(|number| if number == 0 { Says::Status(500) } else { Says::Status(200) });
    let leads = Hearer::listening(|number| if number == 0 { Says::Elsewhere } else { Says::Status(200) });
    let hangs = Hearer::listening(|number| if number < 2 { Says::Nothing } else { Says::Status(200) });
    let prompt = Hearer::listening(|_| Says::Status(200));
    let mut refuses = Hearer::deaf(|_| Says::Status(200));
    let targets =
        [("fails", &fails), ("leads", &leads), ("refuses", &refuses), ("hangs", &hangs), ("prompt", &prompt)];
    let file: String = targets
        .iter()
        .map(|(job_type, hearer)| target(job_type, hearer, "webhook_events = 'created'"))
        .collect();
    let file = File::with(&file);
    let server = store.serve(&[file.named()]);
    let mut caller = Party::at(server.address());
    for job_type in ["hangs", "fails", "leads", "refuses"] {
        caller.submit(job_type, &json!({ "number": 1 }));
    }
    caller.submit("hangs", &json!({ "number": 2 }));
    wait::until("two of them hang", || hangs.heard().len() == 2);
    let began = Instant::now();
    caller.submit("prompt", &json!({}));
    wait::until("another is told", || !prompt.heard().is_empty());
    assert!(began.elapsed() < WEBHOOK_TIMEOUT / 2, "it waited for those that hang: {:?}", began.elapsed());
    wait::until("three were in vain", || {
        server.metric(r#"pilotlight_webhooks_total{outcome="failed"}"#) >= 3.0
    });
    refuses.listen();
    for (hearer, tries) in [(&fails, 2), (&leads, 2), (&refuses, 1), (&hangs, 4)] {
        wait::until("it is told again", || hearer.heard().len() == tries);
        let heard = hearer.heard();
        assert_eq!(deliveries(&heard).len(), tries.div_ceil(2), "a telling keeps its name: {heard:?}");
        heard.iter().for_each(is_signed);
    }
    let heard = fails.heard();
    let at = |heard: &Heard| heard.header("x-pilotlight-timestamp").parse::<u64>().expect("a time");
    assert_eq!(heard[0].body, heard[1].body);
    let pause = Duration::from_millis(at(&heard[1]) - at(&heard[0]));
    assert!(pause >= WEBHOOK_FIRST_BACKOFF && pause < WEBHOOK_FIRST_BACKOFF * 3, "{pause:?}");
    wait::until("all are heard", || server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 6.0);
    assert_eq!(
        (fails.heard().len(), leads.heard().len(), prompt.heard().len()),
        (2, 2, 1),
        "and then no more"
    );
}

fn a_target_that_hangs_has_its_share_and_no_more(store: &Store) {
    let hangs = Hearer::listening(|_| Says::Nothing);
    let prompt = Hearer::listening(|_| Says::Status(200));
    let file = target("hangs", &hangs, "webhook_events = 'created'")
        + &target("prompt", &prompt, "webhook_events = 'created'");
    let file = File::with(&file);
    let server = store.serve(&[file.named()]);
    let mut caller = Party::at(server.address());
    for number in 0..MAX_WEBHOOKS_PER_TYPE * 6 {
        caller.submit("hangs", &json!({ "number": number }));
    }
    wait::until("its share is on its way", || hangs.heard().len() == MAX_WEBHOOKS_PER_TYPE);
    let began = Instant::now();
    for number in 0..MAX_WEBHOOKS_PER_TYPE * 6 {
        caller.submit("prompt", &json!({ "number": number }));
    }
    wait::until("the others are told", || prompt.heard().len() == MAX_WEBHOOKS_PER_TYPE * 6);
    assert!(began.elapsed() < WEBHOOK_TIMEOUT / 2, "they waited for those that hang: {:?}", began.elapsed());
    assert_eq!(hangs.heard().len(), MAX_WEBHOOKS_PER_TYPE, "no more than its share");
}

/// However old it is: whoever starts without a type may have mistyped it, or begin before the others do. What is dropped
/// after ten minutes of it, the store's own suite has.
fn a_service_that_has_just_lost_a_webhook_drops_nothing(store: &Store) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let long_ago = Timestamp::from_millis(now.as_millis() as u64).before(MAX_UNCONFIGURED_WEBHOOK_AGE * 2);
    store.visit("gone", async |store| {
        store.submit(new_of("gone", 1, long_ago), long_ago).await.expect("it is taken");
    });
    let server = store.serve(&[]);
    Party::at(server.address()).submit("other", &json!({}));
    assert_eq!(server.metric(r#"pilotlight_webhooks_total{outcome="dropped"}"#), 0.0);
    drop(server);
    let hearer = Hearer::listening(|_| Says::Status(200));
    let file = File::with(&target("gone", &hearer, ""));
    let server = store.serve(&[file.named()]);
    wait::until("it is told", || server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 1.0);
    assert_eq!(hearer.heard()[0].json()["at"], long_ago.as_millis());
}

fn new_of(job_type: &str, number: u8, at: Timestamp) -> NewJob {
    NewJob {
        id: JobId::new(at, [number; 10]),
        job_type: JobType::parse(job_type).expect("a name"),
        key: CacheKey::from_bytes([number; 32]),
        input: "{}".into(),
        options: JobOptions::default_at(at),
        cache_mode: CacheMode::Reuse,
        idempotency_key: None,
    }
}

fn what_was_on_its_way_when_the_process_was_killed_is_told_by_the_next(store: &Store) {
    is_told_by_the_next_after("KILL", store);
}

fn what_was_on_its_way_when_the_process_ended_is_told_by_the_next(store: &Store) {
    is_told_by_the_next_after("TERM", store);
}

fn is_told_by_the_next_after(signal: &str, store: &Store) {
    let fails = Hearer::listening(|number| if number == 0 { Says::Status(503) } else { Says::Status(200) });
    let hangs = Hearer::listening(|number| if number == 0 { Says::Nothing } else { Says::Status(200) });
    let file = File::with(&(target("fails", &fails, "") + &target("hangs", &hangs, "")));
    let mut server = store.serve(&[file.named()]);
    for job_type in ["fails", "hangs"] {
        Party::at(server.address()).submit(job_type, &json!({ "before": signal }));
    }
    wait::until("they are on their way", || fails.heard().len() == 1 && hangs.heard().len() == 1);
    server.signal(signal);
    server.ended();
    drop(server);
    let began = Instant::now();
    let _server = store.serve(&[file.named()]);
    for hearer in [&fails, &hangs] {
        wait::until("it is told again", || hearer.heard().len() == 2);
        assert_eq!(deliveries(&hearer.heard()).len(), 1, "it keeps its name");
    }
    assert!(began.elapsed() < WEBHOOK_LEASE * 2, "{:?}", began.elapsed());
}

fn every_job_whose_submission_was_answered_is_told_of_at_least_once(store: &Store) {
    const KILLS: usize = 8;
    let hearer = Hearer::listening(|_| Says::Status(200));
    let file = File::with(&target("killed", &hearer, "webhook_events = 'created'"));
    let mut submitted = HashSet::new();
    for kill in 0..KILLS {
        submitted.extend(submit_until_killed(&store.serve(&[file.named()]), kill));
    }
    let _server = store.serve(&[file.named()]);
    assert!(submitted.len() > KILLS, "too few to tell anything: {}", submitted.len());
    let all_told = || {
        let told: HashSet<_> = told(&hearer.heard()).into_iter().map(|(_, job, _)| job).collect();
        submitted.is_subset(&told)
    };
    wait::until("all are told", all_told);
    println!("{KILLS} kills, {} submissions answered, {} tellings", submitted.len(), hearer.heard().len());
}

/// Submits job after job while the service is killed; those that were answered.
fn submit_until_killed(server: &Server, kill: usize) -> Vec<String> {
    let mut caller = Party::on(Connection::open(server.address()));
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            wait::pause(Duration::from_millis(150));
            server.signal("KILL");
        });
        let mut answered = Vec::new();
        for number in 0.. {
            let input = json!({ "kill": kill, "number": number });
            let body = json!({ "job_type": "killed", "input_params": input }).to_string();
            let Ok(answer) = caller.try_to_ask("POST", "/api/jobs/submit", body.as_bytes()) else { break };
            answered.push(answer.json()["job_id"].as_str().expect("an id").to_owned());
        }
        killer.join().expect("it was killed");
        answered
    })
}
