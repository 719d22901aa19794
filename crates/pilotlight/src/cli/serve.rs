//! `pilotlight serve`: runs until a signal, then ends in good order.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "people and scripts read where it listens")]

use tokio::runtime::Runtime;

use super::command::{Failure, Settings};
use super::config;
use crate::app::App;
use crate::config::Config;
use crate::shutdown::Signals;
use crate::telemetry::logs;

pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    let loaded = config::load(settings)?;
    logs::start(&loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    Runtime::new()?.block_on(serve(&loaded.config))?;
    Ok(())
}

async fn serve(config: &Config) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let app = App::start(config).await?;
    println!("pilotlight listens on http://{}", app.address());
    signals.next().await;
    tokio::select! {
        () = app.stop() => {}
        () = signals.next() => tracing::warn!("a second signal: exiting at once"),
    }
    Ok(())
}
