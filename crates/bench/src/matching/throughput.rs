//! Measures how many runs per second a server with its own core matches.
//!
//! There are many parked polls, several supervisors that offer without pauses, and runners that poll again immediately.
//! Each round starts a new server, so that idle connections of other servers do not disturb it. The load generator has
//! the other core and never sleeps: on loopback the sender spends time on waking the receiver's core, and a server that
//! is slower than its load would spend this time on every message. In production, runners and supervisors are on other
//! machines.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::task::JoinSet;

use super::bench::Bench;
use super::contender::Contender;
use crate::load::busy_loop::BusyLoop;
use crate::load::run_counts::{Arrival, Offer, RunCounts};
use crate::load::runner::{Fleet, FleetPlan, Origin};
use crate::load::supervisor::{RunNumbers, Supervisor};
use crate::separate_cores::SeparateCores;
use crate::series::{Series, Unit};
use crate::server_process::Server;

const RUNNERS: usize = 1_000;
const POOLS: usize = 10;
const SUPERVISORS: usize = 8;
/// How long to wait for the last runs. Answered runs are already in the runner's kernel, so a run that is not there
/// within this time is lost.
const ARRIVALS_TIMEOUT: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, Copy)]
pub(crate) struct ThroughputPlan {
    pub(crate) rounds: usize,
    pub(crate) warm_up: Duration,
    pub(crate) window: Duration,
}

pub(crate) async fn measure(bench: &mut Bench, plan: ThroughputPlan) -> Result<[Series<Contender>; 2]> {
    let mut throughput = Series::new("throughput", Unit::MatchesPerSecond);
    let mut cpu = Series::new("server CPU per match", Unit::Micros);
    for round in 0..plan.rounds {
        for contender in bench.round_order(round) {
            bench.announce(format!(
                "throughput, round {} of {}: {}",
                round + 1,
                plan.rounds,
                contender.name()
            ));
            let (server, _cores) = SeparateCores::from(async { bench.start(contender) }).await?;
            let load = run_load(&server, plan, &bench.numbers).await?;
            bench.count(contender, RunCounts::count(&load.offers, &load.arrivals));
            throughput.add(contender, load.matches_per_second(plan.window));
            cpu.add(contender, load.cpu_us_per_offer());
        }
    }
    Ok([throughput, cpu])
}

struct Load {
    start: Instant,
    server_cpu: Duration,
    offers: Vec<Offer>,
    arrivals: Vec<Arrival>,
}

impl Load {
    fn matches_per_second(&self, window: Duration) -> f64 {
        let interval = self.start..self.start + window;
        let in_window = self.offers.iter().filter(|offer| offer.warm && interval.contains(&offer.answered));
        number(in_window.count()) / window.as_secs_f64()
    }

    /// CPU time of the server per offer, in microseconds; on a shared machine it is more stable than throughput.
    fn cpu_us_per_offer(&self) -> f64 {
        self.server_cpu.as_secs_f64() * 1e6 / number(self.offers.len())
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a round has fewer than four billion offers"))
}

async fn run_load(server: &Server, plan: ThroughputPlan, numbers: &RunNumbers) -> Result<Load> {
    let _awake = BusyLoop::new();
    let mut fleet = park(server.address()).await?;
    let cpu_before = server.cpu_time()?;
    let start = Instant::now() + plan.warm_up;
    let offers = offer_until(server.address(), start + plan.window, numbers).await?;
    let server_cpu = server.cpu_time()?.saturating_sub(cpu_before);
    let warm = offers.iter().filter(|offer| offer.warm).count();
    fleet.arrivals().wait_for(warm, ARRIVALS_TIMEOUT).await;
    fleet.check()?;
    Ok(Load { start, server_cpu, offers, arrivals: fleet.arrivals().take() })
}

async fn park(server: SocketAddr) -> Result<Fleet> {
    Fleet::park(FleetPlan {
        server,
        runners: RUNNERS,
        pools: POOLS,
        origin: Origin::OneAddress,
        pause: Duration::ZERO,
    })
    .await
}

async fn offer_until(server: SocketAddr, end: Instant, numbers: &RunNumbers) -> Result<Vec<Offer>> {
    let mut supervisors = JoinSet::new();
    for index in 0..SUPERVISORS {
        let supervisor = Supervisor::connect(server, POOLS, numbers.clone()).await?;
        supervisors.spawn(supervisor.offer_until(end, index));
    }
    let mut offers = Vec::new();
    while let Some(ended) = supervisors.join_next().await {
        offers.extend(ended??);
    }
    Ok(offers)
}
