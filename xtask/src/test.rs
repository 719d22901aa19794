//! `cargo xtask test`: meets the tests' needs, runs all of them, and counts what was not run as loudly as the rest.
//!
//! A test that cannot run here returns early after writing `name: why` to the skip log. The runner cannot see that
//! and counts it as passed; the counts printed here do not.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};

use crate::child;
use crate::needs::{FOR_THE_STATIC_BINARY, WantedBy};
use crate::setup::{self, Consent, Met};
use crate::static_binary::{self, Profile};

/// What to run, and how much of it.
pub(crate) struct Plan {
    pub(crate) size: Size,
    pub(crate) consent: Consent,
    /// For `cargo nextest run`; with any, documentation tests stay out.
    pub(crate) filters: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Usual,
    Soak,
}

/// What came of the tests.
pub(crate) struct Report {
    counts: Counts,
    /// `name: why`, one for each skipped test.
    skipped: Vec<String>,
    skips: Skips,
}

/// Whether a skipped test is a failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Skips {
    Allowed,
    /// A build server that cannot run a test is not set up; nobody reads its list.
    Refused,
}

/// What a runner reported; skipped tests are among the passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
}

/// Runs the tests that the plan names. An error means that they could not be run.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Report> {
    let met = setup::meet(WantedBy::Tests, plan.consent);
    if met.lacks("cargo-nextest") {
        bail!("failed to run tests: cargo-nextest is missing");
    }
    let skip_log = fresh_skip_log()?;
    let machine = Machine { lacks: met.lacks.join(","), static_binary: static_binary(&met)? };
    let mut counts = nextest(plan, &machine, &skip_log)?;
    if plan.filters.is_empty() && has_doc_tests(&child::root().join("crates"))? {
        counts = counts.plus(doc_tests()?);
    }
    let report = Report { counts, skipped: read_skips(&skip_log)?, skips: Skips::here() };
    report.print();
    Ok(report)
}

/// What tests are told of the machine.
struct Machine {
    lacks: String,
    static_binary: Option<PathBuf>,
}

/// What the container image holds in tests; none where it cannot be built, which was told.
fn static_binary(met: &Met) -> anyhow::Result<Option<PathBuf>> {
    if FOR_THE_STATIC_BINARY.iter().any(|need| met.lacks(need)) {
        return Ok(None);
    }
    static_binary::build(Profile::Dev).map(Some)
}

impl Size {
    fn profile(self) -> &'static str {
        match self {
            Self::Usual => "default",
            Self::Soak => "soak",
        }
    }
}

impl Skips {
    fn here() -> Self {
        match std::env::var("CI").as_deref() {
            Ok("" | "0" | "false") | Err(_) => Self::Allowed,
            Ok(_) => Self::Refused,
        }
    }
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl Report {
    pub(crate) fn is_good(&self) -> bool {
        self.complaint().is_none()
    }

    /// Prints the last line and turns the report into an exit code.
    pub(crate) fn conclude(&self) -> ExitCode {
        let complaint = self.complaint();
        if let Some(complaint) = &complaint {
            eprintln!("error: {complaint}");
        }
        println!("{}", self.last_line());
        if complaint.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn complaint(&self) -> Option<&'static str> {
        if self.counts.failed > 0 {
            return Some("tests failed");
        }
        match self.skips {
            Skips::Refused if !self.skipped.is_empty() => Some("tests were skipped, and CI is set"),
            Skips::Refused | Skips::Allowed => None,
        }
    }

    fn passed(&self) -> usize {
        self.counts.passed.saturating_sub(self.skipped.len())
    }

    fn last_line(&self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed(), self.counts.failed, self.skipped.len())
    }

    fn print(&self) {
        println!("tests run: {}", self.passed() + self.counts.failed);
        println!("passed: {}", self.passed());
        println!("failed: {}", self.counts.failed);
        println!("skipped: {}", self.skipped.len());
        for line in &self.skipped {
            println!("  {line}");
        }
    }
}

/// In `target/` of the workspace, whatever cargo's own target folder is.
fn fresh_skip_log() -> anyhow::Result<PathBuf> {
    let folder = child::root().join("target");
    let log = folder.join("skipped.txt");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&log, ""))
        .with_context(|| format!("failed to empty {}", log.display()))?;
    Ok(log)
}

/// A test that was tried twice may have said it twice.
fn read_skips(log: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(log).with_context(|| format!("failed to read {}", log.display()))?;
    let mut lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    lines.sort_unstable();
    lines.dedup();
    Ok(lines)
}

/// Its screen is its own; the counts come from the report it writes.
fn nextest(plan: &Plan, machine: &Machine, skip_log: &Path) -> anyhow::Result<Counts> {
    let report = child::root().join("target/nextest").join(plan.size.profile()).join("junit.xml");
    let _absent_is_fine = fs::remove_file(&report);
    let mut command = nextest_command(plan);
    command.env("PILOTLIGHT_LACKS", &machine.lacks).env("PILOTLIGHT_SKIP_LOG", skip_log);
    if let Some(binary) = &machine.static_binary {
        command.env("PILOTLIGHT_STATIC", binary);
    }
    let outcome = child::run(&mut command);

    let counts = fs::read_to_string(&report).ok().as_deref().and_then(junit_counts);
    match (outcome, counts) {
        (Ok(()), Some(counts)) => Ok(counts),
        (Ok(()), None) => bail!("failed to read {}", report.display()),
        (Err(_), Some(counts)) if counts.failed > 0 => Ok(counts),
        (Err(error), _) => Err(error.context("failed to run the tests")),
    }
}

fn nextest_command(plan: &Plan) -> Command {
    let mut command = child::cargo();
    command.args(["nextest", "run", "--profile", plan.size.profile()]);
    if !names_package(&plan.filters) {
        command.arg("--workspace");
    }
    if plan.size == Size::Soak {
        command.env("PILOTLIGHT_SOAK", "1");
    }
    command.args(&plan.filters);
    command
}

/// `--workspace` would win over `-p`.
fn names_package(filters: &[OsString]) -> bool {
    filters
        .iter()
        .map(|word| word.to_string_lossy())
        .any(|word| word.starts_with("-p") || word.starts_with("--package"))
}

/// The totals of `<testsuites name=".." tests="3" failures="1" errors="0" ..>`.
fn junit_counts(report: &str) -> Option<Counts> {
    let (_, rest) = report.split_once("<testsuites ")?;
    let (head, _) = rest.split_once('>')?;
    let number = |name: &str| {
        let (_, value) = head.split_once(&format!("{name}=\""))?;
        value.split('"').next()?.parse::<usize>().ok()
    };
    let failed = number("failures")? + number("errors")?;
    Some(Counts { passed: number("tests")?.checked_sub(failed)?, failed })
}

/// Whether any library's documentation holds an example that cargo would run.
fn has_doc_tests(folder: &Path) -> anyhow::Result<bool> {
    let entries = fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))?;
    for entry in entries {
        let path = entry?.path();
        let found = if path.is_dir() {
            !path.ends_with("node_modules") && has_doc_tests(&path)?
        } else {
            path.extension().is_some_and(|ending| ending == "rs")
                && holds_example(&fs::read_to_string(&path)?)
        };
        if found {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A fence without a language, or with Rust's, opened in a documentation comment.
fn holds_example(source: &str) -> bool {
    let mut open = false;
    for line in source.lines().map(str::trim_start) {
        let Some(text) = line.strip_prefix("///").or_else(|| line.strip_prefix("//!")) else {
            open = false;
            continue;
        };
        let Some(language) = text.trim().strip_prefix("```") else { continue };
        open = !open;
        if open && (language.is_empty() || language.starts_with("rust")) {
            return true;
        }
    }
    false
}

fn doc_tests() -> anyhow::Result<Counts> {
    let mut child = child::cargo()
        .args(["test", "--doc", "--workspace", "--no-fail-fast"])
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start the documentation tests")?;
    let printed = child.stdout.take().expect("the pipe was just asked for");
    let mut counts = Counts::default();
    for line in BufReader::new(printed).lines() {
        let line = line.context("failed to read what the documentation tests print")?;
        println!("{line}");
        counts = counts.plus(doc_counts(&line).unwrap_or_default());
    }
    let status = child.wait().context("failed to wait for the documentation tests")?;
    if !status.success() && counts.failed == 0 {
        bail!("failed to run the documentation tests: {status}");
    }
    Ok(counts)
}

/// `test result: ok. 3 passed; 0 failed; ...`
fn doc_counts(line: &str) -> Option<Counts> {
    let (_, numbers) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let number = |word: &str| {
        let part = numbers.split(';').find_map(|part| part.trim().strip_suffix(word))?;
        part.trim().parse::<usize>().ok()
    };
    Some(Counts { passed: number("passed")?, failed: number("failed")? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(counts: Counts, skipped: &[&str], skips: Skips) -> Report {
        Report { counts, skipped: skipped.iter().map(|&line| line.to_owned()).collect(), skips }
    }

    #[test]
    fn a_skipped_test_is_not_counted_as_passed() {
        let report = report(Counts { passed: 10, failed: 1 }, &["a: no root", "b: no root"], Skips::Allowed);
        assert_eq!(report.last_line(), "8 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn a_skip_fails_only_where_nobody_reads_it() {
        let passed = Counts { passed: 2, failed: 0 };
        assert!(report(passed, &["a: no root"], Skips::Allowed).is_good());
        assert!(!report(passed, &["a: no root"], Skips::Refused).is_good());
        assert!(report(passed, &[], Skips::Refused).is_good());
        assert!(!report(Counts { passed: 1, failed: 1 }, &[], Skips::Allowed).is_good());
    }

    #[test]
    fn failures_and_errors_both_count_as_failed() {
        let text = r#"<?xml version="1.0"?>
<testsuites name="nextest-run" tests="12" failures="2" errors="1" uuid="x" time="0.1">
  <testsuite name="a" tests="99" failures="9" errors="9">"#;
        assert_eq!(junit_counts(text), Some(Counts { passed: 9, failed: 3 }));
        assert_eq!(junit_counts(""), None);
        assert_eq!(junit_counts(r#"<testsuites tests="1">"#), None);
    }

    #[test]
    fn documentation_tests_are_counted_by_their_last_line() {
        let good =
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.2s";
        let bad = "test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(doc_counts(good), Some(Counts { passed: 3, failed: 0 }));
        assert_eq!(doc_counts(bad), Some(Counts { passed: 1, failed: 2 }));
        assert_eq!(doc_counts("test a ... ok"), None);
    }

    #[test]
    fn only_examples_that_cargo_would_run_are_examples() {
        for (source, example) in [
            ("//! Words.\n", false),
            ("/// ```\n/// let x = 1;\n/// ```\n", true),
            ("//! ```rust,no_run\n//! ```\n", true),
            ("/// ```text\n/// a -> b\n/// ```\n", false),
            ("/// ```json\n/// ```\n/// ```\n/// code\n/// ```\n", true),
            ("// ```\n", false),
        ] {
            assert_eq!(holds_example(source), example, "{source:?}");
        }
    }

    #[test]
    fn a_named_package_replaces_the_whole_workspace() {
        let words = |list: &[&str]| list.iter().map(OsString::from).collect::<Vec<_>>();
        assert!(names_package(&words(&["-p", "pilotlight-core"])));
        assert!(names_package(&words(&["late_result", "--package=xtask"])));
        assert!(!names_package(&words(&["late_result"])));
    }
}
