//! A run that is reported warm is received by its runner. The tests count thousands of offers, with real clients whose
//! polls time out all the time, with runners that disconnect at the moment of the offer, and with runners that are
//! killed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use pilotlight_testkit::need;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::random;
use pilotlight_testkit::run_message::{DEPLOYMENT, VERSION, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::wait::{DEADLINE, pause, try_wait_for_at_most};
use pilotlight_testkit::warm_start::{GENERAL_PATH, Poll, Supervisor};
use serde_json::{Value, json};

const PROCESSES: usize = 4;
const CLIENTS_EACH: usize = 5;
const SUPERVISORS: usize = 4;
/// Within this time every run that was reported warm is received, or reported unread.
const SETTLE_TIME: Duration = Duration::from_secs(10);

type Runs = BTreeSet<String>;

/// The number of iterations: `normal` in a normal run, more in a soak test.
fn iterations(normal: usize) -> usize {
    if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 20 * normal } else { normal }
}

/// Twenty real clients in four processes.
struct RealClients(Vec<NodeRunners>);

impl RealClients {
    /// Starts the clients. `own_timeouts_ms` are the timeouts of the clients of each process, in place of the timeout
    /// that the service advertises.
    fn start(server: &TestServer, own_timeouts_ms: Option<[u64; CLIENTS_EACH]>) -> Self {
        let start = |process| {
            let names: Vec<_> =
                (0..CLIENTS_EACH).map(|client| format!("runner-{process}-{client}")).collect();
            NodeRunners::start(&json!({
                "url": server.url(), "runners": names, "deployment": DEPLOYMENT, "version": VERSION,
                "cpu": "0.5", "memory": "0.5", "tells": "id", "connectionTimeoutMs": own_timeouts_ms,
            }))
        };
        let clients = Self((0..PROCESSES).map(start).collect());
        clients.0.iter().for_each(|process| _ = process.wait_for_events("connected", CLIENTS_EACH));
        clients
    }

    /// Waits until each client has timed out several times, so that its code is compiled before the measurement.
    fn warm_up(self) -> Self {
        self.0.iter().for_each(|process| _ = process.wait_for_events("timed-out", 5 * CLIENTS_EACH));
        self
    }

    fn events(&self, kind: &str) -> impl Iterator<Item = Value> {
        self.0.iter().flat_map(move |process| process.events(kind))
    }

    /// The runs received; no run may be received twice.
    fn received(&self) -> Runs {
        let received: Vec<_> =
            self.events("received").map(|event| event["run"].as_str().unwrap().to_owned()).collect();
        let runs: Runs = received.iter().cloned().collect();
        assert_eq!(received.len(), runs.len(), "a run was received twice");
        runs
    }

    /// Whether the process of this offer's runner got no processor time when the run was matched. In this case the
    /// client's timeout is late and the run stays unread in its kernel, which the service cannot prevent.
    fn was_stalled(&self, offer: &Value) -> bool {
        let runner = offer["controllerId"].as_str().unwrap();
        let process: usize = runner.split('-').nth(1).unwrap().parse().unwrap();
        let at = offer["matchedAt"].as_i64().unwrap();
        self.0[process].events("stood-still").iter().any(|stall| {
            stall["from"].as_i64().unwrap() < at + 150 && stall["to"].as_i64().unwrap() > at - 150
        })
    }
}

/// The outcomes of all offers.
struct OfferOutcomes {
    warm: Runs,
    received: Runs,
    /// The offers that were reported warm, and later reported unread.
    unread: BTreeMap<String, Value>,
}

impl OfferOutcomes {
    /// Waits until each warm run is received or reported unread. Panics with the runs that are neither.
    fn settle(server: &TestServer, clients: &RealClients, warm: Runs) -> Self {
        let mut outcomes = Self { warm, received: Runs::new(), unread: BTreeMap::new() };
        let settled = try_wait_for_at_most(SETTLE_TIME, || {
            let unread = server.offers().into_iter().filter(|offer| offer["delivery"] == "unread");
            outcomes.unread =
                unread.map(|offer| (offer["runId"].as_str().unwrap().to_owned(), offer)).collect();
            outcomes.received = clients.received();
            outcomes.lost().is_empty().then_some(())
        });
        assert!(settled.is_some(), "reported warm and never received: {:?}", outcomes.lost());
        outcomes
    }

    fn lost(&self) -> Vec<&String> {
        let is_lost = |run: &&String| !self.received.contains(*run) && !self.unread.contains_key(*run);
        self.warm.iter().filter(is_lost).collect()
    }

    /// Asserts that no cold run was received, that no received run was reported unread, and that the test covered
    /// enough.
    fn assert_valid(&self, offers: usize, clients: &RealClients) {
        let timeouts = clients.events("timed-out").count();
        let waited = self.unread.values().map(|offer| offer["waitDurationMs"].as_u64().unwrap());
        println!(
            "{offers} offers: {} warm, {} received, {} reported unread after waits of {:?} ms, {timeouts} timeouts",
            self.warm.len(),
            self.received.len(),
            self.unread.len(),
            waited.collect::<Vec<_>>(),
        );
        let cold_and_received: Vec<_> = self.received.difference(&self.warm).collect();
        assert!(cold_and_received.is_empty(), "received, but not reported warm: {cold_and_received:?}");
        let both: Vec<_> = self.unread.keys().filter(|run| self.received.contains(*run)).collect();
        assert!(both.is_empty(), "received, but reported unread: {both:?}");
        assert!(self.warm.len() > offers / 4, "too few offers were warm");
        assert!(timeouts > offers / 20, "too few polls timed out");
    }
}

/// Offers `count` runs by several concurrent supervisors. Each pauses up to `gap` before an offer. Returns the runs
/// that were reported warm.
fn offer(server: SocketAddr, count: usize, gap: Duration) -> Runs {
    std::thread::scope(|scope| {
        let offer_runs = |supervisor: usize| {
            move || {
                let mut connection = Supervisor::at(server);
                let ids = (0..count / SUPERVISORS).map(|number| format!("run_{supervisor}_{number}"));
                let is_warm = |id: &String| {
                    // Offers have random gaps.
                    pause(random::time(gap));
                    connection.offer(&run(id))
                };
                ids.filter(is_warm).collect::<Runs>()
            }
        };
        let supervisors: Vec<_> = (0..SUPERVISORS).map(|number| scope.spawn(offer_runs(number))).collect();
        supervisors.into_iter().flat_map(|supervisor| supervisor.join().unwrap()).collect()
    })
}

#[test]
fn alone_every_warm_run_is_received_with_the_advertised_timeout() {
    need!("node", "clients");
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "100")]);
    let clients = RealClients::start(&server, None).warm_up();
    let offers = iterations(2000);
    let warm = offer(server.address(), offers, Duration::from_millis(40));
    let outcomes = OfferOutcomes::settle(&server, &clients, warm);
    outcomes.assert_valid(offers, &clients);
    let unread: Vec<_> = outcomes.unread.values().filter(|offer| !clients.was_stalled(offer)).collect();
    assert!(unread.is_empty(), "not received, but their clients were not stalled: {unread:#?}");
}

#[test]
fn alone_every_warm_run_is_received_or_reported_unread_with_an_unknown_timeout() {
    need!("node", "clients");
    let server = TestServer::start();
    let clients = RealClients::start(&server, Some([40, 55, 70, 85, 100])).warm_up();
    let offers = iterations(2000);
    let warm = offer(server.address(), offers, Duration::from_millis(40));
    OfferOutcomes::settle(&server, &clients, warm).assert_valid(offers, &clients);
}

#[test]
fn alone_a_run_is_reported_warm_exactly_when_a_leaving_client_can_read_it() {
    offer_to_leaving_clients("/warm-start");
}

#[test]
fn alone_a_run_is_reported_warm_exactly_when_a_leaving_client_can_read_it_on_the_general_path() {
    offer_to_leaving_clients(GENERAL_PATH);
}

fn offer_to_leaving_clients(path: &str) {
    let server = TestServer::start();
    let mut supervisor = server.supervisor();
    let mut timing = OfferTiming::default();
    for number in 0..iterations(4000) {
        let run = run(&format!("run_{number}")).to_string();
        let offer = format!("{{\"dequeuedMessage\":{run}}}");
        let mut runner = server.connect();
        runner.send(Poll::by("runner-1").request().replacen("/warm-start", path, 1));
        spin_until_parked(&mut supervisor, 1);
        let leaves_at = Instant::now() + 2 * OfferTiming::MAX_LEAD;
        let (is_warm, read) = std::thread::scope(|scope| {
            let runner = scope.spawn(move || {
                spin_until(leaves_at);
                runner.shutdown_write();
                runner.drain()
            });
            spin_until(timing.offer_at(leaves_at));
            (supervisor.offer_text(&offer), runner.join().unwrap())
        });
        let can_read = read.ends_with(run.as_bytes());
        assert_eq!(is_warm, can_read, "run {number}: {}", String::from_utf8_lossy(&read));
        timing.adjust(is_warm);
        spin_until_parked(&mut supervisor, 0);
    }
    let OfferTiming { warm, cold, lead } = timing;
    println!("{warm} warm and read, {cold} cold and not read, offered about {lead:?} before the client left");
    assert!(warm > 500 && cold > 500, "too few offers of one outcome: {warm} warm, {cold} cold");
    assert!(server.unread_runs().is_empty());
}

/// Finds the time of an offer at which a leaving client reads about half of the runs: after a warm offer the next offer
/// is slightly later, after a cold one slightly earlier.
#[derive(Default)]
struct OfferTiming {
    /// How long before the client leaves the run is offered.
    lead: Duration,
    warm: usize,
    cold: usize,
}

impl OfferTiming {
    const MAX_LEAD: Duration = Duration::from_micros(500);
    const STEP: Duration = Duration::from_micros(4);
    const JITTER: Duration = Duration::from_micros(80);

    fn offer_at(&self, leaves_at: Instant) -> Instant {
        leaves_at - self.lead - Self::JITTER + random::time(2 * Self::JITTER)
    }

    fn adjust(&mut self, is_warm: bool) {
        if is_warm {
            self.warm += 1;
            self.lead = self.lead.saturating_sub(Self::STEP);
        } else {
            self.cold += 1;
            self.lead = (self.lead + Self::STEP).min(Self::MAX_LEAD);
        }
    }
}

/// Waits without sleeping: the race takes only microseconds.
fn spin_until_parked(supervisor: &mut Supervisor, polls: u64) {
    let started = Instant::now();
    while supervisor.parked() != polls {
        assert!(started.elapsed() < DEADLINE, "{polls} polls are not parked within the deadline");
    }
}

fn spin_until(time: Instant) {
    while Instant::now() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn no_run_is_reported_warm_for_killed_runners() {
    need!("node", "clients");
    let server = TestServer::start();
    for _ in 0..iterations(3) {
        let mut clients = RealClients::start(&server, None);
        server.wait_for_parked((PROCESSES * CLIENTS_EACH) as u64);
        clients.0.iter_mut().for_each(NodeRunners::kill);
        assert_eq!(offer(server.address(), 40, Duration::from_micros(1)), Runs::new());
        server.wait_for_parked(0);
    }
}

#[test]
fn the_remaining_runners_get_the_runs_when_others_are_killed() {
    need!("node", "clients");
    let server = TestServer::start();
    let mut clients = RealClients::start(&server, None);
    server.wait_for_parked((PROCESSES * CLIENTS_EACH) as u64);
    clients.0.iter_mut().skip(1).for_each(NodeRunners::kill);
    let warm = offer(server.address(), 4 * CLIENTS_EACH, Duration::from_millis(40));
    let outcomes = OfferOutcomes::settle(&server, &clients, warm);
    assert!(outcomes.warm.len() >= CLIENTS_EACH, "{:?}", outcomes.warm);
    assert_eq!(outcomes.received, outcomes.warm);
}
