//! `cargo xtask ci`: what a change must pass, cheap stages first. The first failure ends the run.

use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::child;
use crate::requirements::UsedBy;
use crate::setup::{self, InstallMode, Unavailable};
use crate::test::{self, Report, Scale, TestPlan};

/// How long the database of advisories may take to arrive. It is a git repository of some megabytes.
const FETCH_DEADLINE: Duration = Duration::from_secs(120);

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
        self.run("shell", || shell_scripts(tools), |()| true)?;
        self.run("deny", || deny(tools), |()| true)?;
        self.run("clippy", clippy, |()| true)?;
        self.run("fuzz", fuzz_targets, |()| true)?;
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

fn shell_scripts(tools: &Unavailable) -> anyhow::Result<()> {
    if tools.contains("shellcheck") {
        bail!("failed to check shell scripts: shellcheck is missing");
    }
    let files = child::output(child::command("git").args(["ls-files"])).map_err(anyhow::Error::msg)?;
    let scripts: Vec<_> = files.lines().filter(|path| is_shell_script(path)).collect();
    // `sh` for those without a first line that names a shell.
    let (with_shell, without): (Vec<_>, Vec<_>) =
        scripts.into_iter().partition(|path| first_line(path).is_some_and(|line| line.starts_with("#!")));
    child::run(child::command("shellcheck").args(&with_shell))?;
    if without.is_empty() {
        return Ok(());
    }
    child::run(child::command("shellcheck").arg("--shell=sh").args(&without))
}

fn is_shell_script(path: &str) -> bool {
    let names_shell = |line: String| line.starts_with("#!") && line.trim_end().ends_with("sh");
    path.ends_with(".sh") || first_line(path).is_some_and(names_shell)
}

/// None for a file that is not text.
fn first_line(path: &str) -> Option<String> {
    let text = fs::read_to_string(child::root().join(path)).ok()?;
    text.lines().next().map(str::to_owned)
}

fn clippy() -> anyhow::Result<()> {
    component("clippy", "clippy")?;
    child::run(child::cargo().args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Compiles the fuzz targets with the stable compiler, without the fuzzer itself: running them takes another compiler.
/// Their packages have the versions of the workspace, and their artifacts lie in the workspace's target folder.
fn fuzz_targets() -> anyhow::Result<()> {
    let (workspace, fuzz) = (child::root().join("Cargo.lock"), child::root().join("fuzz/Cargo.lock"));
    // Cargo adds the fuzzer's own packages, for which it needs the network; so this is not done in every run.
    if is_newer(&workspace, &fuzz) {
        fs::copy(&workspace, &fuzz).context("failed to copy Cargo.lock to fuzz/")?;
    }
    child::run(
        child::cargo()
            .args(["check", "--manifest-path", "fuzz/Cargo.toml", "--no-default-features", "--bins"])
            .arg("--target-dir")
            .arg(child::target_folder()?),
    )
}

/// Whether the first file was changed after the second, or there is no second.
fn is_newer(first: &Path, second: &Path) -> bool {
    let changed = |path: &Path| fs::metadata(path).and_then(|file| file.modified());
    match (changed(first), changed(second)) {
        (Ok(first), Ok(second)) => first > second,
        (Ok(_) | Err(_), Err(_)) => true,
        (Err(_), Ok(_)) => false,
    }
}

/// Bans, licences and sources always; advisories where their database can be fetched.
fn deny(tools: &Unavailable) -> anyhow::Result<()> {
    if tools.contains("cargo-deny") {
        bail!("failed to check dependencies: cargo-deny is missing");
    }
    child::run(child::cargo().args(["deny", "check", "bans", "licenses", "sources"]))?;
    if let Err(reason) = child::run_within(child::cargo().args(["deny", "fetch", "db"]), FETCH_DEADLINE) {
        println!("advisories are not checked: their database cannot be fetched ({reason})");
        return Ok(());
    }
    child::run(child::cargo().args(["deny", "--offline", "check", "advisories"]))
}

fn component(subcommand: &str, component: &str) -> anyhow::Result<()> {
    if child::output(child::cargo().args([subcommand, "--version"])).is_err() {
        bail!("`cargo {subcommand}` is missing: `rustup component add {component}`");
    }
    Ok(())
}
