//! `pilotlight serve`: runs the service until SIGTERM or SIGINT arrives, then shuts it down gracefully.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "people and scripts read the listening address"
)]

use tokio::runtime::Builder;

use super::config::{self, ConfigArgs};
use super::failure::Failure;
use crate::memory;
use crate::shutdown::Signals;
use pilotlight_server::App;
use pilotlight_server::config::Config;
use pilotlight_server::logs;

/// Runs the service: all of it, or `only` the capabilities with these names.
pub(super) fn run(config_args: &ConfigArgs, only: &[String]) -> Result<(), Failure> {
    let loaded = config::load(config_args)?;
    logs::start(&loaded.config.log);
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let names: Vec<_> = only.iter().map(String::as_str).collect();
    let only = (!names.is_empty()).then_some(names.as_slice());
    // A thread with nothing to do gives unused memory back.
    let runtime = Builder::new_multi_thread().enable_all().on_thread_park(memory::collect_if_due).build()?;
    let ended = runtime.block_on(serve(&loaded.config, only));
    // Do not wait for a blocked write (to a pipe that is not read, or to a dead disk): the process must end.
    runtime.shutdown_background();
    Ok(ended?)
}

async fn serve(config: &Config, only: Option<&[&str]>) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let mut app = App::start(config, only).await?;
    let scheme = app.scheme();
    println!("pilotlight listens on {scheme}://{}", app.address());
    if let Some(control) = app.control() {
        println!("operators are answered on {scheme}://{control}");
    }
    tokio::select! {
        () = signals.next() => {}
        error = app.wait_for_failure() => return Err(error),
    }
    tokio::select! {
        () = app.stop() => {}
        () = signals.next() => tracing::warn!("a second signal: exiting at once"),
    }
    Ok(())
}
