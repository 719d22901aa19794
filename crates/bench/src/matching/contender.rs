//! The contenders of the match bench: the floor, the server with and without the kernel's acknowledgement and, with
//! `--against`, the older binary.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::binaries::Binaries;
use crate::series::round_order;
use crate::server_process::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contender {
    Floor,
    /// The older binary, with the kernel's acknowledgement.
    Before,
    AckOn,
    AckOff,
    /// A second floor: its ratio to the first shows the accuracy of the bench.
    FloorAgain,
}

impl Contender {
    /// All contenders; the first is the one that the others are compared with. Without `--server`, the floor is
    /// measured against itself.
    pub(crate) fn all(binaries: &Binaries) -> &'static [Self] {
        match (&binaries.server, &binaries.against) {
            (Some(_), Some(_)) => &[Self::Before, Self::AckOn],
            (Some(_), None) => &[Self::Floor, Self::AckOn, Self::AckOff],
            (None, _) => &[Self::Floor, Self::FloorAgain],
        }
    }

    /// The same contenders in the order of this round.
    pub(crate) fn round_order(binaries: &Binaries, round: usize) -> Vec<Self> {
        round_order(Self::all(binaries), round)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Before => "before",
            Self::AckOn => "ack on",
            Self::AckOff => "ack off",
            Self::FloorAgain => "floor again",
        }
    }

    pub(crate) fn start(self, binaries: &Binaries) -> Result<Server> {
        match self {
            Self::Floor | Self::FloorAgain => Server::start(&std::env::current_exe()?, &["floor"], &[]),
            Self::Before => start_pilotlight(binaries.against()?, "on"),
            Self::AckOn => start_pilotlight(binaries.server()?, "on"),
            Self::AckOff => start_pilotlight(binaries.server()?, "off"),
        }
        .with_context(|| format!("start the server \"{}\"", self.name()))
    }
}

fn start_pilotlight(server: &Path, ack: &str) -> Result<Server> {
    let environment = [
        ("PILOTLIGHT_SERVER_HOST", "127.0.0.1"),
        ("PILOTLIGHT_SERVER_PORT", "0"),
        ("PILOTLIGHT_WARM_START_ACK", ack),
        ("PILOTLIGHT_LOG_LEVEL", "warn"),
    ];
    Server::start(server, &["serve"], &environment)
}
