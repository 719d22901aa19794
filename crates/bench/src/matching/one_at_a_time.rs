//! The latency of a single offer without other load: until its answer, and until its run has reached a runner.
//!
//! There is one supervisor. It sends the next offer when the previous one is answered, its run has arrived and the
//! server is idle again. The servers are measured in alternating blocks, so that a disturbance affects all of them, and
//! run on a core separate from the load.

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

/// When runners poll again after a run.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Repoll {
    /// Immediately, on the same connection: the main figure.
    AtOnce,
    /// After 60 ms, on the same connection: the runner's kernel has no data to send with an acknowledgement, and may
    /// delay it.
    AfterPause,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct LatencyPlan {
    pub(crate) blocks: usize,
    pub(crate) offers: usize,
    pub(crate) repoll: Repoll,
}

const RUNNERS: usize = 16;
const PAUSE_BETWEEN_POLLS: Duration = Duration::from_millis(60);
/// The time limit of a block: a server with slow answers must not block the bench.
const BLOCK_TIMEOUT: Duration = Duration::from_secs(5);
const ARRIVAL_TIMEOUT: Duration = Duration::from_secs(1);
/// The pause in which the server becomes idle. A server that is still reading the runner's new poll is awake and
/// answers the next offer sooner. A server that waits for acknowledgements has already read that poll when it answers,
/// so without this pause it would appear 15 us slower than it is.
const IDLE_PAUSE: Duration = Duration::from_micros(100);
/// The pause between offers to a pool whose runner has not polled again yet.
const PAUSE: Duration = Duration::from_millis(1);

pub(crate) async fn measure(bench: &mut Bench, plan: LatencyPlan) -> Result<[Series<Contender>; 4]> {
    let (mut setups, _cores) = SeparateCores::from(start_setups(bench, plan.repoll)).await?;
    let mut series = plan.repoll.series_names().map(|name| Series::new(name, Unit::Micros));
    // Block 0 is a warm-up and is not counted.
    for block in 0..=plan.blocks {
        for contender in bench.round_order(block) {
            let setup = setups
                .iter_mut()
                .find(|setup| setup.contender == contender)
                .expect("every contender has a setup");
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
            Self::AfterPause => "one at a time, rested runners",
        }
    }

    fn series_names(self) -> [&'static str; 4] {
        match self {
            Self::AtOnce => ["answer p50", "answer p99", "arrival p50", "arrival p99"],
            Self::AfterPause => [
                "answer p50, rested runners",
                "answer p99, rested runners",
                "arrival p50, rested runners",
                "arrival p99, rested runners",
            ],
        }
    }

    /// With `AfterPause`, each runner has its own pool, because an offer to a shared pool would get the runner that
    /// polled last.
    fn pools(self) -> usize {
        match self {
            Self::AtOnce => 1,
            Self::AfterPause => RUNNERS,
        }
    }

    fn pause(self) -> Duration {
        match self {
            Self::AtOnce => Duration::ZERO,
            Self::AfterPause => PAUSE_BETWEEN_POLLS,
        }
    }
}

/// One contender's server with its runners and its supervisor.
struct MatchSetup {
    contender: Contender,
    supervisor: Supervisor,
    fleet: Fleet,
    pools: usize,
    // The server is stopped when the setup is dropped.
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
        let end = Instant::now() + BLOCK_TIMEOUT;
        let mut block = Block::default();
        for index in 0..offers {
            let offer = self.offer_until_warm(index % self.pools).await?;
            block.offers.push(offer);
            self.fleet.arrivals().wait_for(1, ARRIVAL_TIMEOUT).await;
            block.arrivals.extend(self.fleet.arrivals().take());
            yield_for(IDLE_PAUSE).await;
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
            series.add(contender, value.context("no run of a block arrived")?);
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

/// Waits without sleeping: a timer is too coarse, and the load generator's core must stay awake.
async fn yield_for(pause: Duration) {
    let end = Instant::now() + pause;
    while Instant::now() < end {
        yield_now().await;
    }
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
