//! The server that all tests of a run share.

use std::path::PathBuf;

use super::binaries::Binaries;
use super::data_folder::ClusterFolder;
use super::{free_port, is_ready, server_command};
use crate::shared::SharedFolder;
use crate::wait;

/// Nothing is synced to disk: the tests that share the server check statements and transactions, and never a power
/// failure.
const OPTIONS: [&str; 4] = ["max_connections=500", "fsync=off", "full_page_writes=off", "autovacuum=off"];

/// Returns the server's folder and port.
pub(super) fn find_or_start(binaries: &Binaries) -> (PathBuf, u16) {
    let (folder, port) = SharedFolder::find_or_start("pg", |folder| start(binaries, folder).to_string());
    (folder.path().to_owned(), port.parse().expect("`start` returned a port"))
}

fn start(binaries: &Binaries, shared: &SharedFolder) -> u16 {
    let folder = ClusterFolder::permanent(shared.path(), binaries);
    let port = free_port();
    let command = server_command(binaries, folder.path(), port, &OPTIONS.map(str::to_owned));
    shared.spawn(&command, "QUIT");
    let ready = wait::try_wait_for(|| is_ready(binaries, folder.path(), port).then_some(()));
    assert!(ready.is_some(), "PostgreSQL does not start:\n{}", shared.log());
    port
}
