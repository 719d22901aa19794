//! `pilotlight demo`: runs scenes and prints their reports. It fails if a report violates what the scene demonstrates.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use pilotlight_client::Client;
use pilotlight_server::config::{Config, ServerConfig};
use pilotlight_server::{App, https_client_builder};
use serde::Serialize;
use tokio::runtime::Runtime;

use super::exit_code::Code;
use super::failure::Failure;
use super::{messages, output};
use crate::demo::{jobs, warm_start};
use crate::shutdown::Signals;

pub(super) const ABOUT: &str = "\
Demonstrate Pilotlight: the same job cold, warm and cached, a job that a hundred callers submit at once, and warm starts.

Each scene starts the service on a free port of this machine, uses real sockets, checks the figures that it shows, and \
removes everything that it created. Jobs are executed by `pilotlight runner` in a separate process, with Python if it is \
installed, otherwise with a shell. The runners and supervisors of warm starts are simulated.";

/// Options of `pilotlight demo`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scene; both scenes if none is given.
    #[arg(value_enum)]
    scene: Option<Scene>,
    /// How many runs the warm-start scene offers.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scene {
    /// One job cold, warm and cached, and submitted by a hundred callers at once.
    Jobs,
    /// Runs that are offered to waiting runners.
    WarmStart,
}

/// The reports of the scenes that ran.
#[derive(Debug, Default, Serialize)]
struct DemoReport {
    #[serde(skip_serializing_if = "Option::is_none")]
    jobs: Option<jobs::report::JobsReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warm_start: Option<warm_start::report::WarmStartReport>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let is_selected = |scene| args.scene.is_none_or(|only| only == scene);
    let mut demo_report = DemoReport::default();
    if is_selected(Scene::Jobs) {
        print_intro(args, "One runner and a hundred callers; the job computes a prime number.\n");
        let report = print_report(args, run_jobs_scene()?)?;
        demo_report.jobs = Some(report);
    }
    if is_selected(Scene::WarmStart) {
        let runs = args.runs;
        print_intro(
            args,
            &format!("Runners of three deployments wait; four supervisors offer {runs} runs.\n"),
        );
        let report = print_report(args, run_warm_start_scene(runs)?)?;
        demo_report.warm_start = Some(report);
    }
    if args.json {
        output::json(&demo_report)?;
    }
    Ok(check(&demo_report)?)
}

fn print_intro(args: &Args, text: &str) {
    if !args.json {
        messages::note(text);
    }
}

fn print_report<T: ToString>(args: &Args, report: T) -> Result<T, Failure> {
    if !args.json {
        output::line(report.to_string())?;
    }
    Ok(report)
}

fn run_jobs_scene() -> Result<jobs::report::JobsReport, Failure> {
    let folder = jobs::TempFolder::new()
        .context("failed to create a folder for temporary files (TMPDIR names its parent)")?;
    let server = ServerConfig { data_dir: folder.path().join("store"), ..server() };
    let config = Config { server, ..Config::default() };
    Runtime::new()?.block_on(with_service(&config, "jobs", async |service| {
        let url = format!("http://{service}").parse().context("failed to build the service's URL")?;
        let client = Client::new(https_client_builder()?, url, None)?;
        let context = jobs::scene::SceneContext { client: &client, folder: folder.path() };
        jobs::scene::run(&context).await.context("failed to run the scene of jobs")
    }))
}

fn run_warm_start_scene(runs: u32) -> Result<warm_start::report::WarmStartReport, Failure> {
    let config = Config { server: server(), ..Config::default() };
    Runtime::new()?.block_on(with_service(&config, "warm-start", async |service| {
        warm_start::scene::run(service, runs).await.context("failed to run the scene of warm starts")
    }))
}

fn server() -> ServerConfig {
    ServerConfig { host: Ipv4Addr::LOCALHOST.into(), port: 0, ..ServerConfig::default() }
}

/// Runs a scene against a new service and stops the service afterwards, also after Ctrl-C.
async fn with_service<T>(
    config: &Config,
    capability: &str,
    scene: impl AsyncFnOnce(SocketAddr) -> anyhow::Result<T>,
) -> Result<T, Failure> {
    let mut signals = Signals::listen()?;
    let app = App::start(config, Some(&[capability, "dashboard"])).await?;
    let demo_report = tokio::select! {
        demo_report = scene(app.address()) => demo_report.map_err(Failure::from),
        () = signals.next() => Err(Failure::Reported(Code::Interrupted)),
    };
    app.stop().await;
    demo_report
}

fn check(demo_report: &DemoReport) -> anyhow::Result<()> {
    let violations = demo_report.jobs.as_ref().map(jobs::report::JobsReport::violations).unwrap_or_default();
    ensure!(violations.is_empty(), "{}", violations.join("; "));
    let lost = demo_report.warm_start.as_ref().map_or(0, |report| report.lost + report.twice);
    ensure!(lost == 0, "{lost} runs were lost or received twice");
    Ok(())
}
