//! `cargo xtask setup`: meets the needs of the tests, by name, and never more than that.
//!
//! Debian packages are installed only as root on Debian and its kin; cargo tools and npm packages anywhere. What
//! could not be met is named with how to get it: it is never silently left out.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::bail;

use crate::child;
use crate::needs::{Lack, NEEDS, Need, PINNED, Source, VENV, WantedBy};

/// Whether the machine may be changed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Consent {
    Install,
    OnlyName,
}

/// Meets every need, those of `ci` too.
pub(crate) fn run() -> anyhow::Result<()> {
    let tests = meet(WantedBy::Tests, Consent::Install);
    let ci = meet(WantedBy::Ci, Consent::Install);
    if tests.broken || ci.broken {
        bail!("failed to install everything; the reasons stand above");
    }
    Ok(())
}

/// What is left after [`meet`].
#[derive(Default)]
pub(crate) struct Met {
    /// Names of needs that are still not met.
    pub(crate) lacks: Vec<&'static str>,
    /// An installation was tried and failed.
    broken: bool,
}

impl Met {
    pub(crate) fn lacks(&self, name: &str) -> bool {
        self.lacks.contains(&name)
    }
}

/// Looks for everything in the table, installs what it may, and names what is missing.
pub(crate) fn meet(wanted_by: WantedBy, consent: Consent) -> Met {
    meet_these(|need| need.wanted_by == wanted_by, consent)
}

/// The same for some of the table's rows.
pub(crate) fn meet_these(wanted: impl Fn(&Need) -> bool, consent: Consent) -> Met {
    let mut met = Met::default();
    let mut installer = Installer::new(consent);
    for need in NEEDS.iter().filter(|need| wanted(need)) {
        let Err(lack) = (need.probe)() else { continue };
        println!("lacking: {}: {}", need.name, lack.why());
        match installer.install(need, &lack) {
            Installed::Yes => continue,
            Installed::Failed => met.broken = true,
            Installed::NotTried => {}
        }
        match lack {
            Lack::Absent(_) => println!("  get it: {}; without it {}", advice(&need.source), need.without),
            Lack::Refused(_) => println!("  without it {}", need.without),
        }
        met.lacks.push(need.name);
    }
    met
}

fn advice(source: &Source) -> String {
    match source {
        Source::Cargo { package, version: None } => format!("cargo install {package} --locked"),
        Source::Cargo { package, version: Some(version) } => {
            format!("cargo install {package} --locked --version {version}")
        }
        Source::Debian(packages) => format!("Debian's {}, or your system's own", packages.join(" ")),
        Source::RustTarget(target) => format!("rustup target add {}", target()),
        Source::Npm(folder) => format!("npm ci in {folder}"),
        Source::Pip(folder) => format!("cargo xtask setup makes {folder}/{VENV}"),
    }
}

enum Installed {
    Yes,
    Failed,
    NotTried,
}

struct Installer {
    consent: Consent,
    /// Package lists are refreshed before the first package, once.
    lists_are_fresh: bool,
}

impl Installer {
    fn new(consent: Consent) -> Self {
        Self { consent, lists_are_fresh: false }
    }

    fn install(&mut self, need: &Need, lack: &Lack) -> Installed {
        let may = match lack {
            Lack::Absent(_) => self.may(&need.source),
            Lack::Refused(_) => false,
        };
        if !may {
            return Installed::NotTried;
        }
        println!("installing: {}", need.name);
        let done = match &need.source {
            Source::Cargo { package, version } => child::run(&mut cargo_install(package, *version)),
            Source::Debian(packages) => self.apt(packages),
            Source::RustTarget(target) => {
                child::run(child::command("rustup").args(["target", "add", &target()]))
            }
            Source::Npm(folder) => child::run(&mut npm_ci(folder)),
            Source::Pip(folder) => pip_install(folder),
        };
        match (done, (need.probe)()) {
            (Ok(()), Ok(())) => return Installed::Yes,
            (Err(error), _) => eprintln!("  failed to install {}: {error:#}", need.name),
            (Ok(()), Err(lack)) => eprintln!("  installed, yet {}", lack.why()),
        }
        Installed::Failed
    }

    fn may(&self, source: &Source) -> bool {
        self.consent == Consent::Install
            && match source {
                Source::Cargo { .. } => true,
                Source::Debian(_) => is_root() && is_debian(),
                Source::RustTarget(_) => child::ask(child::command("rustup").arg("--version")).is_ok(),
                Source::Npm(_) => child::ask(child::command("npm").arg("--version")).is_ok(),
                Source::Pip(_) => child::ask(child::command("python3").arg("--version")).is_ok(),
            }
    }

    fn apt(&mut self, packages: &[&str]) -> anyhow::Result<()> {
        if !self.lists_are_fresh {
            child::run(apt_get().arg("update"))?;
            self.lists_are_fresh = true;
        }
        child::run(apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages))
    }
}

fn apt_get() -> Command {
    let mut command = child::command("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
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

/// Into a virtual environment of its own; the system's packages stay as they are.
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

/// `ID=debian`, or a list of kin that holds it: `ID_LIKE="ubuntu debian"`.
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

    #[test]
    fn debian_and_its_kin_are_known_by_their_id() {
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
    fn advice_can_be_typed_as_it_stands() {
        let deny = Source::Cargo { package: "cargo-deny", version: Some("0.20.2") };
        assert_eq!(advice(&deny), "cargo install cargo-deny --locked --version 0.20.2");
    }

    #[test]
    fn nothing_is_installed_without_consent() {
        let installer = Installer::new(Consent::OnlyName);
        for need in NEEDS {
            assert!(!installer.may(&need.source), "{}", need.name);
        }
    }
}
