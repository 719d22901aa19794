//! Simulated runners: each parks a poll, receives a run, checks it byte for byte, and polls again on the same
//! connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::connection::{Connection, Response, Route};
use super::request;
use super::run_counts::Arrival;
use crate::message::{Message, RunNumber};

const RECONNECT_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy)]
pub(crate) struct FleetPlan {
    pub(crate) server: SocketAddr,
    pub(crate) runners: usize,
    pub(crate) pools: usize,
    pub(crate) origin: Origin,
    /// How long a runner waits between its run and its next poll; zero means not at all.
    pub(crate) pause: Duration,
}

/// The source addresses of a fleet. One address has ports for about 28,000 connections to one server.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Origin {
    OneAddress,
    SeveralAddresses,
}

const ADDRESSES: [u8; 8] = [2, 3, 4, 5, 6, 7, 8, 9];

impl FleetPlan {
    fn route(&self, runner: usize) -> Route {
        let source = match self.origin {
            Origin::OneAddress => None,
            Origin::SeveralAddresses => Some(Ipv4Addr::new(127, 0, 0, ADDRESSES[runner % ADDRESSES.len()])),
        };
        Route { source, server: self.server }
    }
}

/// The runners of one server. They stop when this value is dropped.
pub(crate) struct Fleet {
    runners: JoinSet<Result<()>>,
    arrivals: Arc<Arrivals>,
}

impl Fleet {
    /// Connects every runner and sends its first poll. It does not wait until the server has read the polls.
    pub(crate) async fn park(plan: FleetPlan) -> Result<Self> {
        let mut fleet = Self { runners: JoinSet::new(), arrivals: Arc::default() };
        for index in 0..plan.runners {
            let runner = Runner::connect(plan, index, fleet.arrivals.clone()).await?;
            fleet.runners.spawn(runner.work());
        }
        Ok(fleet)
    }

    pub(crate) fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// Returns the first error of a runner, if there was one.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.runners.try_join_next() {
            None => Ok(()),
            Some(ended) => ended.context("a runner's task ended")?,
        }
    }
}

/// The runs that the runners of one fleet have received so far.
#[derive(Default)]
pub(crate) struct Arrivals {
    list: Mutex<Vec<Arrival>>,
    changed: Notify,
    closed_polls: AtomicUsize,
}

impl Arrivals {
    /// Waits until `count` runs have arrived, at most for `longest`. Missing runs are counted by `run_counts`.
    pub(crate) async fn wait_for(&self, count: usize, longest: Duration) {
        let all_arrived = async {
            while self.list().len() < count {
                self.changed.notified().await;
            }
        };
        timeout(longest, all_arrived).await.ok();
    }

    pub(crate) fn take(&self) -> Vec<Arrival> {
        std::mem::take(&mut *self.list())
    }

    /// How many polls the server has closed without sending a byte.
    pub(crate) fn closed_polls(&self) -> usize {
        self.closed_polls.load(Ordering::Relaxed)
    }

    fn add(&self, arrival: Arrival) {
        self.list().push(arrival);
        self.changed.notify_one();
    }

    fn list(&self) -> MutexGuard<'_, Vec<Arrival>> {
        self.list.lock().expect("no holder of this lock can panic")
    }
}

struct Runner {
    plan: FleetPlan,
    index: usize,
    connection: Connection,
    poll: Vec<u8>,
    expected: Message,
    arrivals: Arc<Arrivals>,
}

impl Runner {
    async fn connect(plan: FleetPlan, index: usize, arrivals: Arc<Arrivals>) -> Result<Self> {
        let pool = index % plan.pools;
        let mut connection = Connection::open(plan.route(index)).await?;
        let poll = request::poll(plan.server, pool, index);
        connection.send(&poll).await?;
        Ok(Self { plan, index, connection, poll, expected: Message::new(pool), arrivals })
    }

    async fn work(mut self) -> Result<()> {
        loop {
            self.wait_for_run().await.with_context(|| format!("runner {}", self.index))?;
            if !self.plan.pause.is_zero() {
                sleep(self.plan.pause).await;
            }
            self.connection.send(&self.poll).await?;
        }
    }

    async fn wait_for_run(&mut self) -> Result<()> {
        loop {
            let Some(response) = self.connection.receive().await? else {
                self.reconnect().await?;
                continue;
            };
            let at = Instant::now();
            let number = run_number(&response, &mut self.expected)?;
            self.arrivals.add(Arrival { number, at });
            return Ok(());
        }
    }

    /// Connects and polls again after a pause, as the real client does when its poll was closed without a byte.
    async fn reconnect(&mut self) -> Result<()> {
        self.arrivals.closed_polls.fetch_add(1, Ordering::Relaxed);
        sleep(RECONNECT_PAUSE).await;
        self.connection = Connection::open(self.plan.route(self.index)).await?;
        self.connection.send(&self.poll).await
    }
}

fn run_number(response: &Response<'_>, expected: &mut Message) -> Result<RunNumber> {
    match (response.status, expected.recognise(response.body)) {
        (200, Some(number)) => Ok(number),
        (status, _) => bail!(
            "answered {status} with {} bytes that are not a run of this pool: {:.200}",
            response.body.len(),
            String::from_utf8_lossy(response.body)
        ),
    }
}
