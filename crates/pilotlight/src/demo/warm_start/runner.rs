//! Simulated runners: one that executes runs, and one that dies silently.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::client::HttpConnection;

/// How long a simulated run takes.
const WORKS_FOR: Duration = Duration::from_millis(2);

/// The runs that runners received, each with the time of its arrival.
#[derive(Debug, Default)]
pub(super) struct ReceivedRuns(Mutex<Vec<(u32, Instant)>>);

impl ReceivedRuns {
    fn record(&self, run: u32) {
        self.0.lock().expect("nothing panics under this lock").push((run, Instant::now()));
    }

    pub(super) fn take(&self) -> Vec<(u32, Instant)> {
        std::mem::take(&mut *self.0.lock().expect("nothing panics under this lock"))
    }
}

/// Polls, executes a run, and polls again, until the service closes the connection.
pub(super) async fn work(service: SocketAddr, deployment: &str, name: String, received: Arc<ReceivedRuns>) {
    let poll = poll(deployment, &name);
    let worked: io::Result<()> = async {
        let mut client = HttpConnection::connect(service).await?;
        loop {
            client.send(&poll, b"").await?;
            let run = client.answer().await?;
            received.record(number(&run));
            tokio::time::sleep(WORKS_FOR).await;
        }
    }
    .await;
    tracing::debug!(name, ?worked, "a simulated runner stopped");
}

/// Polls and then never reads: to the service this looks like a machine that lost its power. The connection is open
/// until the returned value is dropped.
pub(super) async fn die_silently(service: SocketAddr, deployment: &str) -> io::Result<HttpConnection> {
    let mut client = HttpConnection::connect_with_small_buffer(service).await?;
    client.send(&poll(deployment, "runner-that-dies"), b"").await?;
    Ok(client)
}

fn poll(deployment: &str, name: &str) -> String {
    format!(
        "GET /warm-start HTTP/1.1\r\nx-trigger-deployment-id: {deployment}\r\n\
         x-trigger-deployment-version: 20261122.1\r\nx-trigger-workload-controller-id: {name}\r\n\
         x-trigger-machine-cpu: 0.5\r\nx-trigger-machine-memory: 0.5\r\nx-trigger-worker-instance-name: demo\r\n"
    )
}

/// The run's number: the last number in the message, where the supervisor wrote it.
fn number(message: &[u8]) -> u32 {
    let digits = message.iter().rev().skip_while(|byte| !byte.is_ascii_digit());
    let digits: Vec<u8> = digits.take_while(|byte| byte.is_ascii_digit()).copied().collect();
    digits.iter().rev().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_run_is_identified_by_the_number_at_its_end() {
        assert_eq!(super::number(br#"{"cpu": 5, "number": 1024}"#), 1024);
    }
}
