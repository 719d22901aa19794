//! `cargo xtask setup`: installs the requirements of tests and `ci` by name, and nothing else.
//!
//! What will be installed is printed before the first installation. Debian packages are installed only as root on
//! Debian and its derivatives; cargo tools, npm and PyPI packages anywhere. A requirement that cannot be installed here
//! is printed with how to get it. An installation that fails is an error: what needs it is not skipped.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::bail;

use crate::apt::Apt;
use crate::child;
use crate::requirements::{Missing, PINNED, REQUIREMENTS, Requirement, Source, UsedBy, VENV};

/// Whether the machine may be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum InstallMode {
    Install,
    /// Missing requirements are only printed.
    ReportOnly,
}

/// Installs what tests and `ci` need.
pub(crate) fn run() -> anyhow::Result<()> {
    let used_there = |requirement: &Requirement| matches!(requirement.used_by, UsedBy::Tests | UsedBy::Ci);
    provide_some(used_there, InstallMode::Install).map(drop)
}

/// Names of requirements that are not installed and that could not be installed here.
#[derive(Default)]
pub(crate) struct Unavailable(Vec<&'static str>);

impl Unavailable {
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains(&name)
    }

    pub(crate) fn names(&self) -> &[&'static str] {
        &self.0
    }
}

/// Looks for the requirements of one use, installs what it may, and returns what is unavailable. It is an error when
/// an installation fails.
pub(crate) fn provide(used_by: UsedBy, mode: InstallMode) -> anyhow::Result<Unavailable> {
    provide_some(|requirement| requirement.used_by == used_by, mode)
}

/// The same for rows of the table with these names.
pub(crate) fn provide_named(names: &[&str], mode: InstallMode) -> anyhow::Result<Unavailable> {
    provide_some(|requirement| names.contains(&requirement.name), mode)
}

fn provide_some(selects: impl Fn(&Requirement) -> bool, mode: InstallMode) -> anyhow::Result<Unavailable> {
    let plan = Plan::new(REQUIREMENTS.iter().filter(|requirement| selects(requirement)), mode);
    plan.print();
    let failed = install_all(&plan.to_install);
    if !failed.is_empty() {
        bail!(
            "failed to install {} (the reasons are printed above); with `--no-setup` nothing is installed, and what \
             needs it is skipped",
            failed.join(", ")
        );
    }
    Ok(Unavailable(plan.unavailable.iter().map(|(requirement, _)| requirement.name).collect()))
}

/// What is missing, and what is done about it.
#[derive(Default)]
struct Plan {
    to_install: Vec<&'static Requirement>,
    unavailable: Vec<(&'static Requirement, Missing)>,
}

impl Plan {
    fn new(requirements: impl Iterator<Item = &'static Requirement>, mode: InstallMode) -> Self {
        let mut plan = Self::default();
        for requirement in requirements {
            let Err(missing) = (requirement.probe)() else { continue };
            if plan.can_install(requirement, &missing, mode) {
                plan.to_install.push(requirement);
            } else {
                plan.unavailable.push((requirement, missing));
            }
        }
        plan
    }

    fn can_install(&self, requirement: &Requirement, missing: &Missing, mode: InstallMode) -> bool {
        match missing {
            Missing::NotInstalled(_) => {
                mode == InstallMode::Install && self.has_installer(&requirement.source)
            }
            Missing::Unusable(_) => false,
        }
    }

    /// An installer that is itself about to be installed counts.
    fn has_installer(&self, source: &Source) -> bool {
        let planned = |name| self.to_install.iter().any(|requirement| requirement.name == name);
        match source {
            Source::Cargo { .. } => true,
            Source::Debian(_) | Source::DebianWithOptional { .. } => is_root() && is_debian(),
            Source::RustTarget(_) => child::output(child::command("rustup").arg("--version")).is_ok(),
            Source::Npm(_) => planned("npm") || is_available("npm"),
            Source::Pip(_) => planned("python") || is_available("python"),
        }
    }

    fn print(&self) {
        for (requirement, missing) in &self.unavailable {
            println!("missing: {}: {}", requirement.name, missing.reason());
            match missing {
                Missing::NotInstalled(_) => println!("  to get it: {}", instructions(&requirement.source)),
                Missing::Unusable(_) => {}
            }
            println!("  without it, {}", requirement.without);
        }
        if !self.to_install.is_empty() {
            println!("these will be installed now:");
        }
        for requirement in &self.to_install {
            println!("  {}: {}", requirement.name, instructions(&requirement.source));
        }
    }
}

fn is_available(name: &str) -> bool {
    REQUIREMENTS.iter().any(|requirement| requirement.name == name && (requirement.probe)().is_ok())
}

fn instructions(source: &Source) -> String {
    match source {
        Source::Cargo { package, version: None } => format!("cargo install {package} --locked"),
        Source::Cargo { package, version: Some(version) } => {
            format!("cargo install {package} --locked --version {version}")
        }
        Source::Debian(packages) | Source::DebianWithOptional { packages, .. } => {
            format!("the Debian packages {}, or your system's own", packages.join(" "))
        }
        Source::RustTarget(triple) => format!("rustup target add {}", triple()),
        Source::Npm(folder) => format!("npm ci in {folder}"),
        Source::Pip(folder) => format!("the packages of {folder}/{PINNED} into {folder}/{VENV}"),
    }
}

/// Returns the names of those whose installation failed.
fn install_all(requirements: &[&Requirement]) -> Vec<&'static str> {
    let mut apt = Apt::new();
    let mut failed = Vec::new();
    for requirement in requirements {
        println!("installing: {}", requirement.name);
        if let Err(error) = install(requirement, &mut apt) {
            eprintln!("  failed to install {}: {error:#}", requirement.name);
            failed.push(requirement.name);
        }
    }
    failed
}

fn install(requirement: &Requirement, apt: &mut Apt) -> anyhow::Result<()> {
    match &requirement.source {
        Source::Cargo { package, version } => child::run(&mut cargo_install(package, *version)),
        Source::Debian(packages) => apt.install(packages, &[]),
        Source::DebianWithOptional { packages, optional } => apt.install(packages, optional),
        Source::RustTarget(triple) => child::run(child::command("rustup").args(["target", "add", &triple()])),
        Source::Npm(folder) => child::run(&mut npm_ci(folder)),
        Source::Pip(folder) => pip_install(folder),
    }?;
    match (requirement.probe)() {
        Ok(()) => Ok(()),
        Err(missing) => bail!("it is still missing after the installation: {}", missing.reason()),
    }
}

/// A tool that runs for seconds need not be optimised for minutes.
fn cargo_install(package: &str, version: Option<&str>) -> Command {
    let mut command = child::cargo();
    command
        .args(["install", package, "--locked"])
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "256");
    if let Some(version) = version {
        command.args(["--version", version]);
    }
    command
}

fn npm_ci(folder: &str) -> Command {
    let mut command = child::command("npm");
    command.current_dir(child::root().join(folder));
    command.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    command
}

/// Into a virtual environment; the system's packages stay as they are.
fn pip_install(folder: &str) -> anyhow::Result<()> {
    let folder = child::root().join(folder);
    let venv = folder.join(VENV);
    child::run(child::command("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
    let mut pip = child::command(venv.join("bin/pip"));
    pip.args([
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--only-binary",
        ":all:",
        "-r",
    ]);
    child::run(pip.arg(folder.join(PINNED)))?;
    fs::copy(folder.join(PINNED), venv.join(PINNED))?;
    Ok(())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

fn is_debian() -> bool {
    fs::read_to_string("/etc/os-release").is_ok_and(|text| names_debian(&text))
}

/// `ID=debian`, or a list of relatives that holds it: `ID_LIKE="ubuntu debian"`.
fn names_debian(os_release: &str) -> bool {
    os_release
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(key, _)| matches!(*key, "ID" | "ID_LIKE"))
        .any(|(_, value)| value.trim_matches(['"', '\'']).split_whitespace().any(|id| id == "debian"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABSENT: Requirement = Requirement {
        name: "absent",
        used_by: UsedBy::Tests,
        probe: || Err(Missing::NotInstalled("`absent` is not installed".to_owned())),
        source: Source::Cargo { package: "absent", version: None },
        without: "nothing happens",
    };
    const UNUSABLE: Requirement = Requirement {
        name: "unusable",
        probe: || Err(Missing::Unusable("the kernel refuses it".to_owned())),
        ..ABSENT
    };
    const PRESENT: Requirement = Requirement { name: "present", probe: || Ok(()), ..ABSENT };
    const FAILING: Requirement =
        Requirement { name: "failing", source: Source::Npm("no/such/folder"), ..ABSENT };
    static TABLE: [Requirement; 3] = [ABSENT, UNUSABLE, PRESENT];

    fn names(plan: &Plan) -> [Vec<&'static str>; 2] {
        let to_install = plan.to_install.iter().map(|requirement| requirement.name).collect();
        [to_install, plan.unavailable.iter().map(|(requirement, _)| requirement.name).collect()]
    }

    #[test]
    fn only_what_is_not_installed_is_installed() {
        let plan = Plan::new(TABLE.iter(), InstallMode::Install);
        assert_eq!(names(&plan), [vec!["absent"], vec!["unusable"]]);
    }

    #[test]
    fn nothing_is_installed_in_report_mode() {
        let plan = Plan::new(TABLE.iter(), InstallMode::ReportOnly);
        assert_eq!(names(&plan), [vec![], vec!["absent", "unusable"]]);
        for requirement in REQUIREMENTS {
            let missing = Missing::NotInstalled(String::new());
            let installs = Plan::default().can_install(requirement, &missing, InstallMode::ReportOnly);
            assert!(!installs, "{}", requirement.name);
        }
    }

    #[test]
    fn an_installation_that_fails_is_named() {
        assert_eq!(install_all(&[&FAILING]), ["failing"]);
    }

    #[test]
    fn debian_and_its_derivatives_are_known_by_their_id() {
        for (text, debian) in [
            ("PRETTY_NAME=\"x\"\nID=debian\n", true),
            ("ID=ubuntu\nID_LIKE=debian\n", true),
            ("ID=pop\nID_LIKE=\"ubuntu debian\"\n", true),
            ("ID=fedora\nHOME_URL=\"debian\"\n", false),
            ("ID=notdebian\n", false),
            ("", false),
        ] {
            assert_eq!(names_debian(text), debian, "{text:?}");
        }
    }

    #[test]
    fn instructions_for_cargo_can_be_typed_as_they_stand() {
        let deny = Source::Cargo { package: "cargo-deny", version: Some("0.20.2") };
        assert_eq!(instructions(&deny), "cargo install cargo-deny --locked --version 0.20.2");
    }
}
