//! The memory of a parked poll: resident memory of the server before and after thousands of polls are parked.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::time::sleep;

use super::bench::Bench;
use super::contender::Contender;
use crate::load::run_counts::RunCounts;
use crate::load::runner::{Fleet, FleetPlan, Origin};
use crate::load::supervisor::Supervisor;
use crate::series::{Series, Unit};
use crate::server_process::Server;

const POOLS: usize = 10;
/// Runners and offers before the measurement: code pages and caches of the first use must not count as memory of polls.
const WARM_UP_RUNNERS: usize = 100;
const WARM_UP_OFFERS: usize = 1_000;
/// Offers after the measurement, which must all be warm: this shows that the polls are still parked.
const CLOSING_OFFERS: usize = 100;

const STABLE_TIMEOUT: Duration = Duration::from_secs(10);
const SAMPLE_INTERVAL: Duration = Duration::from_millis(200);
const EQUAL_SAMPLES: usize = 4;
const ARRIVALS_TIMEOUT: Duration = Duration::from_secs(2);

pub(crate) async fn measure(bench: &mut Bench, polls: usize) -> Result<Series<Contender>> {
    let mut series = Series::new("memory per parked poll", Unit::Kib);
    for contender in bench.round_order(0) {
        // A poll needs the same memory with and without the acknowledgement.
        if contender != Contender::AckOff {
            bench.announce(format!("memory of {polls} parked polls: {}", contender.name()));
            let kib = kib_per_poll(bench, contender, polls).await?;
            series.add(contender, kib);
        }
    }
    Ok(series)
}

async fn kib_per_poll(bench: &mut Bench, contender: Contender, polls: usize) -> Result<f64> {
    let server = bench.start(contender)?;
    let warm_up = park(&server, WARM_UP_RUNNERS).await?;
    bench.count(contender, offer(bench, &server, &warm_up, WARM_UP_OFFERS).await?);
    drop(warm_up);
    let before = settled_kib(&server).await?;
    let mut fleet = park(&server, polls).await?;
    let after = settled_kib(&server).await?;
    let closed = fleet.arrivals().closed_polls();
    ensure!(closed == 0, "the server closed {closed} of {polls} polls while they were counted");
    let run_counts = offer(bench, &server, &fleet, CLOSING_OFFERS).await?;
    ensure!(
        run_counts.cold == 0,
        "{} of {CLOSING_OFFERS} offers found no poll among {polls}",
        run_counts.cold
    );
    fleet.check()?;
    bench.count(contender, run_counts);
    Ok(kib(after.saturating_sub(before)) / kib(u64::try_from(polls)?))
}

async fn park(server: &Server, runners: usize) -> Result<Fleet> {
    let (server, pause) = (server.address(), Duration::ZERO);
    Fleet::park(FleetPlan { server, runners, pools: POOLS, origin: Origin::SeveralAddresses, pause }).await
}

async fn offer(bench: &Bench, server: &Server, fleet: &Fleet, count: usize) -> Result<RunCounts> {
    let mut supervisor = Supervisor::connect(server.address(), POOLS, bench.numbers.clone()).await?;
    let mut offers = Vec::with_capacity(count);
    for index in 0..count {
        offers.push(supervisor.offer(index % POOLS).await?);
    }
    let warm = offers.iter().filter(|offer| offer.warm).count();
    fleet.arrivals().wait_for(warm, ARRIVALS_TIMEOUT).await;
    Ok(RunCounts::count(&offers, &fleet.arrivals().take()))
}

/// Resident memory when it has stopped changing, or after [`STABLE_TIMEOUT`].
async fn settled_kib(server: &Server) -> Result<u64> {
    let end = Instant::now() + STABLE_TIMEOUT;
    let mut last = server.resident_kib()?;
    let mut equal_samples = 0;
    while equal_samples < EQUAL_SAMPLES && Instant::now() < end {
        sleep(SAMPLE_INTERVAL).await;
        let now = server.resident_kib()?;
        equal_samples = if now == last { equal_samples + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}

fn kib(count: u64) -> f64 {
    f64::from(u32::try_from(count).expect("the server uses less than four terabytes"))
}
