//! A database that is gone for a while: callers are told, jobs are there afterwards, and the log stays readable.

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
    let submitted = ApiClient::at(server.address()).submit("kept", &json!({}));
    let path = format!("/api/jobs/{}", submitted["job_id"].as_str().expect("an id"));
    database.stop();
    let began = Instant::now();
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
    let seconds = began.elapsed().as_secs_f64();
    let log = server.log();
    let said: Vec<_> = log.lines().filter(|line| line.contains("the store failed")).collect();
    assert!(!said.is_empty() && said.len() as f64 <= seconds + 1.0, "{} in {seconds} s", said.len());
    assert!(said.len() < CALLERS * CALLS / 4, "{} in {seconds} s", said.len());
    database.restart();
    wait_until("it goes on", || ApiClient::at(server.address()).get(&path).status == 200);
}
