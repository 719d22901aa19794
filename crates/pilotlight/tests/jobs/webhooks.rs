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
use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::config_file::ConfigFile;
use pilotlight_testkit::http::Connection;
use pilotlight_testkit::job_store::{JobStore, for_each_store};
use pilotlight_testkit::server::{TestServer, pilotlight_command};
use pilotlight_testkit::wait::{pause, wait_until};
use pilotlight_testkit::webhook_receiver::{ReceivedRequest, Reply, WebhookReceiver};
use serde_json::{Value, json};

const SECRET: &str = "what signs webhooks";
/// Within an address of a webhook, where some receivers want it.
const IN_URL: &str = "token-within-the-address";

for_each_store! {
    only_configured_events_are_sent_and_each_is_signed
    the_webhook_secret_is_never_shown
    an_unacknowledged_webhook_is_retried_and_delays_no_other
    a_hanging_target_uses_its_share_of_the_senders_and_no_more
    a_service_whose_webhook_target_was_just_removed_drops_nothing
    a_webhook_in_flight_when_the_process_is_killed_is_sent_by_the_next
    a_webhook_in_flight_when_the_process_exits_is_sent_by_the_next
    every_answered_submission_has_its_webhook_at_least_once
}

fn target(job_type: &str, hearer: &WebhookReceiver, more: &str) -> String {
    let url = hearer.url(&format!("/hook?token={IN_URL}"));
    format!("[jobs.types.{job_type}]\nwebhook_url = '{url}'\nwebhook_secret = '{SECRET}'\n{more}\n")
}

/// Executes the next job of the type, or fails at it.
fn execute(server: &TestServer, job_type: &str, end: &str) {
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    let job = runner.next_job(job_type, 10_000).expect("a job");
    let body = json!({ "output_data": { "secret": "result" }, "error_message": "no such file" });
    assert_eq!(runner.report(end, &job, body).status, 200);
}

/// Each telling as `event job type`, in order.
fn told(heard: &[ReceivedRequest]) -> Vec<(String, String, String)> {
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

fn deliveries(heard: &[ReceivedRequest]) -> HashSet<&str> {
    heard.iter().map(|heard| heard.header("x-pilotlight-delivery")).collect()
}

fn is_signed(heard: &ReceivedRequest) {
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

fn only_configured_events_are_sent_and_each_is_signed(store: &JobStore) {
    let (all, ends) =
        (WebhookReceiver::start(|_| Reply::Status(200)), WebhookReceiver::start(|_| Reply::Status(204)));
    let file = target("all", &all, "") + &target("ends", &ends, "webhook_events = 'completed'");
    let file = ConfigFile::new(&file);
    let server = store.serve(&[file.setting()]);
    let mut caller = ApiClient::at(server.address());
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
    wait_until("all are told", || all.received().len() >= 4 && !ends.received().is_empty());
    let mut expected = vec![
        event("job.completed", "all", "complete"),
        event("job.created", "all", "complete"),
        event("job.created", "all", "error"),
        event("job.failed", "all", "error"),
    ];
    expected.sort();
    assert_eq!(told(&all.received()), expected);
    assert_eq!(told(&ends.received()), [event("job.completed", "ends", "complete")]);
    all.received().iter().chain(&ends.received()).for_each(is_signed);
    assert_eq!(deliveries(&all.received()).len(), 4);
    // Those that nobody wants are not counted as heard.
    wait_until("it is counted", || server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 5.0);
    assert!((server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) - 5.0).abs() < 0.5);
}

fn the_webhook_secret_is_never_shown(store: &JobStore) {
    let hearer = WebhookReceiver::start(|_| Reply::Status(500));
    let file = ConfigFile::new(&target("secret", &hearer, ""));
    let server = store.serve(&[file.setting(), ("PILOTLIGHT_LOG_LEVEL", "debug")]);
    let mut caller = ApiClient::at(server.address());
    let job = caller.submit("secret", &json!({ "is": "input-of-a-job" }));
    execute(&server, "secret", "complete");
    wait_until("it was in vain", || server.metric(r#"pilotlight_webhooks_total{outcome="failed"}"#) >= 2.0);
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
    let shown = pilotlight_command(&[file.setting()]).arg("config").output().expect("our own binary");
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("webhook_secret") && !shown.contains(SECRET), "{shown}");
}

fn an_unacknowledged_webhook_is_retried_and_delays_no_other(store: &JobStore) {
    let fails =
        WebhookReceiver::start(|number| if number == 0 { Reply::Status(500) } else { Reply::Status(200) });
    let leads =
        WebhookReceiver::start(|number| if number == 0 { Reply::Redirect } else { Reply::Status(200) });
    let hangs = WebhookReceiver::start(|number| if number < 2 { Reply::Never } else { Reply::Status(200) });
    let prompt = WebhookReceiver::start(|_| Reply::Status(200));
    let mut refuses = WebhookReceiver::not_listening(|_| Reply::Status(200));
    let targets =
        [("fails", &fails), ("leads", &leads), ("refuses", &refuses), ("hangs", &hangs), ("prompt", &prompt)];
    let file: String = targets
        .iter()
        .map(|(job_type, hearer)| target(job_type, hearer, "webhook_events = 'created'"))
        .collect();
    let file = ConfigFile::new(&file);
    let server = store.serve(&[file.setting()]);
    let mut caller = ApiClient::at(server.address());
    for job_type in ["hangs", "fails", "leads", "refuses"] {
        caller.submit(job_type, &json!({ "number": 1 }));
    }
    caller.submit("hangs", &json!({ "number": 2 }));
    wait_until("two of them hang", || hangs.received().len() == 2);
    let began = Instant::now();
    caller.submit("prompt", &json!({}));
    wait_until("another is told", || !prompt.received().is_empty());
    assert!(began.elapsed() < WEBHOOK_TIMEOUT / 2, "it waited for those that hang: {:?}", began.elapsed());
    wait_until("three were in vain", || {
        server.metric(r#"pilotlight_webhooks_total{outcome="failed"}"#) >= 3.0
    });
    refuses.listen();
    for (hearer, tries) in [(&fails, 2), (&leads, 2), (&refuses, 1), (&hangs, 4)] {
        wait_until("it is told again", || hearer.received().len() == tries);
        let heard = hearer.received();
        assert_eq!(deliveries(&heard).len(), tries.div_ceil(2), "a telling keeps its name: {heard:?}");
        heard.iter().for_each(is_signed);
    }
    let heard = fails.received();
    let at = |heard: &ReceivedRequest| heard.header("x-pilotlight-timestamp").parse::<u64>().expect("a time");
    assert_eq!(heard[0].body, heard[1].body);
    let pause = Duration::from_millis(at(&heard[1]) - at(&heard[0]));
    assert!(pause >= WEBHOOK_FIRST_BACKOFF && pause < WEBHOOK_FIRST_BACKOFF * 3, "{pause:?}");
    wait_until("all are heard", || server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 6.0);
    assert_eq!(
        (fails.received().len(), leads.received().len(), prompt.received().len()),
        (2, 2, 1),
        "and then no more"
    );
}

fn a_hanging_target_uses_its_share_of_the_senders_and_no_more(store: &JobStore) {
    let hangs = WebhookReceiver::start(|_| Reply::Never);
    let prompt = WebhookReceiver::start(|_| Reply::Status(200));
    let file = target("hangs", &hangs, "webhook_events = 'created'")
        + &target("prompt", &prompt, "webhook_events = 'created'");
    let file = ConfigFile::new(&file);
    let server = store.serve(&[file.setting()]);
    let mut caller = ApiClient::at(server.address());
    for number in 0..MAX_WEBHOOKS_PER_TYPE * 6 {
        caller.submit("hangs", &json!({ "number": number }));
    }
    wait_until("its share is on its way", || hangs.received().len() == MAX_WEBHOOKS_PER_TYPE);
    let began = Instant::now();
    for number in 0..MAX_WEBHOOKS_PER_TYPE * 6 {
        caller.submit("prompt", &json!({ "number": number }));
    }
    wait_until("the others are told", || prompt.received().len() == MAX_WEBHOOKS_PER_TYPE * 6);
    assert!(began.elapsed() < WEBHOOK_TIMEOUT / 2, "they waited for those that hang: {:?}", began.elapsed());
    assert_eq!(hangs.received().len(), MAX_WEBHOOKS_PER_TYPE, "no more than its share");
}

/// However old it is: whoever starts without a type may have mistyped it, or begin before the others do. What is dropped
/// after ten minutes of it, the store's own suite has.
fn a_service_whose_webhook_target_was_just_removed_drops_nothing(store: &JobStore) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    let long_ago = Timestamp::from_millis(now.as_millis() as u64).before(MAX_UNCONFIGURED_WEBHOOK_AGE * 2);
    store.open("gone", async |store| {
        store.submit(new_of("gone", 1, long_ago), long_ago).await.expect("it is taken");
    });
    let server = store.serve(&[]);
    ApiClient::at(server.address()).submit("other", &json!({}));
    assert_eq!(server.metric(r#"pilotlight_webhooks_total{outcome="dropped"}"#), 0.0);
    drop(server);
    let hearer = WebhookReceiver::start(|_| Reply::Status(200));
    let file = ConfigFile::new(&target("gone", &hearer, ""));
    let server = store.serve(&[file.setting()]);
    wait_until("it is told", || server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 1.0);
    assert_eq!(hearer.received()[0].json()["at"], long_ago.as_millis());
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

fn a_webhook_in_flight_when_the_process_is_killed_is_sent_by_the_next(store: &JobStore) {
    is_told_by_the_next_after("KILL", store);
}

fn a_webhook_in_flight_when_the_process_exits_is_sent_by_the_next(store: &JobStore) {
    is_told_by_the_next_after("TERM", store);
}

fn is_told_by_the_next_after(signal: &str, store: &JobStore) {
    let fails =
        WebhookReceiver::start(|number| if number == 0 { Reply::Status(503) } else { Reply::Status(200) });
    let hangs = WebhookReceiver::start(|number| if number == 0 { Reply::Never } else { Reply::Status(200) });
    let file = ConfigFile::new(&(target("fails", &fails, "") + &target("hangs", &hangs, "")));
    let mut server = store.serve(&[file.setting()]);
    for job_type in ["fails", "hangs"] {
        ApiClient::at(server.address()).submit(job_type, &json!({ "before": signal }));
    }
    wait_until("they are on their way", || fails.received().len() == 1 && hangs.received().len() == 1);
    server.signal(signal);
    server.wait_for_exit();
    drop(server);
    let began = Instant::now();
    let _server = store.serve(&[file.setting()]);
    for hearer in [&fails, &hangs] {
        wait_until("it is told again", || hearer.received().len() == 2);
        assert_eq!(deliveries(&hearer.received()).len(), 1, "it keeps its name");
    }
    assert!(began.elapsed() < WEBHOOK_LEASE * 2, "{:?}", began.elapsed());
}

fn every_answered_submission_has_its_webhook_at_least_once(store: &JobStore) {
    const KILLS: usize = 8;
    let hearer = WebhookReceiver::start(|_| Reply::Status(200));
    let file = ConfigFile::new(&target("killed", &hearer, "webhook_events = 'created'"));
    let mut submitted = HashSet::new();
    for kill in 0..KILLS {
        submitted.extend(submit_until_killed(&store.serve(&[file.setting()]), kill));
    }
    let _server = store.serve(&[file.setting()]);
    assert!(submitted.len() > KILLS, "too few to tell anything: {}", submitted.len());
    let all_told = || {
        let told: HashSet<_> = told(&hearer.received()).into_iter().map(|(_, job, _)| job).collect();
        submitted.is_subset(&told)
    };
    wait_until("all are told", all_told);
    println!("{KILLS} kills, {} submissions answered, {} tellings", submitted.len(), hearer.received().len());
}

/// Submits job after job while the service is killed; those that were answered.
fn submit_until_killed(server: &TestServer, kill: usize) -> Vec<String> {
    let mut caller = ApiClient::on(Connection::open(server.address()));
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            // For so long it takes submissions before it is killed.
            pause(Duration::from_millis(150));
            server.signal("KILL");
        });
        let mut answered = Vec::new();
        for number in 0.. {
            let input = json!({ "kill": kill, "number": number });
            let body = json!({ "job_type": "killed", "input_params": input }).to_string();
            let Ok(answer) = caller.try_request("POST", "/api/jobs/submit", body.as_bytes()) else { break };
            answered.push(answer.json()["job_id"].as_str().expect("an id").to_owned());
        }
        killer.join().expect("it was killed");
        answered
    })
}
