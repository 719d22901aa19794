//! The warm-start scene: runners of three deployments wait, supervisors offer runs, one runner dies silently in the
//! middle, and some runs have no runner at all.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use super::report::WarmStartReport;
use super::runner::{self, ReceivedRuns};
use super::supervisor::{OfferResult, Supervisor};

const DEPLOYMENTS: [&str; 3] = ["deployment_resize-images", "deployment_send-mail", "deployment_transcribe"];
const WITHOUT_RUNNERS: &str = "deployment_new-version";
const RUNNERS_EACH: usize = 8;
const SUPERVISORS: usize = 4;

/// One of this many runs belongs to a deployment that has no runner yet.
const COLD_ONE_IN: u32 = 50;

/// The size of the run offered to the dead runner: larger than its kernel accepts, so that the acknowledgement is
/// missing.
const LARGE_RUN: usize = 512 * 1024;

const DEADLINE: Duration = Duration::from_secs(30);

/// Runs the scene with `runs` runs against a service without other clients.
///
/// # Errors
/// A connection to the service fails, or the runners do not start to poll in time.
pub(crate) async fn run(service: SocketAddr, runs: u32) -> io::Result<WarmStartReport> {
    let scene = Scene { service, runs, received: Arc::default(), bar: bar(runs) };
    let offer_results = scene.run().await?;
    Ok(WarmStartReport::new(&offer_results, &scene.received.take()))
}

struct Scene {
    service: SocketAddr,
    runs: u32,
    received: Arc<ReceivedRuns>,
    bar: ProgressBar,
}

impl Scene {
    async fn run(&self) -> io::Result<Vec<OfferResult>> {
        let mut runners = self.runners();
        self.wait_for(RUNNERS_EACH * DEPLOYMENTS.len()).await?;
        let mut offer_results = self.offers(0..self.runs / 2).await?;
        offer_results.push(self.offer_to_a_dead_runner().await?);
        offer_results.extend(self.offers(self.runs / 2 + 1..self.runs).await?);
        self.bar.finish_and_clear();
        runners.shutdown().await;
        Ok(offer_results)
    }

    fn runners(&self) -> JoinSet<()> {
        let mut runners = JoinSet::new();
        for deployment in DEPLOYMENTS {
            for number in 0..RUNNERS_EACH {
                let (service, received) = (self.service, Arc::clone(&self.received));
                let name = format!("{deployment}-{number}");
                runners.spawn(async move { runner::work(service, deployment, name, received).await });
            }
        }
        runners
    }

    /// The service selects the newest poll, so it selects the runner that polled last and died.
    async fn offer_to_a_dead_runner(&self) -> io::Result<OfferResult> {
        self.wait_for(RUNNERS_EACH * DEPLOYMENTS.len()).await?;
        let _dead = runner::die_silently(self.service, DEPLOYMENTS[0]).await?;
        self.wait_for(RUNNERS_EACH * DEPLOYMENTS.len() + 1).await?;
        let mut supervisor = Supervisor::connect(self.service).await?;
        let offer_results = supervisor.offer(self.runs / 2, DEPLOYMENTS[0], LARGE_RUN).await?;
        self.bar.inc(1);
        Ok(offer_results)
    }

    async fn offers(&self, runs: std::ops::Range<u32>) -> io::Result<Vec<OfferResult>> {
        let next = Arc::new(AtomicU32::new(runs.start));
        let mut supervisors = JoinSet::new();
        for _ in 0..SUPERVISORS {
            let (service, next, bar, end) = (self.service, Arc::clone(&next), self.bar.clone(), runs.end);
            supervisors.spawn(async move { supervise(service, &next, end, &bar).await });
        }
        let mut offer_results = Vec::new();
        while let Some(offered) = supervisors.join_next().await {
            offer_results.extend(offered??);
        }
        Ok(offer_results)
    }

    async fn wait_for(&self, waiting: usize) -> io::Result<()> {
        let all_wait = async {
            let mut client = super::client::HttpConnection::connect(self.service).await?;
            loop {
                client.send("GET /health HTTP/1.1\r\n", b"").await?;
                let health: serde_json::Value = serde_json::from_slice(&client.answer().await?)?;
                if health["waitingRunners"] == waiting {
                    return io::Result::Ok(());
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(DEADLINE, all_wait).await?
    }
}

async fn supervise(
    service: SocketAddr,
    next: &AtomicU32,
    end: u32,
    bar: &ProgressBar,
) -> io::Result<Vec<OfferResult>> {
    let mut supervisor = Supervisor::connect(service).await?;
    let mut offer_results = Vec::new();
    loop {
        let run = next.fetch_add(1, Ordering::Relaxed);
        if run >= end {
            return Ok(offer_results);
        }
        let deployment = match run % COLD_ONE_IN {
            0 => WITHOUT_RUNNERS,
            _ => DEPLOYMENTS[run as usize % DEPLOYMENTS.len()],
        };
        offer_results.push(supervisor.offer(run, deployment, 0).await?);
        bar.inc(1);
        // Supervisors offer runs a little slower than runners poll again, so that the scene has no shortage of runners.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn bar(runs: u32) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} offering runs {wide_bar:.green} {pos}/{len}");
    let bar = ProgressBar::new(runs.into());
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
