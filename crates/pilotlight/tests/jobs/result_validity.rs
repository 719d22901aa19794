//! Results that are looked at in the background, as their types say.

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
    a_result_expires_when_the_time_in_it_comes
    a_result_url_of_this_machine_is_never_requested
}

fn now_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970");
    u64::try_from(now.as_millis()).expect("it fits for a while")
}

/// Submits a job and executes it with this output; its id.
fn executed(server: &TestServer, job_type: &str, output: &Value) -> String {
    let input = json!({ "with": output });
    let submitted = ApiClient::at(server.address()).submit(job_type, &input);
    ApiClient::at(server.address()).as_runner("runner-1").execute(job_type, output);
    submitted["job_id"].as_str().expect("an id").to_owned()
}

fn status(server: &TestServer, job: &str) -> String {
    let told = ApiClient::at(server.address()).job(job);
    assert_eq!(told["status"] == "completed", told["result"].is_object(), "{told}");
    told["status"].as_str().expect("a status").to_owned()
}

/// What submitting it again is answered.
fn again(server: &TestServer, job_type: &str, output: &Value) -> (u16, Value) {
    ApiClient::at(server.address()).submit_with(job_type, &json!({ "with": output }), &json!({}))
}

fn a_result_expires_when_the_time_in_it_comes(store: &JobStore) {
    let file = ConfigFile::new("[jobs.types.timed]\ncheck_time = '/is/0/valid_until'\n");
    let server = store.serve(&[file.setting()]);
    let until = now_ms() + 3000;
    let with = |until: Value| json!({ "is": [{ "valid_until": until }] });
    let short = executed(&server, "timed", &with(until.into()));
    let long = executed(&server, "timed", &with((until + 3_600_000).into()));
    let past = executed(&server, "timed", &with(1.into()));
    let without = executed(&server, "timed", &json!({ "is": [] }));
    let other = executed(&server, "other", &with(1.into()));
    for job in [&past, &without] {
        wait_until("it expires", || status(&server, job) == "expired");
    }
    assert_eq!(status(&server, &short), "completed", "its time has not come");
    assert_eq!(again(&server, "timed", &with(until.into())).0, 200);
    wait_until("it expires", || status(&server, &short) == "expired");
    let late = now_ms().saturating_sub(until);
    assert!(now_ms() >= until && late < 5000, "{late} ms after its time");
    for job in [&long, &other] {
        assert_eq!(status(&server, job), "completed");
    }
    assert!(server.metric(r#"pilotlight_jobs_ended_total{outcome="expired"}"#) >= 3.0);

    // What expired is computed again at once, and stays expired over a restart.
    drop(server);
    let server = store.serve(&[file.setting()]);
    assert_eq!(status(&server, &short), "expired");
    let (code, told) = again(&server, "timed", &with(until.into()));
    assert_eq!((code, &told["status"]), (201, &json!("pending")));
    assert_ne!(told["job_id"], short.as_str());
    assert_eq!(again(&server, "timed", &with((until + 3_600_000).into())).0, 200);
}

fn a_result_url_of_this_machine_is_never_requested(store: &JobStore) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("an open socket");
    let port = listener.local_addr().expect("it is bound").port();
    let file =
        ConfigFile::new("[jobs.types.linked]\ncheck_url = '/url'\ncheck_hosts = 'localhost,127.0.0.1,::1'\n");
    let server = store.serve(&[file.setting()]);
    let allowed = ["localhost", "LOCALHOST", "127.0.0.1", "2130706433", "0x7f.1", "[::1]"];
    let unknown: Vec<_> = allowed
        .iter()
        .map(|host| executed(&server, "linked", &json!({ "url": format!("http://{host}:{port}/file") })))
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
    let jobs = refused.iter().map(|url| (url, executed(&server, "linked", &json!({ "url": url }))));
    for (url, job) in jobs.collect::<Vec<_>>() {
        wait_until(&format!("{url} is no valid one"), || status(&server, &job) == "expired");
    }
    // They were looked at before all these, and nothing came of it.
    for job in &unknown {
        assert_eq!(status(&server, job), "completed");
    }
    // Nothing shall happen, so there is no condition: a connection under way arrives within this time.
    pause(Duration::from_millis(100));
    let called = listener.accept().map(drop).map_err(|error| error.kind());
    assert_eq!(called, Err(ErrorKind::WouldBlock), "somebody called");
}
