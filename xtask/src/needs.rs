//! The table of what the tests want from a machine: how each thing is detected, where it comes from, and which tests
//! go without it. Installing is `setup`'s work; a new kind of test adds its row here.

use std::path::PathBuf;
use std::{fs, process};

use crate::child;
use crate::static_binary;

/// One thing a machine may lack.
pub(crate) struct Need {
    /// As it stands in `PILOTLIGHT_LACKS`.
    pub(crate) name: &'static str,
    pub(crate) wanted_by: WantedBy,
    pub(crate) probe: fn() -> Result<(), Lack>,
    pub(crate) source: Source,
    /// A sentence: what does not happen without it.
    pub(crate) without: &'static str,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum WantedBy {
    Tests,
    Ci,
}

/// Why a need is not met.
pub(crate) enum Lack {
    /// It is not there: installing helps.
    Absent(String),
    /// It is there and does not do: a person must look.
    Refused(String),
}

/// Where a need comes from.
pub(crate) enum Source {
    Cargo {
        package: &'static str,
        version: Option<&'static str>,
    },
    Debian(&'static [&'static str]),
    /// A target of the Rust tool chain in use.
    RustTarget(fn() -> String),
    /// The pinned packages of that folder.
    Npm(&'static str),
    /// The same for Python, in a virtual environment there.
    Pip(&'static str),
}

/// In the order they are met: npm before what it installs.
pub(crate) const NEEDS: &[Need] = &[
    Need {
        name: "cargo-nextest",
        wanted_by: WantedBy::Tests,
        probe: || cargo_tool("nextest"),
        source: Source::Cargo { package: "cargo-nextest", version: None },
        without: "no test runs",
    },
    Need {
        name: "netns",
        wanted_by: WantedBy::Tests,
        probe: network_namespaces,
        source: Source::Debian(&["iproute2"]),
        without: "tests that cut or slow a network link (their names contain `netns`) are skipped",
    },
    Need {
        name: "node",
        wanted_by: WantedBy::Tests,
        probe: node,
        source: Source::Debian(&["nodejs"]),
        without: "tests with the real clients are skipped",
    },
    Need {
        name: "npm",
        wanted_by: WantedBy::Tests,
        probe: npm,
        source: Source::Debian(&["npm"]),
        without: "the real clients cannot be installed",
    },
    Need {
        name: "clients",
        wanted_by: WantedBy::Tests,
        probe: || installed(CLIENTS, "@trigger.dev/core"),
        source: Source::Npm(CLIENTS),
        without: "tests with the real clients are skipped",
    },
    Need {
        name: "python",
        wanted_by: WantedBy::Tests,
        probe: python,
        source: Source::Debian(&["python3-venv"]),
        without: "tests with the real Python clients are skipped",
    },
    Need {
        name: "python-clients",
        wanted_by: WantedBy::Tests,
        probe: || installed_for_python(PYTHON),
        source: Source::Pip(PYTHON),
        without: "tests with the real Python clients are skipped",
    },
    Need {
        name: "tmux",
        wanted_by: WantedBy::Tests,
        probe: || tool("tmux", "-V"),
        source: Source::Debian(&["tmux"]),
        without: "nobody sees what the command line shows on a terminal",
    },
    Need {
        name: "jq",
        wanted_by: WantedBy::Tests,
        probe: || tool("jq", "--version"),
        source: Source::Debian(&["jq"]),
        without: "examples of the documentation are not run",
    },
    Need {
        name: "curl",
        wanted_by: WantedBy::Tests,
        probe: || tool("curl", "--version"),
        source: Source::Debian(&["curl"]),
        without: "examples of the documentation are not run",
    },
    Need {
        name: "docker",
        wanted_by: WantedBy::Tests,
        probe: container_engine,
        source: Source::Debian(&["docker.io", "iptables"]),
        without: "tests with a real container engine (their names begin with `container`) are skipped",
    },
    Need {
        name: "postgresql",
        wanted_by: WantedBy::Tests,
        probe: postgresql,
        source: Source::Debian(&["postgresql"]),
        without: "tests of the store in PostgreSQL are skipped",
    },
    Need {
        name: "musl-target",
        wanted_by: WantedBy::Tests,
        probe: musl_target,
        source: Source::RustTarget(static_binary::target),
        without: "the static binary is not built, and tests of the container image are skipped",
    },
    Need {
        name: "musl-gcc",
        wanted_by: WantedBy::Tests,
        probe: musl_gcc,
        source: Source::Debian(&["musl-tools"]),
        without: "the static binary is not built, and tests of the container image are skipped",
    },
    Need {
        name: "chromium",
        wanted_by: WantedBy::Tests,
        probe: chromium,
        source: Source::Debian(&["chromium"]),
        without: "tests of the dashboard's page are skipped",
    },
    Need {
        name: "browser",
        wanted_by: WantedBy::Tests,
        probe: || installed(BROWSER, "playwright-core"),
        source: Source::Npm(BROWSER),
        without: "tests of the dashboard's page are skipped",
    },
    Need {
        name: "dashboard",
        wanted_by: WantedBy::Tests,
        probe: || installed(DASHBOARD, "esbuild"),
        source: Source::Npm(DASHBOARD),
        without: "nobody sees whether the page that is embedded is the one that its source builds",
    },
    Need {
        name: "cargo-deny",
        wanted_by: WantedBy::Ci,
        probe: || cargo_tool("deny"),
        source: Source::Cargo { package: "cargo-deny", version: Some("0.20.2") },
        without: "`cargo xtask ci` cannot check licences, bans and sources",
    },
];

/// What the static binary is built with.
pub(crate) const FOR_THE_STATIC_BINARY: &[&str] = &["musl-target", "musl-gcc"];

/// The oldest Node.js that the pinned packages run on.
const NODE_MAJOR: u32 = 20;

/// The folder that pins the real clients.
const CLIENTS: &str = "crates/pilotlight/tests/clients";
/// The folder that pins what drives a browser.
const BROWSER: &str = "crates/pilotlight/tests/browser";
/// The folder that pins the real Python clients.
const PYTHON: &str = "crates/pilotlight/tests/python";
/// A virtual environment's folder, beside what it is made from.
pub(crate) const VENV: &str = ".venv";
/// What is installed in a virtual environment, once all of it is.
pub(crate) const PINNED: &str = "requirements.txt";
/// The folder with the source of the dashboard's page.
const DASHBOARD: &str = "dashboard";

impl Lack {
    pub(crate) fn why(&self) -> &str {
        match self {
            Self::Absent(why) | Self::Refused(why) => why,
        }
    }
}

fn cargo_tool(name: &str) -> Result<(), Lack> {
    child::ask(child::cargo().args([name, "--version"]))
        .map(drop)
        .map_err(|_| Lack::Absent(format!("`cargo {name}` is not installed")))
}

fn tool(name: &str, flag: &str) -> Result<(), Lack> {
    child::ask(child::command(name).arg(flag)).map(drop).map_err(Lack::Absent)
}

/// Asks the kernel, not only the path: in many containers `ip` is there and may do nothing.
fn network_namespaces() -> Result<(), Lack> {
    for (tool, flag) in [("ip", "-V"), ("tc", "-V")] {
        child::ask(child::command(tool).arg(flag)).map_err(Lack::Absent)?;
    }
    let name = format!("pilotlight-probe-{}", process::id());
    for verb in ["add", "delete"] {
        child::ask(child::command("ip").args(["netns", verb, &name])).map_err(|why| {
            Lack::Refused(format!("{why} (it takes root or CAP_SYS_ADMIN and CAP_NET_ADMIN)"))
        })?;
    }
    Ok(())
}

/// Asks the kernel for all that the tests' own engine is started with: in many containers it is refused.
fn container_engine() -> Result<(), Lack> {
    for (tool, flag) in [("dockerd", "--version"), ("docker", "--version"), ("iptables", "--version")] {
        child::ask(child::command(tool).arg(flag)).map_err(Lack::Absent)?;
    }
    let namespaces = ["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"];
    let tries = "mount -t tmpfs tmpfs /run && iptables -t nat -L -n && test -w /sys/fs/cgroup";
    match child::ask(child::command("unshare").args(namespaces).args(["sh", "-c", tries])) {
        Ok(_) => Ok(()),
        Err(why) => Err(Lack::Refused(format!("{why} (an engine of one's own takes a privileged root)"))),
    }
}

/// Its programs, as the tests look for them, and what starts them as somebody else than root.
fn postgresql() -> Result<(), Lack> {
    child::ask(child::command("setpriv").arg("--version")).map_err(Lack::Absent)?;
    let debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = debian.map(|version| version.path().join("bin")).chain(std::env::split_paths(&path));
    let has_all =
        |place: PathBuf| ["initdb", "postgres", "psql"].iter().all(|tool| place.join(tool).exists());
    if places.into_iter().any(has_all) {
        return Ok(());
    }
    Err(Lack::Absent("PostgreSQL's server is not installed".to_owned()))
}

fn musl_target() -> Result<(), Lack> {
    let target = static_binary::target();
    let folder = child::ask(child::command("rustc").args(["--print", "target-libdir", "--target", &target]))
        .map_err(Lack::Refused)?;
    if PathBuf::from(folder).exists() {
        return Ok(());
    }
    Err(Lack::Absent(format!("Rust's target {target} is not installed")))
}

fn musl_gcc() -> Result<(), Lack> {
    child::ask(child::command("musl-gcc").arg("--version")).map(drop).map_err(Lack::Absent)
}

fn node() -> Result<(), Lack> {
    let version = child::ask(child::command("node").arg("--version")).map_err(Lack::Absent)?;
    match node_major(&version) {
        Some(major) if major >= NODE_MAJOR => Ok(()),
        _ => Err(Lack::Refused(format!("node {version} is too old: {NODE_MAJOR} or newer is needed"))),
    }
}

fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

fn npm() -> Result<(), Lack> {
    child::ask(child::command("npm").arg("--version")).map(drop).map_err(Lack::Absent)
}

fn python() -> Result<(), Lack> {
    let asked = child::ask(child::command("python3").args(["-c", "import ensurepip, venv"]));
    asked.map(drop).map_err(Lack::Absent)
}

/// A copy of the list is put beside the packages when all of them are installed.
fn installed_for_python(folder: &'static str) -> Result<(), Lack> {
    let folder_path = child::root().join(folder);
    let read = |path: PathBuf| fs::read_to_string(path).ok();
    let wanted = read(folder_path.join(PINNED));
    if wanted.is_some() && wanted == read(folder_path.join(VENV).join(PINNED)) {
        return Ok(());
    }
    Err(Lack::Absent(format!("the packages of {folder}/{PINNED} are not installed")))
}

fn chromium() -> Result<(), Lack> {
    let asked = child::ask(child::command("chromium").args(["--no-sandbox", "--version"]));
    asked.map(drop).map_err(Lack::Absent)
}

/// The version must be the pinned one, and npm's closing note must be there: without it an installation broke off.
fn installed(folder: &'static str, package: &str) -> Result<(), Lack> {
    let modules = child::root().join(folder).join("node_modules");
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let wanted = read(child::root().join(folder).join("package.json"));
    let found = read(modules.join(package).join("package.json"));

    let (wanted, found) = (text_field(&wanted, package), text_field(&found, "version"));
    if wanted.is_some() && wanted == found && modules.join(".package-lock.json").exists() {
        return Ok(());
    }
    Err(Lack::Absent(format!("{package} {} is not installed in {folder}", wanted.unwrap_or("(not pinned)"))))
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
    fn what_the_static_binary_is_built_with_stands_in_the_table() {
        for name in FOR_THE_STATIC_BINARY {
            assert!(NEEDS.iter().any(|need| need.name == *name), "{name}");
        }
    }

    #[test]
    fn names_in_the_table_are_unique() {
        let mut names: Vec<_> = NEEDS.iter().map(|need| need.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NEEDS.len());
    }
}
