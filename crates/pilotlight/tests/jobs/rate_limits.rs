//! Who asks too often is told when to ask again; who only waits for a job is not.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::http::Response;
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::pause;
use serde_json::json;

/// With several keys for each scope, and whoever is on this machine may speak for others.
const KEYS: [(&str, &str); 4] = [
    ("SUBMIT_API_KEY", "submit-old,submit-new"),
    ("RUNNER_API_KEY", "runner-old,runner-new"),
    ("ADMIN_API_KEY", "admin-old,admin-new"),
    ("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "127.0.0.1/32"),
];

const UNKNOWN: &str = "/api/jobs/0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

/// Somebody at this address, behind a proxy, with this key.
fn from(server: &TestServer, address: &str, key: &str) -> ApiClient {
    ApiClient::at(server.address()).with_key(key).with_header("x-forwarded-for", address)
}

/// Asks until it is told that this is too often; how often it was answered before.
fn until_refused(mut ask: impl FnMut() -> Response) -> (usize, Response) {
    for times in 0..1000 {
        let answer = ask();
        if answer.status == 429 {
            return (times, answer);
        }
        assert!(answer.status < 429, "{answer:?}");
    }
    panic!("asked a thousand times");
}

/// How long to wait, as the answer says it in both ways.
fn wait_told(refused: &Response) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
    assert!(refused.error_text().contains("too many requests"));
    let seconds: u64 = refused.header("retry-after").expect("it says when").parse().expect("whole seconds");
    let told = refused.json();
    let names: Vec<_> = told.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["error", "resetTime"]);
    let at = u128::from(told["resetTime"].as_u64().expect("a time"));
    let until = at.saturating_sub(now);
    assert!(seconds >= 1 && until <= u128::from(seconds) * 1000 + 1, "{seconds} s, and {until} ms: {told}");
    Duration::from_secs(seconds)
}

#[test]
fn each_key_has_a_rate_per_minute_for_each_kind_of_request() {
    const RATE: usize = 60;
    let settings = [&KEYS[..], &[("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "60")]].concat();
    let server = JobStore::sqlite().serve(&settings);
    let began = Instant::now();
    let mut number = 0;
    let (times, refused) = until_refused(|| {
        number += 1;
        from(&server, &format!("198.51.100.{}", number % 250), "submit-old").get(UNKNOWN)
    });
    // One more is earned each second.
    let earned = usize::try_from(began.elapsed().as_secs()).expect("a short time") + 1;
    assert!((RATE..=RATE + earned).contains(&times), "{times}");
    let retry_after = wait_told(&refused);

    // Another kind, another key, another scope, and this machine by itself are counted for themselves.
    let check = json!({ "job_type": "often", "input_params": {} });
    assert_eq!(from(&server, "198.51.100.1", "submit-old").post("/api/jobs/check", &check).status, 200);
    assert_eq!(from(&server, "198.51.100.1", "submit-new").get(UNKNOWN).status, 404);
    assert_eq!(from(&server, "198.51.100.1", "admin-old").get("/api/admin/stats").status, 200);

    // The subject: the client is served again after exactly the time that it was told.
    pause(retry_after);
    assert_eq!(from(&server, "198.51.100.1", "submit-old").get(UNKNOWN).status, 404, "it was told this time");
}

#[test]
fn this_machine_is_exempt_where_it_speaks_for_itself() {
    let rate = ("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "5");
    for keys in [&[][..], &KEYS[..3]] {
        let server = JobStore::sqlite().serve(&[keys, &[rate]].concat());
        let mut caller = ApiClient::at(server.address());
        if !keys.is_empty() {
            caller = caller.with_key("submit-old");
        }
        for _ in 0..50 {
            assert_eq!(caller.get(UNKNOWN).status, 404);
        }
    }
}

#[test]
fn an_unknown_key_does_not_count_against_the_rate_of_known_keys() {
    let settings = [&KEYS[..], &[("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "5")]].concat();
    let server = JobStore::sqlite().serve(&settings);
    for number in 0..50 {
        let key = format!("guess-{}", number % 2);
        assert_eq!(from(&server, "198.51.100.1", &key).get(UNKNOWN).status, 401, "it is refused as before");
    }
    assert_eq!(from(&server, "198.51.100.1", "submit-old").get(UNKNOWN).status, 404);
}

#[test]
fn a_runner_that_waits_for_a_job_is_never_told_to_wait() {
    for more in [("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "5"), ("PILOTLIGHT_JOBS_PRESET", "runpack")] {
        let server = JobStore::sqlite().serve(&[&KEYS[..], &[more]].concat());
        let mut runner = from(&server, "198.51.100.1", "runner-old").as_runner("runner-1");
        for _ in 0..200 {
            assert_eq!(runner.next_job("often", 0), None);
        }
    }
}

#[test]
fn the_preset_counts_as_the_original_does_on_this_machine_too() {
    let store = JobStore::sqlite();
    let server = store.serve(&[&KEYS[..], &[("PILOTLIGHT_JOBS_PRESET", "runpack")]].concat());
    let mut number = 0;
    let mut body = || {
        number += 1;
        json!({ "job_type": "often", "input_params": { "number": number } })
    };
    // What is counted is given back evenly: one of ten each six seconds.
    let mut submit = |party: &mut ApiClient| until_refused(|| party.post("/api/jobs/submit", &body()));
    let mut here = ApiClient::at(server.address()).with_key("submit-old");
    let (times, refused) = submit(&mut here);
    assert!((10..=12).contains(&times), "{times}");
    assert!(wait_told(&refused) <= Duration::from_secs(6));
    // By address, whatever the key; another address is another caller.
    let mut other_key = ApiClient::at(server.address()).with_key("submit-new");
    let (times, _) = submit(&mut other_key);
    assert!(times <= 2, "{times}");
    let (times, _) = submit(&mut from(&server, "198.51.100.1", "submit-old"));
    assert!((10..=12).contains(&times), "{times}");

    let (times, _) = until_refused(|| here.post("/api/jobs/check", &body()));
    assert!((10..=12).contains(&times), "{times}");
    let (times, _) = until_refused(|| here.get(UNKNOWN));
    assert!((60..=80).contains(&times), "{times}");

    // Runners by their names, each kind for itself.
    let runner = |name| ApiClient::at(server.address()).with_key("runner-old").as_runner(name);
    let heartbeat = UNKNOWN.replace("/jobs/", "/runner/jobs/") + "/heartbeat";
    let mut first = runner("first");
    let (times, _) = until_refused(|| first.get("/api/runner/jobs/available?types[]=often"));
    assert!((120..=160).contains(&times), "{times}");
    let (times, refused) = until_refused(|| first.post(&heartbeat, &json!({})));
    assert!((120..=160).contains(&times), "{times}");
    wait_told(&refused);
    let mut second = runner("second");
    assert_eq!(second.get("/api/runner/jobs/available?types[]=often").status, 200);
    assert_eq!(second.post(&heartbeat, &json!({})).status, 400);
    // What ends a job is not counted.
    let complete = heartbeat.replace("heartbeat", "complete");
    for _ in 0..200 {
        assert_eq!(second.post(&complete, &json!({ "output_data": {} })).status, 400);
    }
}

#[test]
fn keys_are_changed_one_after_the_other() {
    let store = JobStore::sqlite();
    let ask = |server: &TestServer, key: &str| {
        let ask = |scope: &str, path: &str| {
            let key = format!("{scope}-{key}");
            ApiClient::at(server.address()).with_key(&key).as_runner("runner-1").get(path).status
        };
        [
            ask("submit", UNKNOWN),
            ask("runner", "/api/runner/jobs/available"),
            ask("admin", "/api/admin/stats"),
        ]
    };
    let server = store.serve(&KEYS);
    assert_eq!([ask(&server, "old"), ask(&server, "new")], [[404, 200, 200]; 2]);
    drop(server);
    let only_new = ["SUBMIT", "RUNNER", "ADMIN"]
        .map(|scope| (format!("{scope}_API_KEY"), format!("{}-new", scope.to_ascii_lowercase())));
    let only_new: Vec<_> = only_new.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
    let server = store.serve(&only_new);
    assert_eq!([ask(&server, "old"), ask(&server, "new")], [[401; 3], [404, 200, 200]]);
}
