//! Opens the listeners: TLS, inherited sockets, and whether the kernel reports acknowledgements.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use pilotlight_core::delivery::AckMode;
use pilotlight_net::ack;
use pilotlight_net::sockets::{self, BoundListener, InheritedSockets, ReusePort};
use pilotlight_net::tls::Tls;

use crate::config::{AckSetting, OnOff, ServerConfig};

pub(super) fn load_tls(server: &ServerConfig) -> anyhow::Result<Option<Arc<Tls>>> {
    let (Some(certificate), Some(key)) = (&server.tls_cert, &server.tls_key) else { return Ok(None) };
    Ok(Some(Tls::read(certificate, key)?))
}

/// The main listener and the operators' listener. Inherited sockets are used in this order; missing ones are opened.
pub(super) fn open_listeners(
    server: &ServerConfig,
) -> anyhow::Result<(BoundListener, Option<BoundListener>)> {
    let reuse_port = match server.reuse_port {
        OnOff::On => ReusePort::On,
        OnOff::Off => ReusePort::Off,
    };
    let mut inherited = InheritedSockets::from_environment();
    let mut open = |index, address: SocketAddr| match inherited.take(index) {
        Ok(Some(listener)) => {
            tracing::info!(address = %listener.address, "took over a listening socket");
            Ok(listener)
        }
        Ok(None) => {
            sockets::bind(address, reuse_port).with_context(|| format!("failed to listen on {address}"))
        }
        Err(error) => Err(error).context("failed to use an inherited socket (LISTEN_FDS)"),
    };
    let main = open(0, SocketAddr::new(server.host, server.port))?;
    let control = server.control.map(|address| open(1, address)).transpose()?;
    Ok((main, control))
}

/// What proves a dispatch on this machine, as `warm_start.ack` allows.
pub(super) async fn ack_mode(ack: AckSetting) -> anyhow::Result<AckMode> {
    if ack == AckSetting::Off {
        return Ok(AckMode::Written);
    }
    if ack::kernel_reports_acks().await {
        return Ok(AckMode::Kernel);
    }
    let reason = "this kernel does not report TCP acknowledgements";
    if ack == AckSetting::On {
        anyhow::bail!("{reason}, and warm_start.ack is on; set it to auto or off");
    }
    tracing::warn!("{reason}: warm starts are unconfirmed");
    Ok(AckMode::Written)
}
