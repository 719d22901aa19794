//! `cargo xtask test`: installs the requirements of the tests, runs all tests, and counts passed, failed and skipped.
//!
//! A test that cannot run here returns early after writing `name: reason` to the skip log. nextest counts it as passed;
//! the counts printed here do not.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, bail};

use crate::child;
use crate::requirements::{FOR_NATIVE_BINARY, UsedBy};
use crate::setup::{self, InstallMode, Unavailable};
use crate::static_binary::{self, Profile};

/// Names of unavailable requirements, separated by commas. Tests that need one of them skip themselves.
const MISSING_VARIABLE: &str = "PILOTLIGHT_MISSING";
/// The path of the skip log.
const SKIP_LOG_VARIABLE: &str = "PILOTLIGHT_SKIP_LOG";
/// The path of the static binary; not set where it cannot be built.
const STATIC_BINARY_VARIABLE: &str = "PILOTLIGHT_STATIC";

/// Which tests run, and with which counts.
pub(crate) struct TestPlan {
    pub(crate) scale: Scale,
    pub(crate) mode: InstallMode,
    /// For `cargo nextest run`; with any, documentation tests are left out.
    pub(crate) filters: Vec<OsString>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Normal,
    Soak,
}

/// The result of a test run.
pub(crate) struct Report {
    counts: Counts,
    /// `name: reason`, one for each skipped test.
    skipped: Vec<String>,
    skip_policy: SkipPolicy,
}

/// Whether a skipped test makes the run fail.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SkipPolicy {
    Allow,
    /// On a build server, where nobody reads the list of skipped tests.
    Fail,
}

/// What a test runner reported; skipped tests are among the passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    passed: usize,
    failed: usize,
}

/// Runs the tests that the plan names. An error means that they could not be run.
pub(crate) fn run(plan: &TestPlan) -> anyhow::Result<Report> {
    let unavailable = setup::provide(UsedBy::Tests, plan.mode)?;
    if unavailable.contains("cargo-nextest") {
        bail!("failed to run tests: cargo-nextest is missing");
    }
    let skip_log = empty_skip_log()?;
    let machine =
        Machine { missing: unavailable.names().join(","), static_binary: static_binary(&unavailable)? };
    let mut counts = nextest(plan, &machine, &skip_log)?;
    if plan.filters.is_empty() && has_doc_tests(&child::root().join("crates"))? {
        counts = counts.plus(doc_tests()?);
    }
    let report = Report { counts, skipped: read_skip_log(&skip_log)?, skip_policy: SkipPolicy::here() };
    report.print();
    Ok(report)
}

/// What the tests need to know of this machine.
struct Machine {
    missing: String,
    static_binary: Option<PathBuf>,
}

/// The binary that tests of the container image use; none where it cannot be built, which `setup` has printed.
fn static_binary(unavailable: &Unavailable) -> anyhow::Result<Option<PathBuf>> {
    if FOR_NATIVE_BINARY.iter().any(|requirement| unavailable.contains(requirement)) {
        return Ok(None);
    }
    static_binary::build_native(Profile::Dev).map(Some)
}

impl Scale {
    /// The profile of nextest.
    fn profile(self) -> &'static str {
        match self {
            Self::Normal => "default",
            Self::Soak => "soak",
        }
    }
}

impl SkipPolicy {
    fn here() -> Self {
        match std::env::var("CI").as_deref() {
            Ok("" | "0" | "false") | Err(_) => Self::Allow,
            Ok(_) => Self::Fail,
        }
    }
}

impl Counts {
    fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl Report {
    pub(crate) fn is_success(&self) -> bool {
        self.failure().is_none()
    }

    /// Prints the last line and turns the report into an exit code.
    pub(crate) fn finish(&self) -> ExitCode {
        let failure = self.failure();
        if let Some(failure) = failure {
            eprintln!("error: {failure}");
        }
        println!("{}", self.last_line());
        if failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn failure(&self) -> Option<&'static str> {
        if self.counts.failed > 0 {
            return Some("tests failed");
        }
        match self.skip_policy {
            SkipPolicy::Fail if !self.skipped.is_empty() => Some("tests were skipped, and CI is set"),
            SkipPolicy::Fail | SkipPolicy::Allow => None,
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

/// In `target/` of the workspace, even if cargo's target folder is another one.
fn empty_skip_log() -> anyhow::Result<PathBuf> {
    let folder = child::root().join("target");
    let log = folder.join("skipped.txt");
    fs::create_dir_all(&folder)
        .and_then(|()| fs::write(&log, ""))
        .with_context(|| format!("failed to empty {}", log.display()))?;
    Ok(log)
}

/// Each line once: a test that was run twice may have written it twice.
fn read_skip_log(log: &Path) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(log).with_context(|| format!("failed to read {}", log.display()))?;
    let mut lines: Vec<_> = text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect();
    lines.sort_unstable();
    lines.dedup();
    Ok(lines)
}

/// nextest prints to the terminal; the counts come from the report that it writes.
fn nextest(plan: &TestPlan, machine: &Machine, skip_log: &Path) -> anyhow::Result<Counts> {
    let report = child::root().join("target/nextest").join(plan.scale.profile()).join("junit.xml");
    // It may not exist yet.
    _ = fs::remove_file(&report);
    let mut command = nextest_command(plan);
    command.env(MISSING_VARIABLE, &machine.missing);
    command.env(SKIP_LOG_VARIABLE, skip_log);
    if let Some(binary) = &machine.static_binary {
        command.env(STATIC_BINARY_VARIABLE, binary);
    }
    let result = child::run(&mut command);

    let counts = fs::read_to_string(&report).ok().as_deref().and_then(junit_counts);
    match (result, counts) {
        (Ok(()), Some(counts)) => Ok(counts),
        (Ok(()), None) => bail!("failed to read {}", report.display()),
        (Err(_), Some(counts)) if counts.failed > 0 => Ok(counts),
        (Err(error), _) => Err(error.context("failed to run the tests")),
    }
}

fn nextest_command(plan: &TestPlan) -> Command {
    let mut command = child::cargo();
    command.args(["nextest", "run", "--profile", plan.scale.profile()]);
    if !names_package(&plan.filters) {
        command.arg("--workspace");
    }
    if plan.scale == Scale::Soak {
        command.env("PILOTLIGHT_SOAK", "1");
    }
    command.args(&plan.filters);
    command
}

/// `-p` has no effect beside `--workspace`.
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
    let stdout = child.stdout.take().expect("it is piped");
    let mut counts = Counts::default();
    for line in BufReader::new(stdout).lines() {
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

    fn report(counts: Counts, skipped: &[&str], skip_policy: SkipPolicy) -> Report {
        Report { counts, skipped: skipped.iter().map(|&line| line.to_owned()).collect(), skip_policy }
    }

    #[test]
    fn a_skipped_test_is_not_counted_as_passed() {
        let report =
            report(Counts { passed: 10, failed: 1 }, &["a: no root", "b: no root"], SkipPolicy::Allow);
        assert_eq!(report.last_line(), "8 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn a_skipped_test_fails_the_run_on_a_build_server() {
        let passed = Counts { passed: 2, failed: 0 };
        assert!(report(passed, &["a: no root"], SkipPolicy::Allow).is_success());
        assert!(!report(passed, &["a: no root"], SkipPolicy::Fail).is_success());
        assert!(report(passed, &[], SkipPolicy::Fail).is_success());
        assert!(!report(Counts { passed: 1, failed: 1 }, &[], SkipPolicy::Allow).is_success());
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
