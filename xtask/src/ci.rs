//! `cargo xtask ci`: what a change must pass, in the order of what fails fastest. The first failure stops.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::child;
use crate::needs::WantedBy;
use crate::setup::{self, Consent};
use crate::test::{self, Plan, Report, Size};

/// Runs the stages, sums them up, and ends with the tests' own last line.
pub(crate) fn run(consent: Consent) -> anyhow::Result<ExitCode> {
    let mut stages = Stages::default();
    let outcome = stages.run_all(consent);
    stages.print();
    Ok(outcome?.conclude())
}

#[derive(Default)]
struct Stages {
    rows: Vec<Row>,
}

struct Row {
    name: &'static str,
    took: Duration,
    good: bool,
}

impl Stages {
    fn run_all(&mut self, consent: Consent) -> anyhow::Result<Report> {
        self.run("format", format, |()| true)?;
        self.run("clippy", clippy, |()| true)?;
        self.run("deny", || deny(consent), |()| true)?;
        let plan = Plan { size: Size::Usual, consent, filters: Vec::new() };
        self.run("otlp", otlp, |()| true)?;
        self.run("test", || test::run(&plan), Report::is_good)
    }

    fn run<T>(
        &mut self,
        name: &'static str,
        stage: impl FnOnce() -> anyhow::Result<T>,
        is_good: impl FnOnce(&T) -> bool,
    ) -> anyhow::Result<T> {
        println!("==> {name}");
        let started = Instant::now();
        let outcome = stage();
        let row = Row { name, took: started.elapsed(), good: outcome.as_ref().is_ok_and(is_good) };
        println!("<== {row}\n");
        self.rows.push(row);
        outcome
    }

    fn print(&self) {
        for row in &self.rows {
            println!("{row}");
        }
    }
}

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.good { "ok" } else { "FAILED" };
        write!(f, "{:<8} {verdict:<6} {:>7.1} s", self.name, self.took.as_secs_f64())
    }
}

fn format() -> anyhow::Result<()> {
    component("fmt", "rustfmt")?;
    child::run(child::cargo().args(["fmt", "--all", "--check"]))
        .context("failed to accept how files are formatted (`cargo fmt --all` mends it)")
}

fn clippy() -> anyhow::Result<()> {
    component("clippy", "clippy")?;
    child::run(child::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// The one feature that is off by default: its lints, and that a span arrives.
fn otlp() -> anyhow::Result<()> {
    let of_it = ["-p", "pilotlight", "--features", "otlp"];
    child::run(child::cargo().arg("clippy").args(of_it).args(["--all-targets", "--", "-D", "warnings"]))?;
    child::run(child::cargo().args(["nextest", "run"]).args(of_it).args(["--lib", "--test", "e2e", "otlp::"]))
}

fn deny(consent: Consent) -> anyhow::Result<()> {
    if setup::meet(WantedBy::Ci, consent).lacks("cargo-deny") {
        bail!("failed to check dependencies: cargo-deny is missing");
    }
    child::run(child::cargo().args(["deny", "check", "bans", "licenses", "sources"]))
}

fn component(subcommand: &str, component: &str) -> anyhow::Result<()> {
    if child::ask(child::cargo().args([subcommand, "--version"])).is_err() {
        bail!("`cargo {subcommand}` is missing: `rustup component add {component}`");
    }
    Ok(())
}
