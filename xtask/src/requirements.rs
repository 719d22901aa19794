//! The table of requirements: each tool that tests, `ci` or `release` use, how it is detected, where it comes from, and
//! what does not happen without it. `setup` installs; a new kind of test adds its row here.

use std::path::PathBuf;
use std::{fs, process};

use crate::child;
use crate::static_binary::{self, Target};

/// One thing that a machine may be missing.
pub(crate) struct Requirement {
    /// The name in the tests' `need!`, and in the variable that lists what is missing.
    pub(crate) name: &'static str,
    pub(crate) used_by: UsedBy,
    pub(crate) probe: fn() -> Result<(), Missing>,
    pub(crate) source: Source,
    /// A sentence: what does not happen without it.
    pub(crate) without: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsedBy {
    Tests,
    Ci,
    Release,
}

/// Why a requirement is missing, as a sentence.
#[derive(Debug)]
pub(crate) enum Missing {
    /// It is not there: installing helps.
    NotInstalled(String),
    /// It is there and does not work here: installing does not help.
    Unusable(String),
}

/// Where a requirement comes from.
pub(crate) enum Source {
    /// A tool that cargo builds.
    Cargo { package: &'static str, version: Option<&'static str> },
    /// Packages of Debian and its derivatives.
    Debian(&'static [&'static str]),
    /// The same, with packages that only some releases have.
    DebianWithOptional { packages: &'static [&'static str], optional: &'static [&'static str] },
    /// A target of the Rust toolchain in use.
    RustTarget(fn() -> String),
    /// The pinned packages of that folder, from npm.
    Npm(&'static str),
    /// The pinned packages of that folder, from PyPI, in a virtual environment there.
    Pip(&'static str),
}

/// In the order of installation: `npm` and `python` come before what they install.
pub(crate) const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        name: "cargo-nextest",
        used_by: UsedBy::Tests,
        probe: || cargo_tool("nextest"),
        source: Source::Cargo { package: "cargo-nextest", version: None },
        without: "no test runs",
    },
    Requirement {
        name: "netns",
        used_by: UsedBy::Tests,
        probe: network_namespaces,
        source: Source::Debian(&["iproute2"]),
        without: "tests that cut or slow a network link (their names contain `netns`) are skipped",
    },
    Requirement {
        name: "node",
        used_by: UsedBy::Tests,
        probe: node,
        source: Source::Debian(&["nodejs"]),
        without: "tests with the real clients are skipped",
    },
    Requirement {
        name: "npm",
        used_by: UsedBy::Tests,
        probe: || tool("npm", "--version"),
        source: Source::Debian(&["npm"]),
        without: "the real clients cannot be installed",
    },
    Requirement {
        name: "clients",
        used_by: UsedBy::Tests,
        probe: || installed(CLIENTS, "@trigger.dev/core"),
        source: Source::Npm(CLIENTS),
        without: "tests with the real clients are skipped",
    },
    Requirement {
        name: "python",
        used_by: UsedBy::Tests,
        probe: python,
        source: Source::Debian(&["python3-venv"]),
        without: "tests with the real Python clients are skipped",
    },
    Requirement {
        name: "python-clients",
        used_by: UsedBy::Tests,
        probe: || installed_for_python(PYTHON),
        source: Source::Pip(PYTHON),
        without: "tests with the real Python clients are skipped",
    },
    Requirement {
        name: "tmux",
        used_by: UsedBy::Tests,
        probe: || tool("tmux", "-V"),
        source: Source::Debian(&["tmux"]),
        without: "tests of what the command line shows on a terminal are skipped",
    },
    Requirement {
        name: "jq",
        used_by: UsedBy::Tests,
        probe: || tool("jq", "--version"),
        source: Source::Debian(&["jq"]),
        without: "tests of the documentation's examples are skipped",
    },
    Requirement {
        name: "curl",
        used_by: UsedBy::Tests,
        probe: || tool("curl", "--version"),
        source: Source::Debian(&["curl"]),
        without: "tests of the documentation's examples and of install.sh are skipped",
    },
    Requirement {
        name: "wget",
        used_by: UsedBy::Tests,
        probe: || tool("wget", "--version"),
        source: Source::Debian(&["wget"]),
        without: "a test of install.sh is skipped",
    },
    Requirement {
        name: "docker",
        used_by: UsedBy::Tests,
        probe: container_engine,
        // Since Debian 13 the client is a package of its own.
        source: Source::DebianWithOptional {
            packages: &["docker.io", "iptables"],
            optional: &["docker-cli"],
        },
        without: "tests with a real container engine (their names begin with `container`) are skipped",
    },
    Requirement {
        name: "postgresql",
        used_by: UsedBy::Tests,
        probe: postgresql,
        source: Source::Debian(&["postgresql"]),
        without: "tests of the store in PostgreSQL are skipped",
    },
    Requirement {
        name: "musl-target",
        used_by: UsedBy::Tests,
        probe: || rust_target(&static_binary::native_triple()),
        source: Source::RustTarget(static_binary::native_triple),
        without: "the static binary is not built, and tests of the container image are skipped",
    },
    Requirement {
        name: "musl-gcc",
        used_by: UsedBy::Tests,
        probe: || tool("musl-gcc", "--version"),
        source: Source::Debian(&["musl-tools"]),
        without: "the static binary is not built, and tests of the container image are skipped",
    },
    Requirement {
        name: "chromium",
        used_by: UsedBy::Tests,
        probe: chromium,
        source: Source::Debian(&["chromium"]),
        without: "tests of the dashboard's page are skipped",
    },
    Requirement {
        name: "browser",
        used_by: UsedBy::Tests,
        probe: || installed(BROWSER, "playwright-core"),
        source: Source::Npm(BROWSER),
        without: "tests of the dashboard's page are skipped",
    },
    Requirement {
        name: "dashboard",
        used_by: UsedBy::Tests,
        probe: || installed(DASHBOARD, "esbuild"),
        source: Source::Npm(DASHBOARD),
        without: "the test that the embedded page is the one that its source builds is skipped",
    },
    Requirement {
        name: "shellcheck",
        used_by: UsedBy::Ci,
        probe: || tool("shellcheck", "--version"),
        source: Source::Debian(&["shellcheck"]),
        without: "`cargo xtask ci` cannot check shell scripts",
    },
    Requirement {
        name: "cargo-deny",
        used_by: UsedBy::Ci,
        probe: || cargo_tool("deny"),
        source: Source::Cargo { package: "cargo-deny", version: Some("0.20.2") },
        without: "`cargo xtask ci` cannot check dependencies",
    },
    Requirement {
        name: "cross-target",
        used_by: UsedBy::Release,
        probe: || rust_target(&static_binary::foreign_triple()),
        source: Source::RustTarget(static_binary::foreign_triple),
        without: "the binary for the other processor cannot be built",
    },
    Requirement {
        name: "cross-compiler",
        used_by: UsedBy::Release,
        probe: || installed_for_python(CROSS),
        source: Source::Pip(CROSS),
        without: "the binary for the other processor cannot be built",
    },
    Requirement {
        name: "qemu",
        used_by: UsedBy::Release,
        probe: qemu,
        source: Source::Debian(&["qemu-user"]),
        without: "the binary for the other processor cannot be started, so it is not released",
    },
    Requirement {
        name: "buildah",
        used_by: UsedBy::Release,
        probe: || tool("buildah", "--version"),
        source: Source::Debian(&["buildah"]),
        without: "images for several processors cannot be built",
    },
];

/// What the static binary for this machine's processor is built with.
pub(crate) const FOR_NATIVE_BINARY: &[&str] = &["musl-target", "musl-gcc"];
/// What the static binary for the other processor is built and started with.
const FOR_FOREIGN_BINARY: &[&str] = &["cross-target", "python", "cross-compiler", "qemu"];
/// What images for several processors are built and pushed with.
pub(crate) const FOR_IMAGE_LIST: &[&str] = &["buildah"];

/// The oldest Node.js that the pinned packages run on.
const NODE_MAJOR: u32 = 20;

/// The folder that pins the real clients.
const CLIENTS: &str = "crates/pilotlight/tests/clients";
/// The folder that pins what drives a browser.
const BROWSER: &str = "crates/pilotlight/tests/browser";
/// The folder that pins the real Python clients.
const PYTHON: &str = "crates/pilotlight/tests/python";
/// The folder that pins the C compiler for the other processor.
const CROSS: &str = "xtask/cross";
/// A virtual environment's folder, beside what it is made from.
pub(crate) const VENV: &str = ".venv";
/// The list of a virtual environment's packages, with their versions.
pub(crate) const PINNED: &str = "requirements.txt";
/// The folder with the source of the dashboard's page.
const DASHBOARD: &str = "dashboard";

impl Missing {
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::NotInstalled(reason) | Self::Unusable(reason) => reason,
        }
    }
}

/// Names of the requirements for building and starting the static binary for a target.
pub(crate) fn for_binary(target: Target) -> &'static [&'static str] {
    if target.is_native() { FOR_NATIVE_BINARY } else { FOR_FOREIGN_BINARY }
}

fn cargo_tool(name: &str) -> Result<(), Missing> {
    child::output(child::cargo().args([name, "--version"]))
        .map(drop)
        .map_err(|_| Missing::NotInstalled(format!("`cargo {name}` is not installed")))
}

fn tool(name: &str, flag: &str) -> Result<(), Missing> {
    child::output(child::command(name).arg(flag)).map(drop).map_err(Missing::NotInstalled)
}

/// Makes a namespace: in many containers `ip` is installed and the kernel refuses what it does.
fn network_namespaces() -> Result<(), Missing> {
    tool("ip", "-V")?;
    tool("tc", "-V")?;
    let name = format!("pilotlight-probe-{}", process::id());
    for verb in ["add", "delete"] {
        child::output(child::command("ip").args(["netns", verb, &name])).map_err(|reason| {
            Missing::Unusable(format!("{reason} (this needs root, or CAP_SYS_ADMIN and CAP_NET_ADMIN)"))
        })?;
    }
    Ok(())
}

/// Does what the tests' own engine does at its start: in many containers the kernel refuses it.
fn container_engine() -> Result<(), Missing> {
    for name in ["dockerd", "docker", "iptables"] {
        tool(name, "--version")?;
    }
    let namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let script = "mount -t tmpfs tmpfs /run && iptables -t nat -L -n && test -w /sys/fs/cgroup";
    child::output(child::command("unshare").args(namespaces).args(["sh", "-c", script])).map(drop).map_err(
        |reason| Missing::Unusable(format!("{reason} (an engine for the tests needs a privileged root)")),
    )
}

/// The server's programs, searched for where the tests search, and `setpriv`, which starts them as another user than
/// root.
fn postgresql() -> Result<(), Missing> {
    tool("setpriv", "--version")?;
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = debian.map(|version| version.path().join("bin")).chain(std::env::split_paths(&path));
    let has_all =
        |folder: PathBuf| ["initdb", "postgres", "psql"].iter().all(|tool| folder.join(tool).exists());
    if folders.into_iter().any(has_all) {
        return Ok(());
    }
    Err(Missing::NotInstalled("PostgreSQL's server is not installed".to_owned()))
}

fn rust_target(triple: &str) -> Result<(), Missing> {
    let folder =
        child::output(child::command("rustc").args(["--print", "target-libdir", "--target", triple]))
            .map_err(Missing::Unusable)?;
    if PathBuf::from(folder).exists() {
        return Ok(());
    }
    Err(Missing::NotInstalled(format!("Rust's target {triple} is not installed")))
}

/// Debian has two packages of it; the programs of one have names that end in `-static`.
fn qemu() -> Result<(), Missing> {
    static_binary::emulator().map(drop).map_err(Missing::NotInstalled)
}

fn node() -> Result<(), Missing> {
    let version = child::output(child::command("node").arg("--version")).map_err(Missing::NotInstalled)?;
    match node_major(&version) {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => Err(Missing::Unusable(format!("node {version} is too old: {NODE_MAJOR} or newer is needed"))),
    }
}

fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn python() -> Result<(), Missing> {
    let modules = child::output(child::command("python3").args(["-c", "import ensurepip, venv"]));
    modules.map(drop).map_err(Missing::NotInstalled)
}

/// `setup` copies the list into the virtual environment once all of its packages are installed.
fn installed_for_python(folder: &'static str) -> Result<(), Missing> {
    let folder_path = child::root().join(folder);
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    let pinned = read(folder_path.join(PINNED));
    if pinned.is_some() && pinned == read(folder_path.join(VENV).join(PINNED)) {
        return Ok(());
    }
    Err(Missing::NotInstalled(format!("the packages of {folder}/{PINNED} are not installed")))
}

fn chromium() -> Result<(), Missing> {
    let version = child::output(child::command("chromium").args(["--no-sandbox", "--version"]));
    version.map(drop).map_err(Missing::NotInstalled)
}

/// The version must be the pinned one, and npm's last file must be there: without it the installation was interrupted.
fn installed(folder: &'static str, package: &str) -> Result<(), Missing> {
    let modules = child::root().join(folder).join("node_modules");
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let manifest = read(child::root().join(folder).join("package.json"));
    let found = read(modules.join(package).join("package.json"));

    let (pinned, found) = (text_field(&manifest, package), text_field(&found, "version"));
    if pinned.is_some() && pinned == found && modules.join(".package-lock.json").exists() {
        return Ok(());
    }
    let pinned = pinned.unwrap_or("(not pinned)");
    Err(Missing::NotInstalled(format!("{package} {pinned} is not installed in {folder}")))
}

/// The first text value of that key; enough for the two manifests it reads.
fn text_field<'a>(json: &'a str, key: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{key}\":"))?;
    rest.trim_start().strip_prefix('"')?.split('"').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_version_is_compared_by_its_first_number() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("v8.1.0"), Some(8));
        assert_eq!(node_major("20.20.2"), None);
        assert_eq!(node_major(""), None);
    }

    #[test]
    fn the_pinned_version_is_read_from_the_manifest() {
        let manifest = r#"{ "name": "x", "dependencies": { "@trigger.dev/core": "4.8.3" } }"#;
        assert_eq!(text_field(manifest, "@trigger.dev/core"), Some("4.8.3"));
        assert_eq!(text_field(manifest, "version"), None);
    }

    #[test]
    fn the_real_clients_are_pinned_to_one_version() {
        let manifest = fs::read_to_string(child::root().join(CLIENTS).join("package.json"));
        let manifest = manifest.expect("the manifest is in the repository");
        assert_eq!(text_field(&manifest, "@trigger.dev/core"), Some("4.8.3"));
    }

    #[test]
    fn packages_are_pinned_exactly_and_lock_files_name_no_registry() {
        for folder in [CLIENTS, BROWSER, DASHBOARD] {
            let read =
                |name| fs::read_to_string(child::root().join(folder).join(name)).expect("it is committed");
            assert!(!read("package.json").contains(['^', '~']), "{folder}");
            let lock = read("package-lock.json");
            assert!(
                !lock.contains("\"resolved\""),
                "{folder}: write it with `--omit-lockfile-registry-resolved`"
            );
        }
    }

    #[test]
    fn requirements_of_releases_are_in_the_table() {
        for name in [FOR_NATIVE_BINARY, FOR_FOREIGN_BINARY, FOR_IMAGE_LIST].concat() {
            assert!(REQUIREMENTS.iter().any(|requirement| requirement.name == name), "{name}");
        }
    }

    #[test]
    fn names_in_the_table_are_unique() {
        let mut names: Vec<_> = REQUIREMENTS.iter().map(|requirement| requirement.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), REQUIREMENTS.len());
    }
}
