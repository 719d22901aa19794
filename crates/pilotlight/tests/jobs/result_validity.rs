//! Background validation of results: a result expires at the time that it contains (`check_time`), or when its URL is
//! not valid (`check_url`).

use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::config_file::ConfigFile;
use pilotlight_testkit::job_store::{JobStore, for_each_store};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{pause, wait_until};
use serde_json::{Value, json};

for_each_store! {
    a_result_expires_at_the_time_that_it_contains
    a_result_url_of_this_machine_is_never_requested
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    u64::try_from(now.as_millis()).expect("milliseconds since 1970 fit in 64 bits")
}

/// Submits a job and executes it with this output; returns its id.
fn submit_and_execute(server: &TestServer, job_type: &str, output: &Value) -> String {
    let input = json!({ "with": output });
    let submitted = ApiClient::at(server.address()).submit(job_type, &input);
    ApiClient::at(server.address()).as_runner("runner-1").execute(job_type, output);
    submitted["job_id"].as_str().expect("an id").to_owned()
}

fn status(server: &TestServer, job: &str) -> String {
    let job = ApiClient::at(server.address()).job(job);
    assert_eq!(job["status"] == "completed", job["result"].is_object(), "{job}");
    job["status"].as_str().expect("a status").to_owned()
}

/// Submits a job with the same parameters again; returns status and body of the response.
fn submit_again(server: &TestServer, job_type: &str, output: &Value) -> (u16, Value) {
    ApiClient::at(server.address()).submit_with(job_type, &json!({ "with": output }), &json!({}))
}

fn a_result_expires_at_the_time_that_it_contains(store: &JobStore) {
    let config = ConfigFile::new("[jobs.types.timed]\ncheck_time = '/is/0/valid_until'\n");
    let server = store.serve(&[config.setting()]);
    let until = now_ms() + 3000;
    let output_with = |until: Value| json!({ "is": [{ "valid_until": until }] });
    let short = submit_and_execute(&server, "timed", &output_with(until.into()));
    let long = submit_and_execute(&server, "timed", &output_with((until + 3_600_000).into()));
    let past = submit_and_execute(&server, "timed", &output_with(1.into()));
    let without_time = submit_and_execute(&server, "timed", &json!({ "is": [] }));
    let other = submit_and_execute(&server, "other", &output_with(1.into()));
    for job in [&past, &without_time] {
        wait_until("a result without a valid time expires", || status(&server, job) == "expired");
    }
    assert_eq!(status(&server, &short), "completed", "its time is in the future");
    assert_eq!(submit_again(&server, "timed", &output_with(until.into())).0, 200);
    wait_until("the result expires at its time", || status(&server, &short) == "expired");
    let late = now_ms().saturating_sub(until);
    assert!(now_ms() >= until && late < 5000, "expired {late} ms after its time");
    for job in [&long, &other] {
        assert_eq!(status(&server, job), "completed");
    }
    assert!(server.metric(r#"pilotlight_jobs_ended_total{outcome="expired"}"#) >= 3.0);

    // An expired result stays expired after a restart, and its job is computed again when it is submitted.
    drop(server);
    let server = store.serve(&[config.setting()]);
    assert_eq!(status(&server, &short), "expired");
    let (code, submitted) = submit_again(&server, "timed", &output_with(until.into()));
    assert_eq!((code, &submitted["status"]), (201, &json!("pending")));
    assert_ne!(submitted["job_id"], short.as_str());
    assert_eq!(submit_again(&server, "timed", &output_with((until + 3_600_000).into())).0, 200);
}

fn a_result_url_of_this_machine_is_never_requested(store: &JobStore) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("an open socket");
    let port = listener.local_addr().expect("a bound socket").port();
    let config =
        ConfigFile::new("[jobs.types.linked]\ncheck_url = '/url'\ncheck_hosts = 'localhost,127.0.0.1,::1'\n");
    let server = store.serve(&[config.setting()]);
    let allowed = ["localhost", "LOCALHOST", "127.0.0.1", "2130706433", "0x7f.1", "[::1]"];
    let local_url_jobs: Vec<_> = allowed
        .iter()
        .map(|host| {
            submit_and_execute(&server, "linked", &json!({ "url": format!("http://{host}:{port}/file") }))
        })
        .collect();
    let mut refused = [
        format!("http://localhost.:{port}/"),
        format!("http://localhost.example:{port}/"),
        format!("http://localhost@elsewhere.example:{port}/"),
        format!("http://user:secret@localhost:{port}/"),
        format!("http://[::ffff:127.0.0.1]:{port}/"),
        format!("http://0.0.0.0:{port}/"),
        format!("ftp://localhost:{port}/"),
        "file:///etc/hosts".to_owned(),
        "no address".to_owned(),
        String::new(),
    ]
    .map(Value::from)
    .to_vec();
    refused.extend([json!(1), json!(["http://localhost/"]), Value::Null]);
    let jobs = refused.iter().map(|url| (url, submit_and_execute(&server, "linked", &json!({ "url": url }))));
    for (url, job) in jobs.collect::<Vec<_>>() {
        wait_until(&format!("the result with the invalid URL {url} expires"), || {
            status(&server, &job) == "expired"
        });
    }
    // These were checked before the others: their hosts are allowed, but a service never connects to its own machine,
    // so the check has no outcome and the results stay valid.
    for job in &local_url_jobs {
        assert_eq!(status(&server, job), "completed");
    }
    // No event marks that nothing happens. A connection under way would arrive within this time.
    pause(Duration::from_millis(100));
    let accepted = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(accepted, Err(ErrorKind::WouldBlock), "the service connected to this machine");
}
