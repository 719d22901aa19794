//! A database that is unavailable for a while: callers get 503, jobs still exist afterwards, and the log has at most
//! one error per second.

use std::time::Instant;

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::need;
use pilotlight_testkit::postgres::PostgresCluster;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::wait_until;
use serde_json::json;

const CALLERS: usize = 20;
const CALLS: usize = 10;

#[test]
fn an_unreachable_database_is_logged_once_a_second_and_not_for_each_request() {
    need!("postgresql");
    let mut database = PostgresCluster::start();
    let url = database.database_over_tcp();
    let server = TestServer::with(&[("DATABASE_URL", &url)]);
    let submitted = ApiClient::at(server.address()).submit("outage", &json!({}));
    let path = format!("/api/jobs/{}", submitted["job_id"].as_str().expect("an id"));
    database.stop();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut caller = ApiClient::at(server.address());
                for _ in 0..CALLS {
                    assert_eq!(caller.get(&path).status, 503);
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    let log = server.log();
    let errors: Vec<_> = log.lines().filter(|line| line.contains("the store failed")).collect();
    assert!(!errors.is_empty() && errors.len() as f64 <= seconds + 1.0, "{} in {seconds} s", errors.len());
    assert!(errors.len() < CALLERS * CALLS / 4, "{} in {seconds} s", errors.len());
    database.restart();
    wait_until("the service reads the job again", || {
        ApiClient::at(server.address()).get(&path).status == 200
    });
}
