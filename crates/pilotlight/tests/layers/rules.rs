//! The rules of the workspace as a table. Each rule has a reason, the files that it applies to, what it forbids, and
//! small examples that it rejects and accepts. To allow a dependency, add it to the list of its crate here, with a
//! sentence that says why.

use std::fmt;

use toml::{Table, Value};

use crate::used_paths::{TestCode, UsedPath, used_paths};
use crate::workspace::{File, Workspace};

/// One rule of the workspace.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) reason: &'static str,
    applies_to: fn(&File) -> bool,
    forbids: Forbids,
    /// Path and text of files that break the rule exactly once.
    pub(crate) rejected: &'static [(&'static str, &'static str)],
    /// Path and text of files that are similar and do not break the rule.
    pub(crate) accepted: &'static [(&'static str, &'static str)],
}

/// What a file must not do if a rule applies to it.
enum Forbids {
    /// Use one of these paths outside tests. A glob import uses a path that ends with `*`.
    Paths(&'static [&'static str]),
    /// Use one of these paths, also in tests.
    PathsAlsoInTests(&'static [&'static str]),
    /// List a dependency that is not one of these. All development dependencies are allowed.
    DependenciesExcept(&'static [&'static str]),
    /// List one of these dependencies, other than as a development dependency.
    Dependencies(&'static [&'static str]),
    /// Have more lines than this.
    LinesOver(usize),
    /// Have a first line that is not a `//!` comment with text.
    MissingHeader,
}

/// A place where a rule is broken.
pub(crate) struct Violation {
    path: String,
    line: usize,
    description: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.description)
    }
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "core depends only on crates without I/O",
        reason: "a crate that decides cannot do I/O if none of its dependencies can",
        applies_to: |file| file.path() == "crates/core/Cargo.toml",
        // `uuid` has no features enabled: it formats and parses ids, and reads neither a clock nor random bytes.
        forbids: Forbids::DependenciesExcept(&["ryu-js", "sha2", "slab", "thiserror", "uuid"]),
        rejected: &[
            ("crates/core/Cargo.toml", "[dependencies]\nslab = \"1\"\ntokio.workspace = true\n"),
            ("crates/core/Cargo.toml", "[dependencies]\npilotlight-wire = { path = \"../wire\" }\n"),
            ("crates/core/Cargo.toml", "[dependencies]\nslab = { package = \"tokio\", version = \"1\" }\n"),
            ("crates/core/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n"),
            ("crates/core/Cargo.toml", "[build-dependencies]\ncc = \"1\"\n"),
        ],
        accepted: &[
            (
                "crates/core/Cargo.toml",
                "[dependencies]\nslab.workspace = true\n[dev-dependencies]\nproptest = \"1\"\n",
            ),
            ("crates/pilotlight/Cargo.toml", "[dependencies]\ntokio = \"1\"\n"),
        ],
    },
    Rule {
        name: "wire depends only on crates that read and write messages",
        reason: "message types must not be able to send themselves",
        applies_to: |file| file.path() == "crates/wire/Cargo.toml",
        forbids: Forbids::DependenciesExcept(&["bytes", "serde", "serde_json", "thiserror", "utoipa"]),
        rejected: &[
            ("crates/wire/Cargo.toml", "[dependencies]\nhyper = \"1\"\n"),
            ("crates/wire/Cargo.toml", "[dependencies]\npilotlight-core = \"1\"\n"),
        ],
        accepted: &[("crates/wire/Cargo.toml", "[dependencies]\nserde = \"1\"\n")],
    },
    Rule {
        name: "store uses core and no other crate of the workspace",
        reason: "the store must not depend on its callers or on their protocol",
        applies_to: |file| file.path() == "crates/store/Cargo.toml",
        forbids: Forbids::Dependencies(&[
            "pilotlight",
            "pilotlight-bench",
            "pilotlight-sim",
            "pilotlight-wire",
        ]),
        rejected: &[("crates/store/Cargo.toml", "[dependencies]\npilotlight-wire.workspace = true\n")],
        accepted: &[("crates/store/Cargo.toml", "[dependencies]\npilotlight-core.workspace = true\n")],
    },
    Rule {
        name: "the shipped binary never uses sim, bench or testkit",
        reason: "simulations, benchmarks and fakes test and measure the product and are never part of it",
        applies_to: |file| file.path() == "crates/pilotlight/Cargo.toml",
        forbids: Forbids::Dependencies(&["pilotlight-bench", "pilotlight-sim", "pilotlight-testkit"]),
        rejected: &[(
            "crates/pilotlight/Cargo.toml",
            "[dependencies]\npilotlight-sim = { path = \"../sim\" }\n",
        )],
        accepted: &[(
            "crates/pilotlight/Cargo.toml",
            "[dev-dependencies]\npilotlight-sim = { path = \"../sim\" }\n",
        )],
    },
    Rule {
        name: "core and wire read no clock, environment, disk or network, and take no lock",
        reason: "deciding code is a function of its arguments: it can be replayed, and hundreds of tests run in a second",
        applies_to: |file| {
            file.is_product() && (file.is_within("crates/core/src") || file.is_within("crates/wire/src"))
        },
        forbids: Forbids::Paths(&[
            "Instant::now",
            "SystemTime",
            "std::env",
            "std::fs",
            "std::net",
            "std::os",
            "std::process",
            "std::thread",
            "Condvar",
            "Mutex",
            "RwLock",
            "async",
            "await",
            "std::*",
        ]),
        rejected: &[
            ("crates/core/src/pool.rs", "use std::time::Instant; fn f() { Instant::now(); }"),
            ("crates/core/src/pool.rs", "fn f() { std::time::SystemTime::now(); }"),
            ("crates/core/src/pool.rs", "use std::{env, fmt};"),
            ("crates/core/src/pool/list.rs", "use std::fs::File;"),
            ("crates/core/src/pool.rs", "struct S { inner: std::sync::Mutex<u8> }"),
            ("crates/core/src/pool.rs", "use std::sync::{Arc, RwLock};"),
            ("crates/core/src/pool.rs", "async fn f() {}"),
            ("crates/wire/src/jobs.rs", "use std::net::TcpStream;"),
            ("crates/core/src/pool.rs", "#[cfg(not(test))] use std::fs;"),
        ],
        accepted: &[
            (
                "crates/core/src/pool.rs",
                "//! Never std::fs.\nconst X: &str = \"std::fs Mutex\"; // Instant::now()",
            ),
            ("crates/core/src/pool.rs", "#[cfg(test)] mod tests { use std::fs; fn f() { Instant::now(); } }"),
            ("crates/core/src/pool/tests.rs", "use std::sync::Mutex;"),
            ("crates/core/src/time.rs", "use std::time::{Duration, Instant}; use core::net::IpAddr;"),
            ("crates/pilotlight/src/net/ack.rs", "use std::sync::Mutex;"),
        ],
    },
    Rule {
        name: "core and wire never unwrap",
        reason: "a broken invariant is an `expect` that says why it holds; every other failure is a value",
        applies_to: |file| {
            file.is_product() && (file.is_within("crates/core/src") || file.is_within("crates/wire/src"))
        },
        forbids: Forbids::Paths(&["unwrap"]),
        rejected: &[
            ("crates/core/src/ids.rs", "fn f(x: Option<u8>) { x.unwrap(); }"),
            ("crates/core/src/ids.rs", "fn f(x: Option<u8>) { x . unwrap (); }"),
            ("crates/core/src/ids.rs", "fn f(x: Vec<Option<u8>>) { x.into_iter().map(Option::unwrap); }"),
        ],
        accepted: &[
            ("crates/core/src/ids.rs", "fn f(x: Option<u8>) { x.unwrap_or(1); x.unwrap_or_default(); }"),
            ("crates/core/src/ids.rs", "#[cfg(test)] mod tests { fn f(x: Option<u8>) { x.unwrap(); } }"),
        ],
    },
    Rule {
        name: "modules that act never use http",
        reason: "a driver is called through its handle and must not know that the call came over HTTP",
        applies_to: |file| {
            file.is_source()
                && file.is_in_modules(&[
                    "config",
                    "dispatch",
                    "jobs",
                    "keep_warm",
                    "net",
                    "supervisor",
                    "telemetry",
                    "warming",
                ])
        },
        forbids: Forbids::Paths(&["crate::http", "crate::*"]),
        rejected: &[
            ("crates/pilotlight/src/dispatch/driver.rs", "use crate::http::error;"),
            ("crates/pilotlight/src/dispatch/driver.rs", "use super::super::{http, net};"),
            ("crates/pilotlight/src/net/ack.rs", "fn f() { crate::http::router() }"),
            ("crates/pilotlight/src/telemetry.rs", "use crate::{dispatch::{self, Handle}, http::{auth}};\n"),
            ("crates/pilotlight/src/config.rs", "use super::*;"),
        ],
        accepted: &[
            ("crates/pilotlight/src/dispatch/driver.rs", "use crate::net; use http::Uri; use super::*;"),
            ("crates/pilotlight/src/http/jobs.rs", "use crate::http::error;"),
            ("crates/pilotlight/src/dispatch/driver.rs", "/// As [`crate::http`] asks.\nfn f() {}"),
        ],
    },
    Rule {
        name: "client uses only wire and core",
        reason: "the client knows no more about the service than a program on another machine",
        applies_to: |file| file.is_product() && file.is_in_modules(&["client"]),
        forbids: Forbids::Paths(&[
            "crate::app",
            "crate::cli",
            "crate::config",
            "crate::dispatch",
            "crate::http",
            "crate::jobs",
            "crate::net",
            "crate::runner",
            "crate::telemetry",
            "pilotlight_store",
            "crate::*",
        ]),
        rejected: &[
            ("crates/pilotlight/src/client/http_client.rs", "use crate::http::error;"),
            ("crates/pilotlight/src/client/http_client.rs", "use pilotlight_store::Store;"),
            ("crates/pilotlight/src/client/http_client.rs", "use super::super::net;"),
        ],
        accepted: &[
            (
                "crates/pilotlight/src/client/http_client.rs",
                "use pilotlight_wire::jobs::Job; use super::error;",
            ),
            ("crates/pilotlight/src/runner/worker.rs", "use crate::client::Client;"),
        ],
    },
    Rule {
        name: "only cli, demo and runner use client and runner",
        reason: "the service never calls itself over HTTP and never executes a command",
        applies_to: |file| {
            file.is_product()
                && file.is_within("crates/pilotlight/src")
                && !file.is_in_modules(&["cli", "client", "demo", "runner"])
        },
        forbids: Forbids::Paths(&["crate::client", "crate::runner", "crate::*"]),
        rejected: &[
            ("crates/pilotlight/src/app.rs", "use crate::client::Client;"),
            ("crates/pilotlight/src/jobs/service.rs", "fn f() { crate::runner::run() }"),
        ],
        accepted: &[
            ("crates/pilotlight/src/cli/submit.rs", "use crate::client::Client;"),
            ("crates/pilotlight/src/http/runners.rs", "use pilotlight_wire::runner;"),
            ("crates/pilotlight/src/lib.rs", "pub mod client;"),
        ],
    },
    Rule {
        name: "only cli and main use app",
        reason: "app alone composes the service; other modules get what they need as arguments",
        applies_to: |file| {
            file.is_product()
                && file.is_within("crates/pilotlight/src")
                && !file.is_in_modules(&["app", "cli", "main"])
        },
        forbids: Forbids::Paths(&["crate::app", "crate::*"]),
        rejected: &[
            ("crates/pilotlight/src/http/health.rs", "use crate::app::App;"),
            ("crates/pilotlight/src/shutdown.rs", "fn f(app: &super::app::App) {}"),
        ],
        accepted: &[
            ("crates/pilotlight/src/cli/serve.rs", "use crate::app::App;"),
            ("crates/pilotlight/src/main.rs", "fn main() { pilotlight::app::run() }"),
            ("crates/pilotlight/src/app/compose.rs", "use crate::app::App;"),
            ("crates/pilotlight/src/lib.rs", "pub mod app;"),
        ],
    },
    Rule {
        name: "only app spawns tasks",
        reason: "a task without an owner is never awaited, and its panic is never seen",
        applies_to: |file| {
            file.is_product() && file.is_within("crates/pilotlight/src") && !file.is_in_modules(&["app"])
        },
        forbids: Forbids::Paths(&["tokio::spawn", "task::spawn", "tokio::*", "task::*"]),
        rejected: &[
            ("crates/pilotlight/src/http/jobs.rs", "fn f() { tokio::spawn(async {}); }"),
            ("crates/pilotlight/src/http/jobs.rs", "use tokio::{spawn, time};"),
            ("crates/pilotlight/src/http/jobs.rs", "use tokio::task; fn f() { task::spawn(async {}); }"),
        ],
        accepted: &[
            ("crates/pilotlight/src/app.rs", "fn f() { tokio::spawn(async {}); }"),
            ("crates/pilotlight/src/net/listener.rs", "fn f(set: &mut JoinSet<()>) { set.spawn(async {}); }"),
            (
                "crates/pilotlight/src/net/listener.rs",
                "#[cfg(test)] mod tests { fn f() { tokio::spawn(async {}); } }",
            ),
            ("crates/pilotlight/src/net/listener.rs", "use tokio::task::spawn_blocking;"),
        ],
    },
    Rule {
        name: "unsafe code is only in the files of socket calls, process calls and the allocator",
        reason: "people must review what the compiler does not check, so it is in few places",
        applies_to: |file| {
            let allowed = [
                "crates/pilotlight/src/net/sys.rs",
                "crates/pilotlight/src/runner/sys.rs",
                "crates/pilotlight/src/memory.rs",
            ];
            file.is_source() && !allowed.contains(&file.path())
        },
        forbids: Forbids::PathsAlsoInTests(&["unsafe"]),
        rejected: &[
            ("crates/pilotlight/src/net/ack.rs", "fn f() { unsafe { g() } }"),
            ("crates/bench/src/main.rs", "unsafe fn f() {}"),
        ],
        accepted: &[
            ("crates/pilotlight/src/net/sys.rs", "fn f() { unsafe { g() } }"),
            (
                "crates/pilotlight/src/net/ack.rs",
                "#![deny(unsafe_code)] // unsafe\nconst X: &str = \"unsafe\";",
            ),
        ],
    },
    Rule {
        name: "only app, cli and main use anyhow",
        reason: "an expected failure is a small typed enum beside its cause",
        applies_to: |file| {
            file.is_product()
                && ["core", "pilotlight", "store", "wire"]
                    .iter()
                    .any(|name| file.is_within(&format!("crates/{name}")))
                && !file.is_in_modules(&["app", "cli", "main"])
        },
        forbids: Forbids::Paths(&["anyhow"]),
        rejected: &[("crates/pilotlight/src/http/jobs.rs", "fn f() -> anyhow::Result<()> { Ok(()) }")],
        accepted: &[
            ("crates/pilotlight/src/main.rs", "fn main() -> anyhow::Result<()> { Ok(()) }"),
            ("crates/pilotlight/src/cli/serve.rs", "use anyhow::Context;"),
            ("xtask/src/main.rs", "use anyhow::Context;"),
        ],
    },
    Rule {
        name: "lib.rs and mod.rs contain no logic",
        reason: "they list the modules; a feature is found by the name of its own file",
        applies_to: |file| file.is_product() && matches!(file.name(), "lib.rs" | "mod.rs"),
        forbids: Forbids::Paths(&["fn"]),
        rejected: &[
            ("crates/core/src/lib.rs", "//! Decides.\npub fn f() {}"),
            ("crates/pilotlight/src/net/mod.rs", "impl S { fn f() {} }"),
        ],
        accepted: &[
            ("crates/core/src/lib.rs", "//! fn f() {}\n\npub mod pool; // fn"),
            ("crates/core/src/pool.rs", "fn f() {}"),
        ],
    },
    Rule {
        name: "modules named tests are compiled only for tests",
        reason: "the other rules treat files of that name as tests",
        applies_to: |file| file.is_product(),
        forbids: Forbids::Paths(&["mod::tests"]),
        rejected: &[("crates/core/src/pool.rs", "mod tests;")],
        accepted: &[("crates/core/src/pool.rs", "#[cfg(test)]\nmod tests;")],
    },
    Rule {
        name: "no test is ignored",
        reason: "an ignored test is forgotten; a test that a machine cannot run says why and is counted as skipped",
        applies_to: File::is_source,
        forbids: Forbids::PathsAlsoInTests(&["#::ignore"]),
        rejected: &[
            ("crates/core/tests/x.rs", "#[test]\n#[ignore]\nfn f() {}"),
            ("crates/core/tests/x.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
            ("crates/core/tests/x.rs", "#[cfg_attr(unix, ignore)]\nfn f() {}"),
            ("crates/core/src/pool.rs", "#[cfg(test)] mod tests { #[test] #[ignore] fn f() {} }"),
        ],
        accepted: &[("crates/core/tests/x.rs", "#[test]\nfn f() { let ignore = \"#[ignore]\"; }")],
    },
    Rule {
        name: "a file has at most 600 lines",
        reason: "a longer file contains a second idea and can be split",
        applies_to: File::is_source,
        forbids: Forbids::LinesOver(600),
        rejected: &[("crates/core/src/pool.rs", LINES_601)],
        accepted: &[("crates/core/src/pool.rs", LINES_600)],
    },
    Rule {
        name: "every file starts with a header",
        reason: "the header says what the module decides or does, what it must never do, and where its data comes from",
        applies_to: File::is_source,
        forbids: Forbids::MissingHeader,
        rejected: &[
            ("crates/core/src/pool.rs", "use std::fmt;\n"),
            ("crates/core/src/pool.rs", "// A plain comment.\n"),
            ("crates/core/src/pool.rs", "//!\n"),
            ("crates/core/src/pool.rs", ""),
        ],
        accepted: &[("crates/core/src/pool.rs", "//! The pool of waiting runners.\n")],
    },
];

const LINES_600: &str = lines(&[b'\n'; 600]);
const LINES_601: &str = lines(&[b'\n'; 601]);

const fn lines(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("line ends are text"),
    }
}

impl Rule {
    /// Every place where the workspace breaks this rule.
    pub(crate) fn violations(&self, workspace: &Workspace) -> Vec<Violation> {
        let files = workspace.files().filter(|file| (self.applies_to)(file));
        files.flat_map(|file| self.forbids.violations(file, workspace)).collect()
    }
}

impl Forbids {
    fn violations(&self, file: &File, workspace: &Workspace) -> Vec<Violation> {
        match *self {
            Self::Paths(forbidden) => forbidden_paths(file, TestCode::Excluded, forbidden),
            Self::PathsAlsoInTests(forbidden) => forbidden_paths(file, TestCode::Included, forbidden),
            Self::DependenciesExcept(allowed) => {
                forbidden_dependencies(file, workspace, |name| !allowed.contains(&name))
            }
            Self::Dependencies(forbidden) => {
                forbidden_dependencies(file, workspace, |name| forbidden.contains(&name))
            }
            Self::LinesOver(max_lines) => too_long(file, max_lines),
            Self::MissingHeader => missing_header(file),
        }
    }
}

fn violation(file: &File, line: usize, description: String) -> Violation {
    Violation { path: file.path().to_owned(), line, description }
}

fn forbidden_paths(file: &File, tests: TestCode, forbidden: &[&str]) -> Vec<Violation> {
    let paths = match used_paths(file.text(), &file.module(), tests) {
        Ok(paths) => paths,
        Err(error) => return vec![violation(file, 1, error)],
    };
    let forbidden: Vec<Vec<_>> = forbidden.iter().map(|path| path.split("::").collect()).collect();
    let is_forbidden = |path: &&UsedPath| forbidden.iter().any(|segments| path.contains(segments));
    paths.iter().filter(is_forbidden).map(|path| violation(file, path.line, format!("`{path}`"))).collect()
}

fn forbidden_dependencies(
    file: &File,
    workspace: &Workspace,
    is_forbidden: impl Fn(&str) -> bool,
) -> Vec<Violation> {
    let manifest: Table = match file.text().parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![violation(file, 1, format!("is not a manifest: {error}"))],
    };
    let shared =
        workspace.files().find(|file| file.path() == "Cargo.toml").and_then(|root| root.text().parse().ok());
    let shared = shared
        .as_ref()
        .and_then(|root: &Table| table(root, "workspace"))
        .and_then(|workspace| table(workspace, "dependencies"));

    dependencies(&manifest)
        .map(|(key, value)| package(value).or_else(|| package(shared?.get(key)?)).unwrap_or(key))
        .filter(|name| is_forbidden(name))
        .map(|name| violation(file, 1, format!("lists `{name}`")))
        .collect()
}

/// Normal and build dependencies, for all targets.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, &Value)> {
    let targets = table(manifest, "target")
        .into_iter()
        .flat_map(|targets| targets.values().filter_map(Value::as_table));
    std::iter::once(manifest)
        .chain(targets)
        .flat_map(|section| {
            ["dependencies", "build-dependencies"].into_iter().filter_map(|kind| table(section, kind))
        })
        .flat_map(|list| list.iter().map(|(key, value)| (key.as_str(), value)))
}

/// The package name of a dependency that is listed under another name.
fn package(dependency: &Value) -> Option<&str> {
    dependency.as_table()?.get("package")?.as_str()
}

fn table<'a>(parent: &'a Table, key: &str) -> Option<&'a Table> {
    parent.get(key)?.as_table()
}

fn too_long(file: &File, max_lines: usize) -> Vec<Violation> {
    let lines = file.text().lines().count();
    if lines <= max_lines {
        return Vec::new();
    }
    vec![violation(file, lines, format!("has {lines} lines"))]
}

fn missing_header(file: &File) -> Vec<Violation> {
    let first = file.text().lines().next().unwrap_or_default();
    if first.strip_prefix("//!").is_some_and(|text| !text.trim().is_empty()) {
        return Vec::new();
    }
    vec![violation(file, 1, "has no `//!` header".to_owned())]
}
