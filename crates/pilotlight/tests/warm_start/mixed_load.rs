//! Mixed load: runners that poll repeatedly, disconnect, half-close, poll twice, or are behind a link that goes dark,
//! real clients, supervisors, and hostile connections. At the end, every run that was reported warm must be received by
//! a runner, or reported unread.
//!
//! The test takes ten seconds in a normal run, and half an hour in `cargo xtask soak`.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use pilotlight_testkit::http::{Connection, NoResponse, post_request};
use pilotlight_testkit::need;
use pilotlight_testkit::network::TestNetwork;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::random;
use pilotlight_testkit::run_message::{self, DEPLOYMENT, VERSION, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{pause, try_wait_for_at_most};
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

use crate::hostile_connections::Connection as HostileConnection;

/// The text of the log line for a run that its runner did not read.
const UNREAD: &str = "acknowledged a run that the runner never read";

/// Maximum time from the acknowledgement of a run until the reset that shows it is unread.
const SETTLE_TIME: Duration = Duration::from_secs(12);

/// The answer to a supervisor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum OfferAnswer {
    Warm,
    Cold,
}

/// The answers to supervisors, and the runs that runners received, by the number of the run.
#[derive(Default)]
struct RunRecords {
    answers: Mutex<HashMap<u64, OfferAnswer>>,
    /// How many times each run was received.
    received: Mutex<HashMap<u64, u64>>,
    next: AtomicU64,
    event_counts: Mutex<BTreeMap<&'static str, u64>>,
}

impl RunRecords {
    fn count(&self, event: &'static str) {
        *self.event_counts.lock().unwrap().entry(event).or_default() += 1;
    }

    fn record_received(&self, run: &Value) {
        let number = run_message::id(run).strip_prefix("run_").and_then(|number| number.parse().ok());
        *self.received.lock().unwrap().entry(number.expect("a run of this test")).or_default() += 1;
    }

    /// The number of runs by outcome.
    fn outcome_counts(&self, unread: &HashSet<u64>) -> BTreeMap<&'static str, u64> {
        let (answers, received) = (self.answers.lock().unwrap(), self.received.lock().unwrap());
        let mut counts = BTreeMap::from([("lost", 0)]);
        for (number, answer) in answers.iter() {
            let outcome = match (answer, received.get(number).copied().unwrap_or(0), unread.contains(number))
            {
                (OfferAnswer::Warm, 1, false) => "warm, received",
                (OfferAnswer::Warm, 0, true) => "warm, reported unread",
                (OfferAnswer::Warm, 0, false) => "lost",
                // A runner whose connection was reset after a late acknowledgement may still have received the run. The
                // platform's lease decides which runner executes it.
                (OfferAnswer::Warm, _, _) => "warm, received more than once, or received and reported unread",
                (OfferAnswer::Cold, 0, _) => "cold",
                (OfferAnswer::Cold, _, _) => "cold, but received",
            };
            *counts.entry(outcome).or_default() += 1;
        }
        counts
    }
}

/// The state that all clients of the test share.
struct MixedLoad<'a> {
    records: RunRecords,
    is_over: AtomicBool,
    /// The service's address on the link that stays up.
    stable_address: SocketAddr,
    /// The service's address on the link that goes dark.
    unstable_address: SocketAddr,
    network: &'a TestNetwork,
}

impl MixedLoad<'_> {
    fn is_running(&self) -> bool {
        !self.is_over.load(Ordering::Relaxed)
    }

    /// Limits the rate of new connections: a closed connection occupies its port for a minute, and there are 28,000
    /// ports.
    fn pause_between_connections() {
        pause(Duration::from_millis(50 + random::number(150)));
    }

    /// A runner that polls repeatedly on one connection.
    fn poll_repeatedly(&self, name: &str, at: SocketAddr) {
        let mut connection = Connection::open(at);
        while self.is_running() {
            if connection.try_send(Poll::by(name).request()).is_err() {
                connection = reconnect(at);
                continue;
            }
            match connection.response_within(Duration::from_millis(500 + random::number(1500))) {
                Ok(answer) => self.records.record_received(&answer.json()),
                Err(_) => {
                    self.records.count("polls timed out or reset");
                    connection = reconnect(at);
                }
            }
            pause(Duration::from_millis(random::number(20)));
        }
        drop(connection);
    }

    /// A runner that polls and disconnects soon. It reads no run that its kernel has received by then.
    fn poll_and_disconnect(&self, name: &str) {
        while self.is_running() {
            let connection = Poll::by(name).send_to(self.stable_address);
            pause(Duration::from_millis(random::number(40)));
            drop(connection);
            self.records.count("disconnects");
            Self::pause_between_connections();
        }
    }

    /// A runner that polls, closes its sending direction soon, and reads a run that it has received.
    fn poll_and_half_close(&self, name: &str) {
        while self.is_running() {
            let mut connection = Poll::by(name).send_to(self.stable_address);
            pause(Duration::from_millis(random::number(40)));
            connection.shutdown_write();
            if let Ok(answer) = connection.response() {
                self.records.record_received(&answer.json());
            }
            self.records.count("half-closes");
            Self::pause_between_connections();
        }
    }

    /// A runner that sends a second poll while its first one is parked.
    fn poll_twice(&self, name: &str) {
        while self.is_running() {
            Self::pause_between_connections();
            let mut polls =
                [Poll::by(name).send_to(self.stable_address), Poll::by(name).send_to(self.stable_address)];
            for poll in &mut polls {
                match poll.response_within(Duration::from_millis(50 + random::number(100))) {
                    Ok(answer) => self.records.record_received(&answer.json()),
                    Err(NoResponse::Closed) => self.records.count("polls replaced"),
                    Err(NoResponse::Timeout | NoResponse::Reset | NoResponse::Incomplete(_)) => {}
                }
                // A run that has arrived in the meantime is read too.
                poll.shutdown_write();
                if let Ok(answer) = poll.response_within(Duration::from_millis(200)) {
                    self.records.record_received(&answer.json());
                }
            }
        }
    }

    fn offer_runs(&self) {
        let mut connection = Connection::open(self.stable_address);
        while self.is_running() {
            let number = self.records.next.fetch_add(1, Ordering::Relaxed);
            connection.send(post_request("/warm-start", run_message::offer(&run(&format!("run_{number}")))));
            let answer = connection.response().expect("every offer is answered").json();
            let answer = if answer["didWarmStart"] == true { OfferAnswer::Warm } else { OfferAnswer::Cold };
            self.records.answers.lock().unwrap().insert(number, answer);
            pause(Duration::from_millis(random::number(8)));
        }
    }

    fn open_hostile_connections(&self) {
        let mut number = 0;
        while self.is_running() {
            let connections: Vec<_> = (0..40)
                .map(|step| HostileConnection::open_remote(number + step, self.stable_address))
                .collect();
            number += connections.len();
            pause(Duration::from_millis(300));
            connections.iter().for_each(|_| self.records.count("hostile connections"));
        }
    }

    /// Cuts and restores the unstable link.
    fn cut_link(&self) {
        while self.is_running() {
            pause(Duration::from_millis(500 + random::number(2000)));
            self.network.cut();
            pause(Duration::from_millis(100 + random::number(4000)));
            self.network.restore();
            self.records.count("cuts of the link");
        }
    }
}

fn reconnect(at: SocketAddr) -> Connection {
    loop {
        // No connection is possible while the link is dark.
        match Connection::try_open(at, Duration::from_millis(500)) {
            Some(connection) => return connection,
            None => pause(Duration::from_millis(50)),
        }
    }
}

fn unread_numbers(server: &TestServer) -> HashSet<u64> {
    let log = server.log();
    let lines = log.lines().filter(|line| line.contains(UNREAD));
    let numbers =
        lines.filter_map(|line| line.split_once("run_")?.1.split(|c: char| !c.is_ascii_digit()).next());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

mod alone {
    use super::*;

    #[test]
    fn netns_no_run_is_lost_under_mixed_load_and_faults() {
        need!("netns", "node", "clients");
        let is_soak = std::env::var_os("PILOTLIGHT_SOAK").is_some();
        let time = if is_soak { Duration::from_mins(30) } else { Duration::from_secs(10) };
        let network = TestNetwork::new();
        let server = network.serve(&[("CONNECTION_TIMEOUT_MS", "2000"), ("KEEPALIVE_MS", "86400000")]);
        let load = MixedLoad {
            records: RunRecords::default(),
            is_over: AtomicBool::new(false),
            stable_address: server.address(),
            unstable_address: network.address_for_runners(&server),
            network: &network,
        };
        let names: Vec<_> = (0..10).map(|number| format!("real-{number}")).collect();
        let real_clients = NodeRunners::start(&json!({
            "url": server.url(), "runners": names, "deployment": DEPLOYMENT, "version": VERSION,
            "cpu": "0.5", "memory": "0.5", "tells": "message",
        }));
        let started = Instant::now();
        let load = &load;
        std::thread::scope(|scope| {
            for number in 0..12 {
                scope.spawn(move || load.poll_repeatedly(&format!("stable-{number}"), load.stable_address));
            }
            for number in 0..6 {
                scope.spawn(move || {
                    load.poll_repeatedly(&format!("unstable-{number}"), load.unstable_address)
                });
            }
            for number in 0..4 {
                scope.spawn(move || load.poll_and_disconnect(&format!("disconnect-{number}")));
                scope.spawn(move || load.poll_and_half_close(&format!("half-close-{number}")));
                scope.spawn(move || load.poll_twice(&format!("twice-{number}")));
            }
            for _ in 0..4 {
                scope.spawn(|| load.offer_runs());
            }
            scope.spawn(|| load.open_hostile_connections());
            scope.spawn(|| load.cut_link());
            pause(time);
            load.is_over.store(true, Ordering::Relaxed);
        });
        let mut read_count = 0;
        let mut counts = BTreeMap::new();
        try_wait_for_at_most(SETTLE_TIME, || {
            let received = real_clients.events("received");
            received[read_count..].iter().for_each(|event| load.records.record_received(&event["message"]));
            read_count = received.len();
            counts = load.records.outcome_counts(&unread_numbers(&server));
            (counts["lost"] == 0).then_some(())
        });
        let ended = [real_clients.events("ended"), real_clients.events("failed")].concat();
        assert!(ended.is_empty(), "real clients exited: {ended:?}");
        drop(real_clients);
        println!("{:?}: {counts:?}; {:?}", started.elapsed(), load.records.event_counts.lock().unwrap());
        println!("resident at the end: {} KiB", server.resident_kib());
        assert_eq!(counts["lost"], 0, "{counts:?}");
        assert!(counts.get("warm, received").is_some_and(|count| *count > 100), "{counts:?}");
    }
}
