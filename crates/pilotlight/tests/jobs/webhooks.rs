//! Webhooks: each is signed, retried until its target acknowledges it, and not lost when the process ends.

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
/// A secret within the URL of a webhook, as some receivers require it.
const URL_TOKEN: &str = "token-within-the-address";

for_each_store! {
    only_configured_events_are_sent_and_each_is_signed
    the_webhook_secret_is_never_shown
    an_unacknowledged_webhook_is_retried_and_delays_no_other
    a_hanging_target_uses_its_share_of_the_senders_and_no_more
    a_service_whose_webhook_target_was_just_removed_drops_nothing
    a_webhook_in_flight_when_the_process_is_killed_is_sent_by_the_next
    a_webhook_in_flight_when_the_process_exits_is_sent_by_the_next
    every_accepted_submission_is_sent_as_a_webhook_at_least_once
}

/// The configuration of a job type whose webhooks go to this receiver.
fn type_config(job_type: &str, receiver: &WebhookReceiver, extra_lines: &str) -> String {
    let url = receiver.url(&format!("/hook?token={URL_TOKEN}"));
    format!("[jobs.types.{job_type}]\nwebhook_url = '{url}'\nwebhook_secret = '{SECRET}'\n{extra_lines}\n")
}

/// Executes the next job of the type, and reports `complete` or `error`.
fn execute(server: &TestServer, job_type: &str, outcome: &str) {
    let mut runner = ApiClient::at(server.address()).as_runner("runner-1");
    let job = runner.next_job(job_type, 10_000).expect("a job");
    let body = json!({ "output_data": { "secret": "result" }, "error_message": "no such file" });
    assert_eq!(runner.report(outcome, &job, body).status, 200);
}

/// Event, job id and job type of each webhook, sorted.
fn sent_events(requests: &[ReceivedRequest]) -> Vec<(String, String, String)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let mut events: Vec<_> = requests
        .iter()
        .map(|request| {
            let body = request.json();
            (text(&body["event"]), text(&body["job_id"]), text(&body["job_type"]))
        })
        .collect();
    events.sort();
    events
}

fn delivery_ids(requests: &[ReceivedRequest]) -> HashSet<&str> {
    requests.iter().map(|request| request.header("x-pilotlight-delivery")).collect()
}

fn assert_signed(request: &ReceivedRequest) {
    assert_eq!(request.line, format!("POST /hook?token={URL_TOKEN}"));
    assert_eq!(request.header("content-type"), "application/json");
    let signed = format!("{}.{}", request.header("x-pilotlight-timestamp"), request.body);
    let signature = request
        .header("x-pilotlight-signature")
        .strip_prefix("sha256=")
        .expect("the prefix of the signature");
    let tag: Vec<u8> = (0..signature.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&signature[at..at + 2], 16).expect("hex"))
        .collect();
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    hmac::verify(&key, signed.as_bytes(), &tag).expect("the signature is right");
    let body = request.json();
    let names: BTreeSet<_> = body.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        names,
        BTreeSet::from(["at", "event", "job_id", "job_type"]),
        "the body has nothing of the job's parameters or result"
    );
}

fn only_configured_events_are_sent_and_each_is_signed(store: &JobStore) {
    let (all, ends) =
        (WebhookReceiver::start(|_| Reply::Status(200)), WebhookReceiver::start(|_| Reply::Status(204)));
    let file = type_config("all", &all, "") + &type_config("ends", &ends, "webhook_events = 'completed'");
    let file = ConfigFile::new(&file);
    let server = store.serve(&[file.setting()]);
    let mut caller = ApiClient::at(server.address());
    let mut jobs = BTreeMap::new();
    for (job_type, outcome) in
        [("all", "complete"), ("ends", "complete"), ("quiet", "complete"), ("all", "error")]
    {
        let submitted = caller.submit(job_type, &json!({ "end": outcome }));
        jobs.insert((job_type, outcome), submitted["job_id"].as_str().expect("an id").to_owned());
        execute(&server, job_type, outcome);
    }
    let event = |event: &str, job_type: &'static str, outcome| {
        (event.to_owned(), jobs[&(job_type, outcome)].clone(), job_type.to_owned())
    };
    wait_until("all webhooks are sent", || all.received().len() >= 4 && !ends.received().is_empty());
    let mut expected = vec![
        event("job.completed", "all", "complete"),
        event("job.created", "all", "complete"),
        event("job.created", "all", "error"),
        event("job.failed", "all", "error"),
    ];
    expected.sort();
    assert_eq!(sent_events(&all.received()), expected);
    assert_eq!(sent_events(&ends.received()), [event("job.completed", "ends", "complete")]);
    all.received().iter().chain(&ends.received()).for_each(assert_signed);
    assert_eq!(delivery_ids(&all.received()).len(), 4);
    // Webhooks are counted for configured events only.
    wait_until("the webhooks are counted", || {
        server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 5.0
    });
    assert!((server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) - 5.0).abs() < 0.5);
}

fn the_webhook_secret_is_never_shown(store: &JobStore) {
    let receiver = WebhookReceiver::start(|_| Reply::Status(500));
    let file = ConfigFile::new(&type_config("secret", &receiver, ""));
    let server = store.serve(&[file.setting(), ("PILOTLIGHT_LOG_LEVEL", "debug")]);
    let mut caller = ApiClient::at(server.address());
    let job = caller.submit("secret", &json!({ "is": "input-of-a-job" }));
    execute(&server, "secret", "complete");
    wait_until("two webhooks have failed", || {
        server.metric(r#"pilotlight_webhooks_total{outcome="failed"}"#) >= 2.0
    });
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
    let mut visible_texts: Vec<String> = paths.iter().map(|path| server.connect().get(path).text()).collect();
    visible_texts.push(server.log());
    for text in &visible_texts {
        assert!(!text.contains(SECRET) && !text.contains(URL_TOKEN), "{text}");
    }
    assert!(
        server.log().contains("500 Internal Server Error"),
        "the log has the reason of the failure: {}",
        server.log()
    );
    assert!(!server.log().contains("input-of-a-job"), "{}", server.log());
    let printed_config =
        pilotlight_command(&[file.setting()]).arg("config").output().expect("the pilotlight binary runs");
    let printed_config = String::from_utf8_lossy(&printed_config.stdout).into_owned();
    assert!(
        printed_config.contains("webhook_secret") && !printed_config.contains(SECRET),
        "{printed_config}"
    );
}

fn an_unacknowledged_webhook_is_retried_and_delays_no_other(store: &JobStore) {
    let fails =
        WebhookReceiver::start(|number| if number == 0 { Reply::Status(500) } else { Reply::Status(200) });
    let redirects =
        WebhookReceiver::start(|number| if number == 0 { Reply::Redirect } else { Reply::Status(200) });
    let hangs = WebhookReceiver::start(|number| if number < 2 { Reply::Never } else { Reply::Status(200) });
    let prompt = WebhookReceiver::start(|_| Reply::Status(200));
    let mut refuses = WebhookReceiver::not_listening(|_| Reply::Status(200));
    let targets = [
        ("fails", &fails),
        ("redirects", &redirects),
        ("refuses", &refuses),
        ("hangs", &hangs),
        ("prompt", &prompt),
    ];
    let file: String = targets
        .iter()
        .map(|(job_type, receiver)| type_config(job_type, receiver, "webhook_events = 'created'"))
        .collect();
    let file = ConfigFile::new(&file);
    let server = store.serve(&[file.setting()]);
    let mut caller = ApiClient::at(server.address());
    for job_type in ["hangs", "fails", "redirects", "refuses"] {
        caller.submit(job_type, &json!({ "number": 1 }));
    }
    caller.submit("hangs", &json!({ "number": 2 }));
    wait_until("two webhooks hang", || hangs.received().len() == 2);
    let started = Instant::now();
    caller.submit("prompt", &json!({}));
    wait_until("the webhook to another target is sent", || !prompt.received().is_empty());
    assert!(
        started.elapsed() < WEBHOOK_TIMEOUT / 2,
        "the webhook waited for the hanging ones: {:?}",
        started.elapsed()
    );
    wait_until("three webhooks have failed", || {
        server.metric(r#"pilotlight_webhooks_total{outcome="failed"}"#) >= 3.0
    });
    refuses.listen();
    for (receiver, attempts) in [(&fails, 2), (&redirects, 2), (&refuses, 1), (&hangs, 4)] {
        wait_until("the webhook is sent again", || receiver.received().len() == attempts);
        let requests = receiver.received();
        assert_eq!(
            delivery_ids(&requests).len(),
            attempts.div_ceil(2),
            "a retry has the same delivery id: {requests:?}"
        );
        requests.iter().for_each(assert_signed);
    }
    let requests = fails.received();
    let sent_at =
        |request: &ReceivedRequest| request.header("x-pilotlight-timestamp").parse::<u64>().expect("a time");
    assert_eq!(requests[0].body, requests[1].body);
    let pause = Duration::from_millis(sent_at(&requests[1]) - sent_at(&requests[0]));
    assert!(pause >= WEBHOOK_FIRST_BACKOFF && pause < WEBHOOK_FIRST_BACKOFF * 3, "{pause:?}");
    wait_until("all webhooks are acknowledged", || {
        server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 6.0
    });
    assert_eq!(
        (fails.received().len(), redirects.received().len(), prompt.received().len()),
        (2, 2, 1),
        "an acknowledged webhook is not sent again"
    );
}

fn a_hanging_target_uses_its_share_of_the_senders_and_no_more(store: &JobStore) {
    let hangs = WebhookReceiver::start(|_| Reply::Never);
    let prompt = WebhookReceiver::start(|_| Reply::Status(200));
    let file = type_config("hangs", &hangs, "webhook_events = 'created'")
        + &type_config("prompt", &prompt, "webhook_events = 'created'");
    let file = ConfigFile::new(&file);
    let server = store.serve(&[file.setting()]);
    let mut caller = ApiClient::at(server.address());
    for number in 0..MAX_WEBHOOKS_PER_TYPE * 6 {
        caller.submit("hangs", &json!({ "number": number }));
    }
    wait_until("the hanging target has its share of webhooks in flight", || {
        hangs.received().len() == MAX_WEBHOOKS_PER_TYPE
    });
    let started = Instant::now();
    for number in 0..MAX_WEBHOOKS_PER_TYPE * 6 {
        caller.submit("prompt", &json!({ "number": number }));
    }
    wait_until("all webhooks to the other target are sent", || {
        prompt.received().len() == MAX_WEBHOOKS_PER_TYPE * 6
    });
    assert!(
        started.elapsed() < WEBHOOK_TIMEOUT / 2,
        "the webhooks waited for the hanging ones: {:?}",
        started.elapsed()
    );
    assert_eq!(
        hangs.received().len(),
        MAX_WEBHOOKS_PER_TYPE,
        "the hanging target gets no more than its share"
    );
}

/// A webhook is not dropped at the start, however old it is: the service may have a mistyped configuration, or may have
/// started before the services that have the target. The tests of the store cover which webhooks are dropped after ten
/// minutes without the target.
fn a_service_whose_webhook_target_was_just_removed_drops_nothing(store: &JobStore) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    let long_ago = Timestamp::from_millis(now.as_millis() as u64).before(MAX_UNCONFIGURED_WEBHOOK_AGE * 2);
    store.open("removed", async |store| {
        store.submit(new_job("removed", 1, long_ago), long_ago).await.expect("the job is accepted");
    });
    let server = store.serve(&[]);
    ApiClient::at(server.address()).submit("other", &json!({}));
    assert_eq!(server.metric(r#"pilotlight_webhooks_total{outcome="dropped"}"#), 0.0);
    drop(server);
    let receiver = WebhookReceiver::start(|_| Reply::Status(200));
    let file = ConfigFile::new(&type_config("removed", &receiver, ""));
    let server = store.serve(&[file.setting()]);
    wait_until("the webhook is acknowledged", || {
        server.metric(r#"pilotlight_webhooks_total{outcome="heard"}"#) >= 1.0
    });
    assert_eq!(receiver.received()[0].json()["at"], long_ago.as_millis());
}

fn new_job(job_type: &str, number: u8, at: Timestamp) -> NewJob {
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
    assert_sent_after_restart("KILL", store);
}

fn a_webhook_in_flight_when_the_process_exits_is_sent_by_the_next(store: &JobStore) {
    assert_sent_after_restart("TERM", store);
}

fn assert_sent_after_restart(signal: &str, store: &JobStore) {
    let fails =
        WebhookReceiver::start(|number| if number == 0 { Reply::Status(503) } else { Reply::Status(200) });
    let hangs = WebhookReceiver::start(|number| if number == 0 { Reply::Never } else { Reply::Status(200) });
    let file = ConfigFile::new(&(type_config("fails", &fails, "") + &type_config("hangs", &hangs, "")));
    let mut server = store.serve(&[file.setting()]);
    for job_type in ["fails", "hangs"] {
        ApiClient::at(server.address()).submit(job_type, &json!({ "before": signal }));
    }
    wait_until("both webhooks are in flight", || fails.received().len() == 1 && hangs.received().len() == 1);
    server.signal(signal);
    server.wait_for_exit();
    drop(server);
    let started = Instant::now();
    let _server = store.serve(&[file.setting()]);
    for receiver in [&fails, &hangs] {
        wait_until("the webhook is sent again", || receiver.received().len() == 2);
        assert_eq!(delivery_ids(&receiver.received()).len(), 1, "a retry has the same delivery id");
    }
    assert!(started.elapsed() < WEBHOOK_LEASE * 2, "{:?}", started.elapsed());
}

fn every_accepted_submission_is_sent_as_a_webhook_at_least_once(store: &JobStore) {
    const KILLS: usize = 8;
    let receiver = WebhookReceiver::start(|_| Reply::Status(200));
    let file = ConfigFile::new(&type_config("killed", &receiver, "webhook_events = 'created'"));
    let mut submitted = HashSet::new();
    for kill in 0..KILLS {
        submitted.extend(submit_until_killed(&store.serve(&[file.setting()]), kill));
    }
    let _server = store.serve(&[file.setting()]);
    assert!(submitted.len() > KILLS, "too few submissions for a useful test: {}", submitted.len());
    let all_sent = || {
        let sent_jobs: HashSet<_> =
            sent_events(&receiver.received()).into_iter().map(|(_, job, _)| job).collect();
        submitted.is_subset(&sent_jobs)
    };
    wait_until("all accepted submissions are sent as webhooks", all_sent);
    println!(
        "{KILLS} kills, {} submissions accepted, {} webhooks received",
        submitted.len(),
        receiver.received().len()
    );
}

/// Submits jobs one after the other until the service is killed; returns the ids of those with a response.
fn submit_until_killed(server: &TestServer, kill: usize) -> Vec<String> {
    let mut caller = ApiClient::on(Connection::open(server.address()));
    std::thread::scope(|scope| {
        let killer = scope.spawn(|| {
            // The service accepts submissions for this time before it is killed.
            pause(Duration::from_millis(150));
            server.signal("KILL");
        });
        let mut accepted = Vec::new();
        for number in 0.. {
            let input = json!({ "kill": kill, "number": number });
            let body = json!({ "job_type": "killed", "input_params": input }).to_string();
            let Ok(response) = caller.try_request("POST", "/api/jobs/submit", body.as_bytes()) else { break };
            accepted.push(response.json()["job_id"].as_str().expect("an id").to_owned());
        }
        killer.join().expect("the service was killed");
        accepted
    })
}
