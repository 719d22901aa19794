//! A simulated supervisor: offers runs over one keep-alive connection, each after the previous offer was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use anyhow::{Context, Result, bail};

use super::connection::{Connection, Response, Route};
use super::request;
use super::run_counts::Offer;
use crate::message::{Message, RunNumber};

/// The source of unique run numbers for all supervisors of the process.
#[derive(Debug, Default, Clone)]
pub(crate) struct RunNumbers(Arc<AtomicU64>);

impl RunNumbers {
    fn next(&self) -> RunNumber {
        RunNumber(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

pub(crate) struct Supervisor {
    connection: Connection,
    requests: Vec<Message>,
    numbers: RunNumbers,
}

impl Supervisor {
    pub(crate) async fn connect(server: SocketAddr, pools: usize, numbers: RunNumbers) -> Result<Self> {
        let route = Route { source: None, server };
        let connection = Connection::open(route).await?;
        let requests = (0..pools).map(|pool| request::offer(server, pool)).collect();
        Ok(Self { connection, requests, numbers })
    }

    /// Offers one run of this pool and waits for the answer.
    pub(crate) async fn offer(&mut self, pool: usize) -> Result<Offer> {
        let number = self.numbers.next();
        let request = self.requests[pool].numbered(number);
        let posted = Instant::now();
        self.connection.send(request).await?;
        let response = self.connection.receive().await?;
        let answered = Instant::now();
        let warm = did_warm_start(
            &response.context("the server closed the connection instead of answering an offer")?,
        )?;
        Ok(Offer { number, posted, answered, warm })
    }

    /// Offers without a pause, pool after pool beginning with `pool`, until `end`.
    pub(crate) async fn offer_until(mut self, end: Instant, mut pool: usize) -> Result<Vec<Offer>> {
        let mut offers = Vec::new();
        loop {
            let offer = self.offer(pool).await?;
            offers.push(offer);
            if offer.answered >= end {
                return Ok(offers);
            }
            pool = (pool + 1) % self.requests.len();
        }
    }
}

fn did_warm_start(response: &Response<'_>) -> Result<bool> {
    match (response.status, response.body) {
        (200, br#"{"didWarmStart":true}"#) => Ok(true),
        (200, br#"{"didWarmStart":false}"#) => Ok(false),
        (status, body) => bail!("an offer was answered {status}: {:.200}", String::from_utf8_lossy(body)),
    }
}
