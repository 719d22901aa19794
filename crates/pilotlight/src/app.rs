//! Puts the service together, starts its tasks and ends them. The only composer, and the only place that spawns
//! long-lived tasks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use pilotlight_core::delivery::Proof;
use pilotlight_core::pool;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::config::{Ack, Config, Order, WarmStart};
use crate::dispatch::dispatcher::{Dispatcher, Settings};
use crate::http::live::board::About;
use crate::http::live::feed::Feed;
use crate::http::router::{Handles, Service, Told};
use crate::net::ack;
use crate::net::listener::{self, Connections};
use crate::telemetry::metrics::Metrics;

/// Of the connections, one in so many is kept for supervisors and people when runners would take them all.
const NOT_FOR_POLLS: usize = 16;

/// The running service.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    grace: Duration,
    dispatcher: Arc<Dispatcher>,
    feed: Arc<Feed>,
    connections: Connections,
    tasks: JoinSet<()>,
}

impl App {
    /// Starts it; once this returns, it answers.
    ///
    /// # Errors
    /// When the address cannot be listened on, or a setting asks for what this machine cannot do.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let clock = Clock::start();
        let proof = proof(config.warm_start.ack).await?;
        let connections = Connections::new(listener::connections_at_most(config.server.max_connections)?);
        let wanted = SocketAddr::new(config.server.host, config.server.port);
        let listener = listener::bind(wanted).with_context(|| format!("failed to listen on {wanted}"))?;
        let address = listener.local_addr()?;
        let metrics = Metrics::new(proof);
        let settings = settings(&config.warm_start, proof, connections.at_most());
        let dispatcher = Dispatcher::new(settings, clock, Arc::clone(&metrics));
        let told = told(&config.warm_start);
        let feed = Feed::new(Arc::clone(&dispatcher), clock, About::new(proof, told, address));
        let handles = Handles {
            dispatcher: Arc::clone(&dispatcher),
            feed: Arc::clone(&feed),
            metrics,
            connections: connections.clone(),
            clock,
            told,
            listens: address,
        };
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&dispatcher).keep());
        tasks.spawn(Arc::clone(&feed).keep());
        tasks.spawn(connections.clone().keep());
        tasks.spawn(connections.clone().accept(listener, Service::new(Arc::new(handles))));
        Ok(Self { address, grace: config.server.grace, dispatcher, feed, connections, tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends in good order: parked polls are closed without a byte, requests under way are answered within the
    /// grace.
    pub async fn stop(mut self) {
        self.connections.stop();
        self.feed.stop();
        let closed = self.dispatcher.drain();
        tracing::info!(polls = closed, "stopping");
        if tokio::time::timeout(self.grace, self.connections.closed()).await.is_err() {
            tracing::warn!(open = self.connections.open(), "the grace is over, closing what is still open");
        }
        self.tasks.shutdown().await;
    }
}

async fn proof(ack: Ack) -> anyhow::Result<Proof> {
    if ack == Ack::Off {
        return Ok(Proof::Written);
    }
    if ack::kernel_can_tell().await {
        return Ok(Proof::Kernel);
    }
    let cannot = "this kernel does not tell of acknowledgements";
    if ack == Ack::On {
        anyhow::bail!("{cannot}, and warm_start.ack is on; set it to auto or off");
    }
    tracing::warn!("{cannot}: warm starts are unconfirmed");
    Ok(Proof::Written)
}

fn settings(config: &WarmStart, proof: Proof, connections: usize) -> Settings {
    Settings {
        order: match config.order {
            Order::Newest => pool::Order::Newest,
            Order::Oldest => pool::Order::Oldest,
        },
        connection_timeout: config.connection_timeout,
        polls_at_most: connections - connections / NOT_FOR_POLLS,
        proof,
        ack_deadline: config.ack_deadline,
    }
}

const fn told(config: &WarmStart) -> Told {
    Told { connection_timeout: config.connection_timeout, keepalive: config.keepalive }
}
