//! How long one offer takes when nothing else is going on: until its answer, and until its run is at a runner.
//!
//! One supervisor; the next offer goes out when the last is answered, its run has arrived and the server is at
//! rest again. The servers take turns in blocks, so that a disturbance meets them all, and have a core of their
//! own, apart from the load.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::bench::Bench;
use super::contender::Contender;
use crate::load::run_counts::{Arrival, Offer, RunCounts};
use crate::load::runner::{Fleet, FleetPlan, Origin};
use crate::load::supervisor::Supervisor;
use crate::separate_cores::SeparateCores;
use crate::series::{Series, Unit, quantile};
use crate::server_process::Server;

/// How runners come back, and so how many there must be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Repoll {
    /// On the same connection at once: the main figure.
    AtOnce,
    /// On the same connection after 60 ms: their kernels have nothing to send an acknowledgement with, and may delay it.
    AfterRest,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct LatencyPlan {
    pub(crate) blocks: usize,
    pub(crate) offers: usize,
    pub(crate) repoll: Repoll,
}

const RUNNERS: usize = 16;
const PAUSE_BETWEEN_POLLS: Duration = Duration::from_millis(60);
/// A server whose answers are held back must not hold up the bench.
const BLOCK_AT_MOST: Duration = Duration::from_secs(5);
const ARRIVAL_AT_MOST: Duration = Duration::from_secs(1);
/// A server that still reads the last runner's new poll is awake, and answers the next offer sooner. One that has
/// waited for an acknowledgement has read it before; without this pause it would look 15 us slower than it is.
const SERVER_AT_REST_AFTER: Duration = Duration::from_micros(100);
/// Between offers to a pool whose runner is not back yet.
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) async fn measure(bench: &mut Bench, plan: LatencyPlan) -> Result<[Series<Contender>; 4]> {
    let (mut setups, _apart) = SeparateCores::from(start_setups(bench, plan.repoll)).await?;
    let mut series = plan.repoll.series_names().map(|name| Series::new(name, Unit::Micros));
    // The first block of all warms up.
    for block in 0..=plan.blocks {
        for contender in bench.round_order(block) {
            let setup = setups
                .iter_mut()
                .find(|setup| setup.contender == contender)
                .expect("every contender has a lane");
            bench.announce(format!(
                "{}, block {block} of {}: {}",
                plan.repoll.label(),
                plan.blocks,
                contender.name()
            ));
            let measured = setup.block(plan.offers).await?;
            bench.count(contender, measured.run_counts());
            if block > 0 {
                measured.add_to(&mut series, contender)?;
            }
        }
    }
    Ok(series)
}

impl Repoll {
    fn label(self) -> &'static str {
        match self {
            Self::AtOnce => "one at a time",
            Self::AfterRest => "one at a time, rested runners",
        }
    }

    fn series_names(self) -> [&'static str; 4] {
        match self {
            Self::AtOnce => ["answer p50", "answer p99", "arrival p50", "arrival p99"],
            Self::AfterRest => [
                "answer p50, rested runners",
                "answer p99, rested runners",
                "arrival p50, rested runners",
                "arrival p99, rested runners",
            ],
        }
    }

    /// A pool of their own for rested runners: the next offer finds one that has just come back.
    fn pools(self) -> usize {
        match self {
            Self::AtOnce => 1,
            Self::AfterRest => RUNNERS,
        }
    }

    fn pause(self) -> Duration {
        match self {
            Self::AtOnce => Duration::ZERO,
            Self::AfterRest => PAUSE_BETWEEN_POLLS,
        }
    }
}

/// One contender's server with its runners and its supervisor.
struct MatchSetup {
    contender: Contender,
    supervisor: Supervisor,
    fleet: Fleet,
    pools: usize,
    // Ends with its lane.
    _server: Server,
}

async fn start_setups(bench: &Bench, repoll: Repoll) -> Result<Vec<MatchSetup>> {
    let mut setups = Vec::new();
    for contender in bench.round_order(0) {
        setups.push(MatchSetup::start(bench, contender, repoll).await?);
    }
    Ok(setups)
}

impl MatchSetup {
    async fn start(bench: &Bench, contender: Contender, repoll: Repoll) -> Result<Self> {
        let server = bench.start(contender)?;
        let (address, pools) = (server.address(), repoll.pools());
        let plan = FleetPlan {
            server: address,
            runners: RUNNERS,
            pools,
            origin: Origin::OneAddress,
            pause: repoll.pause(),
        };
        let fleet = Fleet::park(plan).await?;
        let supervisor = Supervisor::connect(address, pools, bench.numbers.clone()).await?;
        Ok(Self { contender, supervisor, fleet, pools, _server: server })
    }

    async fn block(&mut self, offers: usize) -> Result<Block> {
        let end = Instant::now() + BLOCK_AT_MOST;
        let mut block = Block::default();
        for index in 0..offers {
            let offer = self.offer_until_warm(index % self.pools).await?;
            block.offers.push(offer);
            self.fleet.arrivals().wait_for(1, ARRIVAL_AT_MOST).await;
            block.arrivals.extend(self.fleet.arrivals().take());
            yield_for(SERVER_AT_REST_AFTER).await;
            if offer.answered > end {
                break;
            }
        }
        self.fleet.check()?;
        Ok(block)
    }

    async fn offer_until_warm(&mut self, pool: usize) -> Result<Offer> {
        loop {
            let offer = self.supervisor.offer(pool).await?;
            if offer.warm {
                return Ok(offer);
            }
            sleep(PAUSE).await;
        }
    }
}

#[derive(Default)]
struct Block {
    offers: Vec<Offer>,
    arrivals: Vec<Arrival>,
}

impl Block {
    fn run_counts(&self) -> RunCounts {
        RunCounts::count(&self.offers, &self.arrivals)
    }

    fn add_to(&self, series: &mut [Series<Contender>; 4], contender: Contender) -> Result<()> {
        let waits = [self.answers_us(), self.arrivals_us()];
        let values =
            waits.into_iter().flat_map(|waits| [quantile(waits.clone(), 0.5), quantile(waits, 0.99)]);
        for (series, value) in series.iter_mut().zip(values) {
            series.add(contender, value.context("no run of a whole block arrived")?);
        }
        Ok(())
    }

    fn answers_us(&self) -> Vec<f64> {
        self.offers.iter().map(|offer| micros(offer.wait())).collect()
    }

    fn arrivals_us(&self) -> Vec<f64> {
        let pairs = self.arrivals.iter().filter_map(|arrival| {
            let offer = self.offers.binary_search_by_key(&arrival.number, |offer| offer.number).ok()?;
            Some(arrival.at - self.offers[offer].posted)
        });
        pairs.map(micros).collect()
    }
}

/// A timer would be too coarse, and the load's core would sleep meanwhile.
async fn yield_for(pause: Duration) {
    let end = Instant::now() + pause;
    while Instant::now() < end {
        yield_now().await;
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
