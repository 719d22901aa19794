//! A run that is called warm is with its runner: counted over thousands of offers, with real clients whose time-outs
//! strike all the while, with runners that leave at the very moment, and with runners that are killed.

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
/// By then every run that was reported warm is received, or known to be unread.
const SETTLE_WITHIN: Duration = Duration::from_secs(10);

type Runs = BTreeSet<String>;

/// How often a scene is played: more when there are hours for it.
fn times(usual: usize) -> usize {
    if std::env::var_os("PILOTLIGHT_SOAK").is_some() { 20 * usual } else { usual }
}

/// Twenty real clients in four processes.
struct Fleet(Vec<NodeRunners>);

impl Fleet {
    /// Starts them; `own_time_outs_ms` are those of each process's clients, instead of the advertised one.
    fn start(server: &TestServer, own_time_outs_ms: Option<[u64; CLIENTS_EACH]>) -> Self {
        let start = |process| {
            let names: Vec<_> =
                (0..CLIENTS_EACH).map(|client| format!("runner-{process}-{client}")).collect();
            NodeRunners::start(&json!({
                "url": server.url(), "runners": names, "deployment": DEPLOYMENT, "version": VERSION,
                "cpu": "0.5", "memory": "0.5", "tells": "id", "connectionTimeoutMs": own_time_outs_ms,
            }))
        };
        let fleet = Self((0..PROCESSES).map(start).collect());
        fleet.0.iter().for_each(|process| _ = process.wait_for_events("connected", CLIENTS_EACH));
        fleet
    }

    /// Lets the clients time out a few times each, so that their code is compiled when it counts.
    fn warm_up(self) -> Self {
        self.0.iter().for_each(|process| _ = process.wait_for_events("timed-out", 5 * CLIENTS_EACH));
        self
    }

    fn said(&self, event: &str) -> impl Iterator<Item = Value> {
        self.0.iter().flat_map(move |process| process.events(event))
    }

    /// The runs received; no run may be received twice.
    fn received(&self) -> Runs {
        let said: Vec<_> =
            self.said("received").map(|said| said["run"].as_str().unwrap().to_owned()).collect();
        let runs: Runs = said.iter().cloned().collect();
        assert_eq!(said.len(), runs.len(), "a run was received twice");
        runs
    }

    /// Whether the process of this offer's runner had no processor for a while at that time. Then its time-out can
    /// strike late, with the run in its kernel, and no service can help that.
    fn stood_still(&self, offer: &Value) -> bool {
        let runner = offer["controllerId"].as_str().unwrap();
        let process: usize = runner.split('-').nth(1).unwrap().parse().unwrap();
        let at = offer["matchedAt"].as_i64().unwrap();
        self.0[process].events("stood-still").iter().any(|still| {
            still["from"].as_i64().unwrap() < at + 150 && still["to"].as_i64().unwrap() > at - 150
        })
    }
}

/// What became of all offers.
struct Account {
    warm: Runs,
    received: Runs,
    /// The offers that were called warm, and of which it was told later that nobody read them.
    unread: BTreeMap<String, Value>,
}

impl Account {
    /// Waits until each warm run is received or told unread. Panics with those that stay unaccounted for.
    fn settle(server: &TestServer, fleet: &Fleet, warm: Runs) -> Self {
        let mut account = Self { warm, received: Runs::new(), unread: BTreeMap::new() };
        let settled = try_wait_for_at_most(SETTLE_WITHIN, || {
            let unread = server.offers().into_iter().filter(|offer| offer["delivery"] == "unread");
            account.unread =
                unread.map(|offer| (offer["runId"].as_str().unwrap().to_owned(), offer)).collect();
            account.received = fleet.received();
            account.lost().is_empty().then_some(())
        });
        assert!(settled.is_some(), "reported warm and never received: {:?}", account.lost());
        account
    }

    fn lost(&self) -> Vec<&String> {
        let is_lost = |run: &&String| !self.received.contains(*run) && !self.unread.contains_key(*run);
        self.warm.iter().filter(is_lost).collect()
    }

    /// Nothing is there twice, and nothing that should not be there at all.
    fn is_sound(&self, offers: usize, fleet: &Fleet) {
        let time_outs = fleet.said("timed-out").count();
        let waited = self.unread.values().map(|offer| offer["waitDurationMs"].as_u64().unwrap());
        println!(
            "{offers} offers: {} warm, {} received, {} told unread after waits of {:?} ms, {time_outs} time-outs",
            self.warm.len(),
            self.received.len(),
            self.unread.len(),
            waited.collect::<Vec<_>>(),
        );
        let cold_and_received: Vec<_> = self.received.difference(&self.warm).collect();
        assert!(cold_and_received.is_empty(), "received, though not called warm: {cold_and_received:?}");
        let both: Vec<_> = self.unread.keys().filter(|run| self.received.contains(*run)).collect();
        assert!(both.is_empty(), "received and yet told unread: {both:?}");
        assert!(self.warm.len() > offers / 4, "too few were warm to tell anything");
        assert!(time_outs > offers / 20, "too few time-outs struck to tell anything");
    }
}

/// Offers `count` runs by several supervisors at once, each with a gap of up to `gap` between two. Returns those
/// that were called warm.
fn offer(server: SocketAddr, count: usize, gap: Duration) -> Runs {
    std::thread::scope(|scope| {
        let offering = |supervisor: usize| {
            move || {
                let mut connection = Supervisor::at(server);
                let ids = (0..count / SUPERVISORS).map(|number| format!("run_{supervisor}_{number}"));
                let is_warm = |id: &String| {
                    // The load's spacing.
                    pause(random::time(gap));
                    connection.offer(&run(id))
                };
                ids.filter(is_warm).collect::<Runs>()
            }
        };
        let supervisors: Vec<_> = (0..SUPERVISORS).map(|number| scope.spawn(offering(number))).collect();
        supervisors.into_iter().flat_map(|supervisor| supervisor.join().unwrap()).collect()
    })
}

#[test]
fn alone_every_run_called_warm_is_received_when_the_time_out_is_the_advertised_one() {
    need!("node", "clients");
    let server = TestServer::with(&[("CONNECTION_TIMEOUT_MS", "100")]);
    let fleet = Fleet::start(&server, None).warm_up();
    let offers = times(2000);
    let warm = offer(server.address(), offers, Duration::from_millis(40));
    let account = Account::settle(&server, &fleet, warm);
    account.is_sound(offers, &fleet);
    let unread: Vec<_> = account.unread.values().filter(|offer| !fleet.stood_still(offer)).collect();
    assert!(unread.is_empty(), "not received, though their clients never stood still: {unread:#?}");
}

#[test]
fn alone_every_run_called_warm_is_received_or_told_unread_when_the_time_out_is_not_known() {
    need!("node", "clients");
    let server = TestServer::start();
    let fleet = Fleet::start(&server, Some([40, 55, 70, 85, 100])).warm_up();
    let offers = times(2000);
    let warm = offer(server.address(), offers, Duration::from_millis(40));
    Account::settle(&server, &fleet, warm).is_sound(offers, &fleet);
}

#[test]
fn alone_a_run_is_called_warm_exactly_when_a_leaving_client_can_read_it() {
    offers_meet_leaving_clients("/warm-start");
}

#[test]
fn alone_a_run_is_called_warm_exactly_when_a_leaving_client_can_read_it_behind_the_front() {
    offers_meet_leaving_clients(GENERAL_PATH);
}

fn offers_meet_leaving_clients(path: &str) {
    let server = TestServer::start();
    let mut supervisor = server.supervisor();
    let mut moment = Moment::default();
    for number in 0..times(4000) {
        let run = run(&format!("run_{number}")).to_string();
        let offer = format!("{{\"dequeuedMessage\":{run}}}");
        let mut runner = server.connect();
        runner.send(Poll::by("runner-1").request().replacen("/warm-start", path, 1));
        spin_until_waiting(&mut supervisor, 1);
        let leaves_at = Instant::now() + 2 * Moment::AT_MOST;
        let (is_warm, read) = std::thread::scope(|scope| {
            let leaving = scope.spawn(move || {
                spin_to(leaves_at);
                runner.shutdown_write();
                runner.drain()
            });
            spin_to(moment.before(leaves_at));
            (supervisor.offer_text(&offer), leaving.join().unwrap())
        });
        let can_read = read.ends_with(run.as_bytes());
        assert_eq!(is_warm, can_read, "run {number}: {}", String::from_utf8_lossy(&read));
        moment.was(is_warm);
        spin_until_waiting(&mut supervisor, 0);
    }
    let Moment { warm, cold, lead } = moment;
    println!("{warm} warm and read, {cold} cold and not read, around {lead:?} before");
    assert!(warm > 500 && cold > 500, "the moment was missed: {warm} warm, {cold} cold");
    assert!(server.unread_runs().is_empty());
}

/// Finds the moment at which an offer just about meets a client that leaves: after a warm one the next is a bit
/// later, after a cold one a bit earlier.
#[derive(Default)]
struct Moment {
    lead: Duration,
    warm: usize,
    cold: usize,
}

impl Moment {
    const AT_MOST: Duration = Duration::from_micros(500);
    const STEP: Duration = Duration::from_micros(4);
    const AROUND: Duration = Duration::from_micros(80);

    fn before(&self, leaving: Instant) -> Instant {
        leaving - self.lead - Self::AROUND + random::time(2 * Self::AROUND)
    }

    fn was(&mut self, is_warm: bool) {
        if is_warm {
            self.warm += 1;
            self.lead = self.lead.saturating_sub(Self::STEP);
        } else {
            self.cold += 1;
            self.lead = (self.lead + Self::STEP).min(Self::AT_MOST);
        }
    }
}

/// The race is over in microseconds, so nobody may sleep before it.
fn spin_until_waiting(supervisor: &mut Supervisor, waiting: u64) {
    let started = Instant::now();
    while supervisor.parked() != waiting {
        assert!(started.elapsed() < DEADLINE, "waited in vain for {waiting} waiting runners");
    }
}

fn spin_to(moment: Instant) {
    while Instant::now() < moment {
        std::hint::spin_loop();
    }
}

#[test]
fn no_run_is_called_warm_for_runners_that_were_killed() {
    need!("node", "clients");
    let server = TestServer::start();
    for _ in 0..times(3) {
        let mut fleet = Fleet::start(&server, None);
        server.wait_for_parked((PROCESSES * CLIENTS_EACH) as u64);
        fleet.0.iter_mut().for_each(NodeRunners::kill);
        assert_eq!(offer(server.address(), 40, Duration::from_micros(1)), Runs::new());
        server.wait_for_parked(0);
    }
}

#[test]
fn the_living_get_the_runs_when_others_are_killed() {
    need!("node", "clients");
    let server = TestServer::start();
    let mut fleet = Fleet::start(&server, None);
    server.wait_for_parked((PROCESSES * CLIENTS_EACH) as u64);
    fleet.0.iter_mut().skip(1).for_each(NodeRunners::kill);
    let warm = offer(server.address(), 4 * CLIENTS_EACH, Duration::from_millis(40));
    let account = Account::settle(&server, &fleet, warm);
    assert!(account.warm.len() >= CLIENTS_EACH, "{:?}", account.warm);
    assert_eq!(account.received, account.warm);
}
