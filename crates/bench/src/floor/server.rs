//! Accepts the floor's connections; each has its own task.

use std::sync::Arc;

use anyhow::{Context, Result};
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::task::JoinSet;

use super::connection;
use super::match_maker::MatchMaker;
use crate::listener::{announce, listen};

/// Two threads, because the goals are stated for a machine with two cores.
const WORKERS: usize = 2;

/// Serves on the loopback address until the process is killed. The first line on stdout is the address.
pub(crate) fn serve(port: u16) -> Result<()> {
    let runtime = runtime::Builder::new_multi_thread().worker_threads(WORKERS).enable_io().build()?;
    // Runs on a worker thread, because `block_on` would use a third thread.
    runtime.block_on(runtime.spawn(listen_and_accept(port)))?
}

async fn listen_and_accept(port: u16) -> Result<()> {
    let listener = listen(port).with_context(|| format!("listen on port {port}"))?;
    announce(listener.local_addr()?)?;
    accept(listener).await
}

async fn accept(listener: TcpListener) -> Result<()> {
    let match_maker = Arc::new(MatchMaker::default());
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.context("accept a connection")?;
        stream.set_nodelay(true)?;
        connections.spawn(connection::serve(stream, match_maker.clone()));
        while connections.try_join_next().is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::load::run_counts::RunCounts;
    use crate::load::runner::{Fleet, FleetPlan, Origin};
    use crate::load::supervisor::{RunNumbers, Supervisor};

    #[tokio::test]
    async fn every_offered_run_reaches_a_runner_of_its_pool() -> Result<()> {
        let listener = listen(0)?;
        let server = listener.local_addr()?;
        let mut floor = JoinSet::new();
        floor.spawn(accept(listener));
        let (origin, pause) = (Origin::SeveralAddresses, Duration::ZERO);
        let mut fleet = Fleet::park(FleetPlan { server, runners: 6, pools: 3, origin, pause }).await?;
        let mut supervisor = Supervisor::connect(server, 3, RunNumbers::default()).await?;
        let mut offers = Vec::new();
        for index in 0..300 {
            offers.push(supervisor.offer(index % 3).await?);
        }
        let warm = offers.iter().filter(|offer| offer.warm).count();
        fleet.arrivals().wait_for(warm, Duration::from_secs(5)).await;
        fleet.check()?;
        let run_counts = RunCounts::count(&offers, &fleet.arrivals().take());
        assert!(run_counts.warm > 0);
        assert_eq!(
            run_counts,
            RunCounts { warm: run_counts.warm, cold: run_counts.cold, ..RunCounts::default() }
        );
        Ok(())
    }
}
