//! One contender's server. It runs during the whole bench, because filling a store for every round would take too long.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};

use super::caller::Caller;
use super::calls::Numbers;
use super::contender::Contender;
use crate::binaries::Binaries;
use crate::folder::Folder;
use crate::server_process::Server;

/// The number of jobs that are computed before the measurement, to be answered from the cache.
pub(super) const CACHED_JOBS: u64 = 1_000;
/// The number of the first cached job; the numbers of new jobs are higher than those of all cached jobs.
pub(super) const FIRST_CACHED: u64 = 100_000;

pub(super) struct JobsSetup {
    pub(super) contender: Contender,
    pub(super) server: Server,
}

impl JobsSetup {
    /// Starts the server in this folder, which may already contain its store.
    pub(super) fn start(contender: Contender, folder: Folder, binaries: &Binaries) -> Result<Self> {
        let server = match contender {
            Contender::Null | Contender::NullAgain | Contender::Commits => {
                Server::start_in(folder, &std::env::current_exe()?, &["null"], &[])
            }
            Contender::Before => start_product(folder, binaries.against()?),
            Contender::Empty | Contender::Stored => start_product(folder, binaries.server()?),
        };
        let server = server.with_context(|| format!("start the server \"{}\"", contender.name()))?;
        Ok(Self { contender, server })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Computes the jobs that are answered from the cache later.
    pub(super) async fn compute_cached(&self, numbers: &Numbers) -> Result<()> {
        let mut caller = Caller::connect(self.address(), numbers.clone()).await?;
        for number in 0..CACHED_JOBS {
            caller.compute_cached(FIRST_CACHED + number).await?;
        }
        Ok(())
    }
}

fn start_product(folder: Folder, binary: &Path) -> Result<Server> {
    let environment = [
        ("PILOTLIGHT_SERVER_HOST", "127.0.0.1"),
        ("PILOTLIGHT_SERVER_PORT", "0"),
        ("PILOTLIGHT_LOG_LEVEL", "warn"),
    ];
    Server::start_in(folder, binary, &["serve"], &environment)
}
