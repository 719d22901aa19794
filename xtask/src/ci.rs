//! `cargo xtask ci`: what a change must pass, cheap stages first. The first failure ends the run.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::child;
use crate::requirements::UsedBy;
use crate::setup::{self, InstallMode, Unavailable};
use crate::test::{self, Report, Scale, TestPlan};

/// Runs the stages, prints how long each took, and ends with the last line of the tests.
pub(crate) fn run(mode: InstallMode) -> anyhow::Result<ExitCode> {
    let tools = setup::provide(UsedBy::Ci, mode)?;
    let mut stages = Stages::default();
    let result = stages.run_all(&tools, mode);
    stages.print();
    Ok(result?.finish())
}

#[derive(Default)]
struct Stages {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    duration: Duration,
    passed: bool,
}

impl Stages {
    fn run_all(&mut self, tools: &Unavailable, mode: InstallMode) -> anyhow::Result<Report> {
        let plan = TestPlan { scale: Scale::Normal, mode, filters: Vec::new() };
        self.run("format", format, |()| true)?;
        self.run("deny", || deny(tools), |()| true)?;
        self.run("clippy", clippy, |()| true)?;
        self.run("otlp", otlp, |()| true)?;
        self.run("test", || test::run(&plan), Report::is_success)
    }

    fn run<T>(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> anyhow::Result<T>,
        is_success: impl FnOnce(&T) -> bool,
    ) -> anyhow::Result<T> {
        println!("==> {name}");
        let started = Instant::now();
        let result = stage();
        let passed = result.as_ref().is_ok_and(is_success);
        let row = Row { name, duration: started.elapsed(), passed };
        println!("<== {row}\n");
        self.rows.push(row);
        result
    }

    fn print(&self) {
        for row in &self.rows {
            println!("{row}");
        }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.passed { "ok" } else { "FAILED" };
        write!(f, "{:<8} {verdict:<6} {:>7.1} s", self.name, self.duration.as_secs_f64())
    }
}

fn format() -> anyhow::Result<()> {
    component("fmt", "rustfmt")?;
    child::run(child::cargo().args(["fmt", "--all", "--check"]))
        .context("files are not formatted; `cargo fmt --all` formats them")
}

fn clippy() -> anyhow::Result<()> {
    component("clippy", "clippy")?;
    child::run(child::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The feature that is off by default: its lints, and the tests that a span arrives.
fn otlp() -> anyhow::Result<()> {
    let feature = ["-p", "pilotlight", "--features", "otlp"];
    child::run(child::cargo().arg("clippy").args(feature).args(["--all-targets", "--", "-D", "warnings"]))?;
    child::run(
        child::cargo().args(["nextest", "run"]).args(feature).args(["--lib", "--test", "e2e", "otlp::"]),
    )
}

fn deny(tools: &Unavailable) -> anyhow::Result<()> {
    if tools.contains("cargo-deny") {
        bail!("failed to check dependencies: cargo-deny is missing");
    }
    child::run(child::cargo().args(["deny", "check", "bans", "licenses", "sources"]))
}

fn component(subcommand: &str, component: &str) -> anyhow::Result<()> {
    if child::output(child::cargo().args([subcommand, "--version"])).is_err() {
        bail!("`cargo {subcommand}` is missing: `rustup component add {component}`");
    }
    Ok(())
}
