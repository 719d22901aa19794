//! Waits for something of a job to change. A look now and then covers what other instances on the same store do.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

/// How often it is looked again without having been told.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Somebody who waits for changes of a job.
#[derive(Debug)]
pub struct Watch {
    changes: watch::Receiver<u64>,
}

impl Watch {
    pub(super) const fn new(changes: watch::Receiver<u64>) -> Self {
        Self { changes }
    }

    /// Something of the job may have changed since the last time, or the service stops. Ends after a second at the
    /// latest.
    pub async fn changed(&mut self) {
        // Over time, or nobody changes anything any more: both mean to look.
        _ = timeout(LOOK_EVERY, self.changes.changed()).await;
    }
}
