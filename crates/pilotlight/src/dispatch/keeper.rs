//! The reconciler of matching: lets go of polls whose clients have no time-outs, forgets runners that never came
//! back, and looks at connections whose last answer is in question. Safe to repeat at any time.

use std::sync::Arc;
use std::time::Duration;

use super::dispatcher::Dispatcher;
use crate::net::linger::Linger;

/// Fine enough for time-outs of seconds, and for a reset to be told soon.
const EVERY: Duration = Duration::from_millis(100);

impl Dispatcher {
    /// Keeps house until dropped.
    pub async fn keep(self: Arc<Self>, linger: Arc<Linger>) {
        loop {
            tokio::time::sleep(EVERY).await;
            let let_go = self.matching().keep(self.clock.now());
            self.metrics.let_go_polls.inc_by(let_go.len() as u64);
            linger.look();
        }
    }
}
