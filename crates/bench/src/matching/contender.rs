//! Who is measured: the floor, and the server with and without the kernel's acknowledgement.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::series::round_order;
use crate::server_process::Server;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Contender {
    Floor,
    AckOn,
    AckOff,
    /// The floor against itself: what the ratio says when there is no difference.
    FloorAgain,
}

impl Contender {
    /// Everybody, the floor first. Without a server the floor is measured against itself.
    pub(crate) fn all(server: Option<&Path>) -> &'static [Self] {
        match server {
            Some(_) => &[Self::Floor, Self::AckOn, Self::AckOff],
            None => &[Self::Floor, Self::FloorAgain],
        }
    }

    /// The same, in the order of this round.
    pub(crate) fn round_order(server: Option<&Path>, round: usize) -> Vec<Self> {
        round_order(Self::all(server), round)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::AckOn => "ack on",
            Self::AckOff => "ack off",
            Self::FloorAgain => "floor again",
        }
    }

    pub(crate) fn start(self, server: Option<&Path>) -> Result<Server> {
        match self {
            Self::Floor | Self::FloorAgain => Server::start(&std::env::current_exe()?, &["floor"], &[]),
            Self::AckOn => start_pilotlight(server, "on"),
            Self::AckOff => start_pilotlight(server, "off"),
        }
        .with_context(|| format!("start the server \"{}\"", self.name()))
    }
}

fn start_pilotlight(server: Option<&Path>, ack: &str) -> Result<Server> {
    let environment = [
        ("PILOTLIGHT_SERVER_HOST", "127.0.0.1"),
        ("PILOTLIGHT_SERVER_PORT", "0"),
        ("PILOTLIGHT_WARM_START_ACK", ack),
        ("PILOTLIGHT_LOG_LEVEL", "warn"),
    ];
    Server::start(server.context("no server was given")?, &["serve"], &environment)
}
