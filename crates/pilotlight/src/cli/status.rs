//! `pilotlight status`: the service's health, jobs and runners on one screen; `--watch` repeats it.

use std::fmt::Write;
use std::io::{IsTerminal, stdout};
use std::time::{Duration, Instant};

use console::style;
use pilotlight_client::{Client, ClientError};
use pilotlight_wire::jobs_admin::{AdminStats, RunnerCounts};
use pilotlight_wire::warm_start::Health;
use serde_json::{Value as Json, json};
use tokio::time::sleep;

use super::connect::{ConnectOptions, block_on};
use super::exit_code::Code;
use super::failure::Failure;
use super::submit_options::duration;
use super::{datetime, format, output};
use crate::shutdown::Signals;

/// Options of `pilotlight status`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Repeat until Ctrl-C, every 2 s or at the given interval.
    #[arg(long, value_name = "TIME", num_args = 0..=1, require_equals = true, default_missing_value = "2s",
        value_parser = interval)]
    watch: Option<Duration>,
    /// Print JSON: one line per repetition.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectOptions,
}

/// The service's answers.
struct ServiceStatus {
    address: String,
    health: Health,
    /// Counts of jobs and runners, or why they are not available.
    stats: Result<AdminStats, ClientError>,
    /// How long the request for the counts took.
    count_time: Duration,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.connect.client_without_retry()?;
    let Some(every) = args.watch else {
        return block_on(async { print(&ServiceStatus::fetch(&client).await?, args.json) });
    };
    block_on(async {
        let mut signals = Signals::listen()?;
        tokio::select! {
            failed = watch(&client, every, args.json) => failed,
            () = signals.next() => Err(Failure::Reported(Code::Interrupted)),
        }
    })
}

async fn watch(client: &Client, every: Duration, json: bool) -> Result<(), Failure> {
    loop {
        let service_status = ServiceStatus::fetch(client).await?;
        if stdout().is_terminal() && !json {
            output::write(CLEAR_SCREEN)?;
        }
        print(&service_status, json)?;
        sleep(every).await;
    }
}

/// Moves the cursor to the top left and clears the screen.
const CLEAR_SCREEN: &str = "\x1b[H\x1b[2J";

fn interval(text: &str) -> Result<Duration, String> {
    let every = duration(text)?;
    if every < Duration::from_millis(100) { Err("expected 100ms or more".to_owned()) } else { Ok(every) }
}

fn print(service_status: &ServiceStatus, json: bool) -> Result<(), Failure> {
    if json { output::json(&service_status.json()) } else { output::line(service_status.screen()) }
}

impl ServiceStatus {
    async fn fetch(client: &Client) -> Result<Self, Failure> {
        let health = client.health().await?;
        let started = Instant::now();
        let stats = client.stats().await;
        Ok(Self { address: client.address(), health, stats, count_time: started.elapsed() })
    }

    fn json(&self) -> Json {
        let (jobs, runners) = match &self.stats {
            Ok(stats) => (json!(stats.jobs), json!(stats.runners)),
            Err(_) => (Json::Null, Json::Null),
        };
        json!({ "health": self.health, "jobs": jobs, "runners": runners, "store": self.store() })
    }

    /// The state of the service's store, for the JSON output.
    fn store(&self) -> &'static str {
        match &self.stats {
            Ok(_) => "answers",
            Err(failure) if failure.status() == Some(503) => "does not answer",
            Err(_) => "unknown",
        }
    }

    fn screen(&self) -> String {
        let Health { status, version, uptime_ms, connections, .. } = &self.health;
        let status = match status.as_ref() {
            "ok" => style("ok").green().bold(),
            other => style(other).yellow().bold(),
        };
        let up = datetime::format_age(Duration::from_millis(*uptime_ms));
        let version = output::sanitize_line(version);
        let mut screen = format!(
            "{}  {status}, version {version}, up {up}, {connections} connections\n",
            style(&self.address).bold()
        );
        match &self.stats {
            Ok(stats) => self.write_job_counts(stats, &mut screen),
            Err(failure) => _ = writeln!(screen, "\njobs     failed to {failure}"),
        }
        let Health { waiting_runners, executing_runners, deployments, ack, .. } = &self.health;
        _ = write!(
            screen,
            "\nwarm starts  {waiting_runners} runners wait for {deployments} deployments, {executing_runners} \
             execute; acknowledgement {ack}"
        );
        screen
    }

    fn write_job_counts(&self, stats: &AdminStats, screen: &mut String) {
        let jobs = &stats.jobs;
        let counts =
            [jobs.pending, jobs.claimed, jobs.in_progress, jobs.completed, jobs.failed, jobs.expired];
        screen.push('\n');
        for (status, count) in format::STATUSES.into_iter().zip(counts) {
            let name = format::colored_status(status, format!("{:<11}", format::status(status)));
            _ = writeln!(screen, "{name}  {count:>8}");
        }
        _ = writeln!(screen, "{:<11}  {:>8}", "all jobs", jobs.total);
        let RunnerCounts { total, active } = stats.runners;
        let waiting = self.health.waiting_for_jobs;
        _ = writeln!(
            screen,
            "\nrunners      {waiting} wait for a job, {active} active of {total} registered"
        );
        let took = self.count_time.as_micros() as f64 / 1000.0;
        _ = writeln!(screen, "store        answers, in {took:.1} ms");
    }
}
