//! Simulated supervisors: they offer runs and record the answers.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::client::HttpConnection;

/// One offer and its answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct OfferResult {
    pub(super) run: u32,
    pub(super) warm: bool,
    pub(super) offered: Instant,
    pub(super) answered: Duration,
}

/// A supervisor's connection.
pub(super) struct Supervisor {
    client: HttpConnection,
}

impl Supervisor {
    pub(super) async fn connect(service: SocketAddr) -> io::Result<Self> {
        Ok(Self { client: HttpConnection::connect(service).await? })
    }

    /// Offers one run. `padding` is a number of bytes added to its message.
    pub(super) async fn offer(
        &mut self,
        run: u32,
        deployment: &str,
        padding: usize,
    ) -> io::Result<OfferResult> {
        let body = offer(run, deployment, padding);
        let offered = Instant::now();
        self.client.send("POST /warm-start HTTP/1.1\r\n", body.as_bytes()).await?;
        let answer = self.client.answer().await?;
        let warm = answer == br#"{"didWarmStart":true}"#;
        Ok(OfferResult { run, warm, offered, answered: offered.elapsed() })
    }
}

fn offer(run: u32, deployment: &str, padding: usize) -> String {
    let padding = "x".repeat(padding);
    format!(
        r#"{{"dequeuedMessage":{{"version":"1","completedWaitpoints":["{padding}"],"backgroundWorker":{{"version":"20261122.1"}},"deployment":{{"friendlyId":"{deployment}"}},"run":{{"friendlyId":"run_{run}","machine":{{"cpu":0.5,"memory":0.5}}}},"number":{run}}}}}"#
    )
}
