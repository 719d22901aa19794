//! Rate limits: a client over its limit gets 429 with the time of its next allowed request. Polls for the next job are
//! not limited.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::http::Response;
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::pause;
use serde_json::json;

/// Several keys for each scope, and this machine as a trusted proxy, so that tests choose the client's address.
const KEYS: [(&str, &str); 4] = [
    ("SUBMIT_API_KEY", "submit-old,submit-new"),
    ("RUNNER_API_KEY", "runner-old,runner-new"),
    ("ADMIN_API_KEY", "admin-old,admin-new"),
    ("PILOTLIGHT_SERVER_TRUSTED_PROXIES", "127.0.0.1/32"),
];

const UNKNOWN_JOB: &str = "/api/jobs/0192f0c1-5a3e-7b1c-9d2e-4f5a6b7c8d9e";

/// A client at this address, behind a proxy, with this key.
fn client_behind_proxy(server: &TestServer, address: &str, key: &str) -> ApiClient {
    ApiClient::at(server.address()).with_key(key).with_header("x-forwarded-for", address)
}

/// Sends requests until one is refused with 429; returns the count of those before it, and the refusal.
fn until_refused(mut request: impl FnMut() -> Response) -> (usize, Response) {
    for count in 0..1000 {
        let response = request();
        if response.status == 429 {
            return (count, response);
        }
        assert!(response.status < 429, "{response:?}");
    }
    panic!("none of 1000 requests was refused");
}

/// The time to wait before the next request, from `retry-after`. Asserts that `resetTime` in the body agrees with it.
fn retry_after_of(refused: &Response) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970").as_millis();
    assert!(refused.error_text().contains("too many requests"));
    let seconds: u64 =
        refused.header("retry-after").expect("a retry-after header").parse().expect("whole seconds");
    let body = refused.json();
    let names: Vec<_> = body.as_object().expect("an object").keys().collect();
    assert_eq!(names, ["error", "resetTime"]);
    let reset_at = u128::from(body["resetTime"].as_u64().expect("a time"));
    let until = reset_at.saturating_sub(now);
    assert!(seconds >= 1 && until <= u128::from(seconds) * 1000 + 1, "{seconds} s, and {until} ms: {body}");
    Duration::from_secs(seconds)
}

#[test]
fn each_key_has_a_rate_per_minute_for_each_kind_of_request() {
    const RATE: usize = 60;
    let settings = [&KEYS[..], &[("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "60")]].concat();
    let server = JobStore::sqlite().serve(&settings);
    let started = Instant::now();
    let mut counter = 0;
    let (count, refused) = until_refused(|| {
        counter += 1;
        client_behind_proxy(&server, &format!("198.51.100.{}", counter % 250), "submit-old").get(UNKNOWN_JOB)
    });
    // One more request is allowed each second.
    let more = usize::try_from(started.elapsed().as_secs()).expect("a short time") + 1;
    assert!((RATE..=RATE + more).contains(&count), "{count}");
    let retry_after = retry_after_of(&refused);

    // Requests of another kind, with another key, or in another scope have their own limit.
    let check = json!({ "job_type": "often", "input_params": {} });
    assert_eq!(
        client_behind_proxy(&server, "198.51.100.1", "submit-old").post("/api/jobs/check", &check).status,
        200
    );
    assert_eq!(client_behind_proxy(&server, "198.51.100.1", "submit-new").get(UNKNOWN_JOB).status, 404);
    assert_eq!(client_behind_proxy(&server, "198.51.100.1", "admin-old").get("/api/admin/stats").status, 200);

    // The wait is what this test is about: the client is served again after exactly the time in `retry-after`.
    pause(retry_after);
    assert_eq!(
        client_behind_proxy(&server, "198.51.100.1", "submit-old").get(UNKNOWN_JOB).status,
        404,
        "the limit has been reset"
    );
}

#[test]
fn requests_from_this_machine_are_not_limited_when_it_is_not_a_proxy() {
    let rate = ("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "5");
    for keys in [&[][..], &KEYS[..3]] {
        let server = JobStore::sqlite().serve(&[keys, &[rate]].concat());
        let mut caller = ApiClient::at(server.address());
        if !keys.is_empty() {
            caller = caller.with_key("submit-old");
        }
        for _ in 0..50 {
            assert_eq!(caller.get(UNKNOWN_JOB).status, 404);
        }
    }
}

#[test]
fn an_unknown_key_does_not_count_against_the_rate_of_known_keys() {
    let settings = [&KEYS[..], &[("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "5")]].concat();
    let server = JobStore::sqlite().serve(&settings);
    for counter in 0..50 {
        let key = format!("guess-{}", counter % 2);
        assert_eq!(
            client_behind_proxy(&server, "198.51.100.1", &key).get(UNKNOWN_JOB).status,
            401,
            "an unknown key is refused, not limited"
        );
    }
    assert_eq!(client_behind_proxy(&server, "198.51.100.1", "submit-old").get(UNKNOWN_JOB).status, 404);
}

#[test]
fn polls_for_the_next_job_are_not_limited() {
    for more in [("PILOTLIGHT_JOBS_LIMITS_REQUESTS_PER_MINUTE", "5"), ("PILOTLIGHT_JOBS_PRESET", "runpack")] {
        let server = JobStore::sqlite().serve(&[&KEYS[..], &[more]].concat());
        let mut runner = client_behind_proxy(&server, "198.51.100.1", "runner-old").as_runner("runner-1");
        for _ in 0..200 {
            assert_eq!(runner.next_job("often", 0), None);
        }
    }
}

#[test]
fn the_preset_runpack_limits_by_address_and_runner_also_on_this_machine() {
    let store = JobStore::sqlite();
    let server = store.serve(&[&KEYS[..], &[("PILOTLIGHT_JOBS_PRESET", "runpack")]].concat());
    let mut counter = 0;
    let mut body = || {
        counter += 1;
        json!({ "job_type": "often", "input_params": { "number": counter } })
    };
    // A limit of ten per minute allows one more request every six seconds.
    let mut submit = |client: &mut ApiClient| until_refused(|| client.post("/api/jobs/submit", &body()));
    let mut local = ApiClient::at(server.address()).with_key("submit-old");
    let (count, refused) = submit(&mut local);
    assert!((10..=12).contains(&count), "{count}");
    assert!(retry_after_of(&refused) <= Duration::from_secs(6));
    // Submissions are limited by address: another key shares the limit, another address does not.
    let mut other_key = ApiClient::at(server.address()).with_key("submit-new");
    let (count, _) = submit(&mut other_key);
    assert!(count <= 2, "{count}");
    let (count, _) = submit(&mut client_behind_proxy(&server, "198.51.100.1", "submit-old"));
    assert!((10..=12).contains(&count), "{count}");

    let (count, _) = until_refused(|| local.post("/api/jobs/check", &body()));
    assert!((10..=12).contains(&count), "{count}");
    let (count, _) = until_refused(|| local.get(UNKNOWN_JOB));
    assert!((60..=80).contains(&count), "{count}");

    // Runner requests are limited by runner id and kind of request.
    let runner = |name| ApiClient::at(server.address()).with_key("runner-old").as_runner(name);
    let heartbeat = UNKNOWN_JOB.replace("/jobs/", "/runner/jobs/") + "/heartbeat";
    let mut first = runner("first");
    let (count, _) = until_refused(|| first.get("/api/runner/jobs/available?types[]=often"));
    assert!((120..=160).contains(&count), "{count}");
    let (count, refused) = until_refused(|| first.post(&heartbeat, &json!({})));
    assert!((120..=160).contains(&count), "{count}");
    retry_after_of(&refused);
    let mut second = runner("second");
    assert_eq!(second.get("/api/runner/jobs/available?types[]=often").status, 200);
    assert_eq!(second.post(&heartbeat, &json!({})).status, 400);
    // Requests that end a job are not limited.
    let complete = heartbeat.replace("heartbeat", "complete");
    for _ in 0..200 {
        assert_eq!(second.post(&complete, &json!({ "output_data": {} })).status, 400);
    }
}

#[test]
fn two_keys_of_a_scope_are_valid_until_one_is_removed() {
    let store = JobStore::sqlite();
    let statuses_with = |server: &TestServer, key: &str| {
        let status_of = |scope: &str, path: &str| {
            let key = format!("{scope}-{key}");
            ApiClient::at(server.address()).with_key(&key).as_runner("runner-1").get(path).status
        };
        [
            status_of("submit", UNKNOWN_JOB),
            status_of("runner", "/api/runner/jobs/available"),
            status_of("admin", "/api/admin/stats"),
        ]
    };
    let server = store.serve(&KEYS);
    assert_eq!([statuses_with(&server, "old"), statuses_with(&server, "new")], [[404, 200, 200]; 2]);
    drop(server);
    let only_new = ["SUBMIT", "RUNNER", "ADMIN"]
        .map(|scope| (format!("{scope}_API_KEY"), format!("{}-new", scope.to_ascii_lowercase())));
    let only_new: Vec<_> = only_new.iter().map(|(name, key)| (name.as_str(), key.as_str())).collect();
    let server = store.serve(&only_new);
    assert_eq!([statuses_with(&server, "old"), statuses_with(&server, "new")], [[401; 3], [404, 200, 200]]);
}
