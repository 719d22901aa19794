//! Everything at once for a long time: runners that stay, leave, half-close, poll twice and vanish behind a dark link,
//! real clients, supervisors that never rest, and peers that mean no good. At the end the ledger of all runs must
//! balance: whoever was told warm, somebody has it, or it is known that nobody read it.
//!
//! Ten seconds in the usual run, half an hour in `cargo xtask soak`.

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

use crate::hostile_connections::Connection as Hostile;

/// What is told of a run that nobody read.
const UNREAD: &str = "acknowledged a run that the runner never read";

/// A reset may come so long after the acknowledgement.
const SETTLE_WITHIN: Duration = Duration::from_secs(12);

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Told {
    Warm,
    Cold,
}

/// What supervisors were told, and what runners have.
#[derive(Default)]
struct Ledger {
    told: Mutex<HashMap<u64, Told>>,
    received: Mutex<HashMap<u64, u64>>,
    next: AtomicU64,
    did: Mutex<BTreeMap<&'static str, u64>>,
}

impl Ledger {
    fn count(&self, what: &'static str) {
        *self.did.lock().unwrap().entry(what).or_default() += 1;
    }

    fn received(&self, run: &Value) {
        let number = run_message::id(run).strip_prefix("run_").and_then(|number| number.parse().ok());
        *self.received.lock().unwrap().entry(number.expect("a run of ours")).or_default() += 1;
    }

    /// Counts every run by what became of it.
    fn balance(&self, unread: &HashSet<u64>) -> BTreeMap<&'static str, u64> {
        let (told, received) = (self.told.lock().unwrap(), self.received.lock().unwrap());
        let mut balance = BTreeMap::from([("lost", 0)]);
        for (number, told) in told.iter() {
            let what = match (told, received.get(number).copied().unwrap_or(0), unread.contains(number)) {
                (Told::Warm, 1, false) => "warm, received",
                (Told::Warm, 0, true) => "warm, known to be unread",
                (Told::Warm, 0, false) => "lost",
                // A poll that was reset for its late acknowledgement may still have it: the lease decides.
                (Told::Warm, _, _) => "warm, received more than once or called unread too",
                (Told::Cold, 0, _) => "cold",
                (Told::Cold, _, _) => "cold, received all the same",
            };
            *balance.entry(what).or_default() += 1;
        }
        balance
    }
}

/// What all parties share.
struct Scene<'a> {
    ledger: Ledger,
    over: AtomicBool,
    near: SocketAddr,
    far: SocketAddr,
    network: &'a TestNetwork,
}

impl Scene<'_> {
    fn goes_on(&self) -> bool {
        !self.over.load(Ordering::Relaxed)
    }

    /// A closed connection keeps its port for a minute, and there are 28,000.
    fn rest() {
        pause(Duration::from_millis(50 + random::number(150)));
    }

    /// Parks, takes its run, and comes back on the same connection after a while.
    fn stays(&self, name: &str, at: SocketAddr) {
        let mut connection = Connection::open(at);
        while self.goes_on() {
            if connection.try_send(Poll::by(name).request()).is_err() {
                connection = reopened(at);
                continue;
            }
            match connection.response_within(Duration::from_millis(500 + random::number(1500))) {
                Ok(answer) => self.ledger.received(&answer.json()),
                Err(_) => {
                    self.ledger.count("polls given up or reset");
                    connection = reopened(at);
                }
            }
            pause(Duration::from_millis(random::number(20)));
        }
        drop(connection);
    }

    /// Is killed while it waits: what its kernel has by then, nobody reads.
    fn is_killed(&self, name: &str) {
        while self.goes_on() {
            let connection = Poll::by(name).send_to(self.near);
            pause(Duration::from_millis(random::number(40)));
            drop(connection);
            self.ledger.count("kills");
            Self::rest();
        }
    }

    /// Says that it sends no more, and reads what is there.
    fn half_closes(&self, name: &str) {
        while self.goes_on() {
            let mut connection = Poll::by(name).send_to(self.near);
            pause(Duration::from_millis(random::number(40)));
            connection.shutdown_write();
            if let Ok(answer) = connection.response() {
                self.ledger.received(&answer.json());
            }
            self.ledger.count("half-closes");
            Self::rest();
        }
    }

    /// Polls again while its older poll waits.
    fn polls_twice(&self, name: &str) {
        while self.goes_on() {
            Self::rest();
            let mut polls = [Poll::by(name).send_to(self.near), Poll::by(name).send_to(self.near)];
            for poll in &mut polls {
                match poll.response_within(Duration::from_millis(50 + random::number(100))) {
                    Ok(answer) => self.ledger.received(&answer.json()),
                    Err(NoResponse::Closed) => self.ledger.count("polls replaced"),
                    Err(NoResponse::Timeout | NoResponse::Reset | NoResponse::Incomplete(_)) => {}
                }
                // What came in the meantime is read as well.
                poll.shutdown_write();
                if let Ok(answer) = poll.response_within(Duration::from_millis(200)) {
                    self.ledger.received(&answer.json());
                }
            }
        }
    }

    fn offers(&self) {
        let mut connection = Connection::open(self.near);
        while self.goes_on() {
            let number = self.ledger.next.fetch_add(1, Ordering::Relaxed);
            connection.send(post_request("/warm-start", run_message::offer(&run(&format!("run_{number}")))));
            let answer = connection.response().expect("every offer is answered").json();
            let told = if answer["didWarmStart"] == true { Told::Warm } else { Told::Cold };
            self.ledger.told.lock().unwrap().insert(number, told);
            pause(Duration::from_millis(random::number(8)));
        }
    }

    fn means_no_good(&self) {
        let mut number = 0;
        while self.goes_on() {
            let connections: Vec<_> =
                (0..40).map(|step| Hostile::to_elsewhere(number + step, self.near)).collect();
            number += connections.len();
            pause(Duration::from_millis(300));
            connections.iter().for_each(|_| self.ledger.count("hostile connections"));
        }
    }

    fn goes_dark(&self) {
        while self.goes_on() {
            pause(Duration::from_millis(500 + random::number(2000)));
            self.network.cut();
            pause(Duration::from_millis(100 + random::number(4000)));
            self.network.restore();
            self.ledger.count("times dark");
        }
    }
}

fn reopened(at: SocketAddr) -> Connection {
    loop {
        // A dark link lets nobody in.
        match Connection::try_open(at, Duration::from_millis(500)) {
            Some(connection) => return connection,
            None => pause(Duration::from_millis(50)),
        }
    }
}

fn unread(server: &TestServer) -> HashSet<u64> {
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
        let soaks = std::env::var_os("PILOTLIGHT_SOAK").is_some();
        let time = if soaks { Duration::from_mins(30) } else { Duration::from_secs(10) };
        let network = TestNetwork::new();
        let server = network.serve(&[("CONNECTION_TIMEOUT_MS", "2000"), ("KEEPALIVE_MS", "86400000")]);
        let scene = Scene {
            ledger: Ledger::default(),
            over: AtomicBool::new(false),
            near: server.address(),
            far: network.address_for_runners(&server),
            network: &network,
        };
        let names: Vec<_> = (0..10).map(|number| format!("real-{number}")).collect();
        let real = NodeRunners::start(&json!({
            "url": server.url(), "runners": names, "deployment": DEPLOYMENT, "version": VERSION,
            "cpu": "0.5", "memory": "0.5", "tells": "message",
        }));
        let started = Instant::now();
        let scene = &scene;
        std::thread::scope(|scope| {
            for number in 0..12 {
                scope.spawn(move || scene.stays(&format!("near-{number}"), scene.near));
            }
            for number in 0..6 {
                scope.spawn(move || scene.stays(&format!("far-{number}"), scene.far));
            }
            for number in 0..4 {
                scope.spawn(move || scene.is_killed(&format!("killed-{number}")));
                scope.spawn(move || scene.half_closes(&format!("half-{number}")));
                scope.spawn(move || scene.polls_twice(&format!("twice-{number}")));
            }
            for _ in 0..4 {
                scope.spawn(|| scene.offers());
            }
            scope.spawn(|| scene.means_no_good());
            scope.spawn(|| scene.goes_dark());
            pause(time);
            scene.over.store(true, Ordering::Relaxed);
        });
        let mut counted = 0;
        let mut balance = BTreeMap::new();
        try_wait_for_at_most(SETTLE_WITHIN, || {
            let received = real.events("received");
            received[counted..].iter().for_each(|event| scene.ledger.received(&event["message"]));
            counted = received.len();
            balance = scene.ledger.balance(&unread(&server));
            (balance["lost"] == 0).then_some(())
        });
        let ended = [real.events("ended"), real.events("failed")].concat();
        assert!(ended.is_empty(), "real clients exited: {ended:?}");
        drop(real);
        println!("{:?}: {balance:?}; {:?}", started.elapsed(), scene.ledger.did.lock().unwrap());
        println!("resident at the end: {} KiB", server.resident_kib());
        assert_eq!(balance["lost"], 0, "{balance:?}");
        assert!(balance.get("warm, received").is_some_and(|count| *count > 100), "{balance:?}");
    }
}
