//! A database that is gone for a while: callers are told, jobs are there afterwards, and the log stays readable.

use std::time::Instant;

use serde_json::json;

use crate::support::jobs::Party;
use crate::support::postgres;
use crate::support::server::Server;
use crate::support::{skip, wait};

const CALLERS: usize = 20;
const CALLS: usize = 10;

#[test]
fn a_database_that_is_gone_is_said_once_a_second_and_not_for_each_call() {
    skip::need!("postgresql");
    let mut database = postgres::Server::start();
    let url = database.database_over_tcp();
    let server = Server::with(&[("DATABASE_URL", &url)]);
    let submitted = Party::at(server.address()).submit("kept", &json!({}));
    let path = format!("/api/jobs/{}", submitted["job_id"].as_str().expect("an id"));
    database.stop();
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let mut caller = Party::at(server.address());
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
    wait::until("it goes on", || Party::at(server.address()).get(&path).status == 200);
}
