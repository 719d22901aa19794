//! `pilotlight demo`: plays scenes and shows what came of them. It fails when what a scene shows is not as it should be.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context, ensure};
use clap::ValueEnum;
use serde::Serialize;
use tokio::runtime::Runtime;

use super::command::Failure;
use super::exit_code::Code;
use super::output;
use crate::app::{self, App, CapabilityName};
use crate::client::Client;
use crate::config::{Config, ServerConfig};
use crate::demo::{jobs, warm_start};
use crate::shutdown::Signals;

pub(super) const ABOUT: &str = "\
Show what it does: the same job cold, warm and cached, a job that a hundred callers want at once, and warm starts.

Each scene starts the service on a free port of this machine, plays over real sockets, checks what it shows, and leaves \
nothing behind. Jobs are executed by `pilotlight runner` in a process of its own, with Python where there is Python and with \
a shell elsewhere. Runners and supervisors of warm starts are simulated.";

/// What is demo_report, and how it is told.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The scene; both when missing.
    #[arg(value_enum)]
    scene: Option<Scene>,
    /// Runs to offer in the scene of warm starts.
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    runs: u32,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Scene {
    /// One job cold, warm and cached; a hundred callers.
    Jobs,
    /// Runs and the runners that wait for them.
    WarmStart,
}

/// What came of the scenes that were demo_report.
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
        print_intro(args, "A runner and a hundred callers; the job is to find a prime.\n");
        let report = print_report(args, run_jobs_scene()?)?;
        demo_report.jobs = Some(report);
    }
    if is_selected(Scene::WarmStart) {
        let runs = args.runs;
        print_intro(
            args,
            &format!("Runners of three deployments wait, four supervisors offer {runs} runs.\n"),
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
        output::note(text);
    }
}

fn print_report<T: ToString>(args: &Args, report: T) -> Result<T, Failure> {
    if !args.json {
        output::line(report.to_string())?;
    }
    Ok(report)
}

fn run_jobs_scene() -> Result<jobs::report::JobsReport, Failure> {
    let folder =
        jobs::TempFolder::new().context("failed to make a folder for temporary files (TMPDIR says where)")?;
    let server = ServerConfig { data_dir: folder.path().join("store"), ..server() };
    let config = Config { server, ..Config::default() };
    Runtime::new()?.block_on(with_service(&config, CapabilityName::Jobs, async |service| {
        let url = format!("http://{service}").parse().context("failed to write an address")?;
        let client = Client::new(app::https_client_builder()?, url, None)?;
        let context = jobs::scene::SceneContext { client: &client, folder: folder.path() };
        jobs::scene::run(&context).await.context("failed to play the scene of jobs")
    }))
}

fn run_warm_start_scene(runs: u32) -> Result<warm_start::report::WarmStartReport, Failure> {
    let config = Config { server: server(), ..Config::default() };
    Runtime::new()?.block_on(with_service(&config, CapabilityName::WarmStart, async |service| {
        warm_start::scene::run(service, runs).await.context("failed to play the scene of warm starts")
    }))
}

fn server() -> ServerConfig {
    ServerConfig { host: Ipv4Addr::LOCALHOST.into(), port: 0, ..ServerConfig::default() }
}

/// Ctrl-C ends a scene as its own end does.
async fn with_service<T>(
    config: &Config,
    capability: CapabilityName,
    scene: impl AsyncFnOnce(SocketAddr) -> anyhow::Result<T>,
) -> Result<T, Failure> {
    let mut signals = Signals::listen()?;
    let app = App::start(config, Some(&[capability, CapabilityName::Dashboard])).await?;
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
