//! The house's rules as a table. Each has its reason, the files it covers, what it forbids, and small sources that
//! break it and that keep it. To allow a dependency, add it to its crate's list here, with the sentence beside it.

use std::fmt;

use toml::{Table, Value};

use crate::house::{File, House};
use crate::names::{self, Name, Tests};

/// One rule of the house.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) because: &'static str,
    covers: fn(&File) -> bool,
    forbids: Forbids,
    /// Path and text of files that break the rule once.
    pub(crate) breaks: &'static [(&'static str, &'static str)],
    /// Path and text of files that come close and keep it.
    pub(crate) keeps: &'static [(&'static str, &'static str)],
}

/// What a covered file must not do.
enum Forbids {
    /// Speak one of these names outside tests. `*` is what a glob import names.
    Names(&'static [&'static str]),
    /// Speak one of these names, in tests too.
    NamesInTestsToo(&'static [&'static str]),
    /// List a dependency that is not one of these; development dependencies are free.
    DependenciesBut(&'static [&'static str]),
    /// List one of these; development dependencies are free.
    Dependencies(&'static [&'static str]),
    /// Have more lines than this.
    LinesOver(usize),
    /// Start with anything but `//!`.
    NoHeader,
}

/// A place where a rule is broken.
pub(crate) struct Breach {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

pub(crate) const RULES: &[Rule] = &[
    Rule {
        name: "core lists only what computes",
        because: "a crate that decides cannot do I/O if it has nothing to do it with",
        covers: |file| file.path() == "crates/core/Cargo.toml",
        // `uuid` without features: it lays out and parses ids, and has neither a clock nor random bytes.
        forbids: Forbids::DependenciesBut(&["ryu-js", "sha2", "slab", "thiserror", "uuid"]),
        breaks: &[
            ("crates/core/Cargo.toml", "[dependencies]\nslab = \"1\"\ntokio.workspace = true\n"),
            ("crates/core/Cargo.toml", "[dependencies]\npilotlight-wire = { path = \"../wire\" }\n"),
            ("crates/core/Cargo.toml", "[dependencies]\nslab = { package = \"tokio\", version = \"1\" }\n"),
            ("crates/core/Cargo.toml", "[target.'cfg(unix)'.dependencies]\nlibc = \"1\"\n"),
            ("crates/core/Cargo.toml", "[build-dependencies]\ncc = \"1\"\n"),
        ],
        keeps: &[
            (
                "crates/core/Cargo.toml",
                "[dependencies]\nslab.workspace = true\n[dev-dependencies]\nproptest = \"1\"\n",
            ),
            ("crates/pilotlight/Cargo.toml", "[dependencies]\ntokio = \"1\"\n"),
        ],
    },
    Rule {
        name: "wire lists only what reads and writes messages",
        because: "message types must not learn to send themselves",
        covers: |file| file.path() == "crates/wire/Cargo.toml",
        forbids: Forbids::DependenciesBut(&["bytes", "serde", "serde_json", "thiserror", "utoipa"]),
        breaks: &[
            ("crates/wire/Cargo.toml", "[dependencies]\nhyper = \"1\"\n"),
            ("crates/wire/Cargo.toml", "[dependencies]\npilotlight-core = \"1\"\n"),
        ],
        keeps: &[("crates/wire/Cargo.toml", "[dependencies]\nserde = \"1\"\n")],
    },
    Rule {
        name: "store uses core and nothing else of ours",
        because: "what remembers must not know who asks, nor in which protocol",
        covers: |file| file.path() == "crates/store/Cargo.toml",
        forbids: Forbids::Dependencies(&[
            "pilotlight",
            "pilotlight-bench",
            "pilotlight-sim",
            "pilotlight-wire",
        ]),
        breaks: &[("crates/store/Cargo.toml", "[dependencies]\npilotlight-wire.workspace = true\n")],
        keeps: &[("crates/store/Cargo.toml", "[dependencies]\npilotlight-core.workspace = true\n")],
    },
    Rule {
        name: "what is shipped never uses sim, bench or testkit",
        because: "fakes and floors are for attacking and measuring the product, never part of it",
        covers: |file| file.path() == "crates/pilotlight/Cargo.toml",
        forbids: Forbids::Dependencies(&["pilotlight-bench", "pilotlight-sim", "pilotlight-testkit"]),
        breaks: &[(
            "crates/pilotlight/Cargo.toml",
            "[dependencies]\npilotlight-sim = { path = \"../sim\" }\n",
        )],
        keeps: &[(
            "crates/pilotlight/Cargo.toml",
            "[dev-dependencies]\npilotlight-sim = { path = \"../sim\" }\n",
        )],
    },
    Rule {
        name: "core and wire read no clock, environment, disk or network, and take no lock",
        because: "what decides is a function of its arguments: it can be replayed, and tested by the hundred in a second",
        covers: |file| {
            file.is_product() && (file.is_within("crates/core/src") || file.is_within("crates/wire/src"))
        },
        forbids: Forbids::Names(&[
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
        breaks: &[
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
        keeps: &[
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
        because: "a broken invariant is an `expect` that says why it holds; all else is a value",
        covers: |file| {
            file.is_product() && (file.is_within("crates/core/src") || file.is_within("crates/wire/src"))
        },
        forbids: Forbids::Names(&["unwrap"]),
        breaks: &[
            ("crates/core/src/ids.rs", "fn f(x: Option<u8>) { x.unwrap(); }"),
            ("crates/core/src/ids.rs", "fn f(x: Option<u8>) { x . unwrap (); }"),
            ("crates/core/src/ids.rs", "fn f(x: Vec<Option<u8>>) { x.into_iter().map(Option::unwrap); }"),
        ],
        keeps: &[
            ("crates/core/src/ids.rs", "fn f(x: Option<u8>) { x.unwrap_or(1); x.unwrap_or_default(); }"),
            ("crates/core/src/ids.rs", "#[cfg(test)] mod tests { fn f(x: Option<u8>) { x.unwrap(); } }"),
        ],
    },
    Rule {
        name: "what acts never uses http",
        because: "a driver is asked through its handle: it must not know that the question came by HTTP",
        covers: |file| {
            file.is_source()
                && file.acts_in(&[
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
        forbids: Forbids::Names(&["crate::http", "crate::*"]),
        breaks: &[
            ("crates/pilotlight/src/dispatch/driver.rs", "use crate::http::error;"),
            ("crates/pilotlight/src/dispatch/driver.rs", "use super::super::{http, net};"),
            ("crates/pilotlight/src/net/ack.rs", "fn f() { crate::http::router() }"),
            ("crates/pilotlight/src/telemetry.rs", "use crate::{dispatch::{self, Handle}, http::{auth}};\n"),
            ("crates/pilotlight/src/config.rs", "use super::*;"),
        ],
        keeps: &[
            ("crates/pilotlight/src/dispatch/driver.rs", "use crate::net; use http::Uri; use super::*;"),
            ("crates/pilotlight/src/http/jobs.rs", "use crate::http::error;"),
            ("crates/pilotlight/src/dispatch/driver.rs", "/// As [`crate::http`] asks.\nfn f() {}"),
        ],
    },
    Rule {
        name: "client uses wire and core alone",
        because: "it is as far from the service as any program on another machine",
        covers: |file| file.is_product() && file.acts_in(&["client"]),
        forbids: Forbids::Names(&[
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
        breaks: &[
            ("crates/pilotlight/src/client/http_client.rs", "use crate::http::error;"),
            ("crates/pilotlight/src/client/http_client.rs", "use pilotlight_store::Store;"),
            ("crates/pilotlight/src/client/http_client.rs", "use super::super::net;"),
        ],
        keeps: &[
            (
                "crates/pilotlight/src/client/http_client.rs",
                "use pilotlight_wire::jobs::Job; use super::error;",
            ),
            ("crates/pilotlight/src/runner/worker.rs", "use crate::client::Client;"),
        ],
    },
    Rule {
        name: "only cli, demo and runner use client and runner",
        because: "the service never asks itself over HTTP, and never executes a command",
        covers: |file| {
            file.is_product()
                && file.is_within("crates/pilotlight/src")
                && !file.acts_in(&["cli", "client", "demo", "runner"])
        },
        forbids: Forbids::Names(&["crate::client", "crate::runner", "crate::*"]),
        breaks: &[
            ("crates/pilotlight/src/app.rs", "use crate::client::Client;"),
            ("crates/pilotlight/src/jobs/service.rs", "fn f() { crate::runner::run() }"),
        ],
        keeps: &[
            ("crates/pilotlight/src/cli/submit.rs", "use crate::client::Client;"),
            ("crates/pilotlight/src/http/runners.rs", "use pilotlight_wire::runner;"),
            ("crates/pilotlight/src/lib.rs", "pub mod client;"),
        ],
    },
    Rule {
        name: "only cli and main use app",
        because: "there is one composer; whoever else reaches for it wants something that should be handed in",
        covers: |file| {
            file.is_product()
                && file.is_within("crates/pilotlight/src")
                && !file.acts_in(&["app", "cli", "main"])
        },
        forbids: Forbids::Names(&["crate::app", "crate::*"]),
        breaks: &[
            ("crates/pilotlight/src/http/health.rs", "use crate::app::App;"),
            ("crates/pilotlight/src/shutdown.rs", "fn f(app: &super::app::App) {}"),
        ],
        keeps: &[
            ("crates/pilotlight/src/cli/serve.rs", "use crate::app::App;"),
            ("crates/pilotlight/src/main.rs", "fn main() { pilotlight::app::run() }"),
            ("crates/pilotlight/src/app/compose.rs", "use crate::app::App;"),
            ("crates/pilotlight/src/lib.rs", "pub mod app;"),
        ],
    },
    Rule {
        name: "only app spawns tasks",
        because: "a task without an owner is never awaited, and its panic is never seen",
        covers: |file| {
            file.is_product() && file.is_within("crates/pilotlight/src") && !file.acts_in(&["app"])
        },
        forbids: Forbids::Names(&["tokio::spawn", "task::spawn", "tokio::*", "task::*"]),
        breaks: &[
            ("crates/pilotlight/src/http/jobs.rs", "fn f() { tokio::spawn(async {}); }"),
            ("crates/pilotlight/src/http/jobs.rs", "use tokio::{spawn, time};"),
            ("crates/pilotlight/src/http/jobs.rs", "use tokio::task; fn f() { task::spawn(async {}); }"),
        ],
        keeps: &[
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
        name: "unsafe code stands in one file of socket calls, one of calls about processes, and in the allocator's one call",
        because: "what the compiler does not check is read by people, in one place",
        covers: |file| {
            let allowed = [
                "crates/pilotlight/src/net/sys.rs",
                "crates/pilotlight/src/runner/sys.rs",
                "crates/pilotlight/src/memory.rs",
            ];
            file.is_source() && !allowed.contains(&file.path())
        },
        forbids: Forbids::NamesInTestsToo(&["unsafe"]),
        breaks: &[
            ("crates/pilotlight/src/net/ack.rs", "fn f() { unsafe { g() } }"),
            ("crates/bench/src/main.rs", "unsafe fn f() {}"),
        ],
        keeps: &[
            ("crates/pilotlight/src/net/sys.rs", "fn f() { unsafe { g() } }"),
            (
                "crates/pilotlight/src/net/ack.rs",
                "#![deny(unsafe_code)] // unsafe\nconst X: &str = \"unsafe\";",
            ),
        ],
    },
    Rule {
        name: "anyhow stays at the edge",
        because: "an expected failure is a small typed enum beside its cause",
        covers: |file| {
            file.is_product()
                && ["core", "pilotlight", "store", "wire"]
                    .iter()
                    .any(|name| file.is_within(&format!("crates/{name}")))
                && !file.acts_in(&["app", "cli", "main"])
        },
        forbids: Forbids::Names(&["anyhow"]),
        breaks: &[("crates/pilotlight/src/http/jobs.rs", "fn f() -> anyhow::Result<()> { Ok(()) }")],
        keeps: &[
            ("crates/pilotlight/src/main.rs", "fn main() -> anyhow::Result<()> { Ok(()) }"),
            ("crates/pilotlight/src/cli/serve.rs", "use anyhow::Context;"),
            ("xtask/src/main.rs", "use anyhow::Context;"),
        ],
    },
    Rule {
        name: "lib.rs and mod.rs hold no logic",
        because: "they are the table of contents; a feature is found by its own file's name",
        covers: |file| file.is_product() && matches!(file.name(), "lib.rs" | "mod.rs"),
        forbids: Forbids::Names(&["fn"]),
        breaks: &[
            ("crates/core/src/lib.rs", "//! Decides.\npub fn f() {}"),
            ("crates/pilotlight/src/net/mod.rs", "impl S { fn f() {} }"),
        ],
        keeps: &[
            ("crates/core/src/lib.rs", "//! fn f() {}\n\npub mod pool; // fn"),
            ("crates/core/src/pool.rs", "fn f() {}"),
        ],
    },
    Rule {
        name: "modules named tests are compiled for tests alone",
        because: "files of that name are read by the other rules as tests",
        covers: |file| file.is_product(),
        forbids: Forbids::Names(&["mod::tests"]),
        breaks: &[("crates/core/src/pool.rs", "mod tests;")],
        keeps: &[("crates/core/src/pool.rs", "#[cfg(test)]\nmod tests;")],
    },
    Rule {
        name: "no test is ignored",
        because: "an ignored test is forgotten; what a machine cannot run says why and is counted as skipped",
        covers: File::is_source,
        forbids: Forbids::NamesInTestsToo(&["#::ignore"]),
        breaks: &[
            ("crates/core/tests/x.rs", "#[test]\n#[ignore]\nfn f() {}"),
            ("crates/core/tests/x.rs", "#[test]\n#[ignore = \"slow\"]\nfn f() {}"),
            ("crates/core/tests/x.rs", "#[cfg_attr(unix, ignore)]\nfn f() {}"),
            ("crates/core/src/pool.rs", "#[cfg(test)] mod tests { #[test] #[ignore] fn f() {} }"),
        ],
        keeps: &[("crates/core/tests/x.rs", "#[test]\nfn f() { let ignore = \"#[ignore]\"; }")],
    },
    Rule {
        name: "a file has at most 600 lines",
        because: "at 600 there is a second idea in it",
        covers: File::is_source,
        forbids: Forbids::LinesOver(600),
        breaks: &[("crates/core/src/pool.rs", LINES_601)],
        keeps: &[("crates/core/src/pool.rs", LINES_600)],
    },
    Rule {
        name: "every file starts with a header",
        because: "it says what the module decides or does, what it must never do, and where its truth lives",
        covers: File::is_source,
        forbids: Forbids::NoHeader,
        breaks: &[
            ("crates/core/src/pool.rs", "use std::fmt;\n"),
            ("crates/core/src/pool.rs", "// A plain comment.\n"),
            ("crates/core/src/pool.rs", "//!\n"),
            ("crates/core/src/pool.rs", ""),
        ],
        keeps: &[("crates/core/src/pool.rs", "//! Who waits, who is next.\n")],
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
    /// Every place where the house breaks this rule.
    pub(crate) fn breaches(&self, house: &House) -> Vec<Breach> {
        let covered = house.files().filter(|file| (self.covers)(file));
        covered.flat_map(|file| self.forbids.found_in(file, house)).collect()
    }
}

impl Forbids {
    fn found_in(&self, file: &File, house: &House) -> Vec<Breach> {
        match *self {
            Self::Names(forbidden) => spoken(file, Tests::LeftOut, forbidden),
            Self::NamesInTestsToo(forbidden) => spoken(file, Tests::Included, forbidden),
            Self::DependenciesBut(allowed) => listed(file, house, |name| !allowed.contains(&name)),
            Self::Dependencies(forbidden) => listed(file, house, |name| forbidden.contains(&name)),
            Self::LinesOver(most) => too_long(file, most),
            Self::NoHeader => headless(file),
        }
    }
}

fn breach(file: &File, line: usize, what: String) -> Breach {
    Breach { path: file.path().to_owned(), line, what }
}

fn spoken(file: &File, tests: Tests, forbidden: &[&str]) -> Vec<Breach> {
    let names = match names::names(file.text(), &file.module(), tests) {
        Ok(names) => names,
        Err(why) => return vec![breach(file, 1, why)],
    };
    let forbidden: Vec<Vec<_>> = forbidden.iter().map(|words| words.split("::").collect()).collect();
    let is_forbidden = |name: &&Name| forbidden.iter().any(|words| name.speaks(words));
    names.iter().filter(is_forbidden).map(|name| breach(file, name.line, format!("`{name}`"))).collect()
}

fn listed(file: &File, house: &House, is_forbidden: impl Fn(&str) -> bool) -> Vec<Breach> {
    let manifest: Table = match file.text().parse() {
        Ok(manifest) => manifest,
        Err(error) => return vec![breach(file, 1, format!("is not a manifest: {error}"))],
    };
    let shared =
        house.files().find(|file| file.path() == "Cargo.toml").and_then(|root| root.text().parse().ok());
    let shared = shared
        .as_ref()
        .and_then(|root: &Table| table(root, "workspace"))
        .and_then(|it| table(it, "dependencies"));

    dependencies(&manifest)
        .map(|(key, value)| package(value).or_else(|| package(shared?.get(key)?)).unwrap_or(key))
        .filter(|name| is_forbidden(name))
        .map(|name| breach(file, 1, format!("lists `{name}`")))
        .collect()
}

/// What is built into the crate or runs while it is built, for any target.
fn dependencies(manifest: &Table) -> impl Iterator<Item = (&str, &Value)> {
    let targets = table(manifest, "target")
        .into_iter()
        .flat_map(|targets| targets.values().filter_map(Value::as_table));
    std::iter::once(manifest)
        .chain(targets)
        .flat_map(|place| {
            ["dependencies", "build-dependencies"].into_iter().filter_map(|kind| table(place, kind))
        })
        .flat_map(|list| list.iter().map(|(key, value)| (key.as_str(), value)))
}

/// The real name of a dependency that is listed under another.
fn package(dependency: &Value) -> Option<&str> {
    dependency.as_table()?.get("package")?.as_str()
}

fn table<'a>(place: &'a Table, key: &str) -> Option<&'a Table> {
    place.get(key)?.as_table()
}

fn too_long(file: &File, most: usize) -> Vec<Breach> {
    let lines = file.text().lines().count();
    if lines <= most {
        return Vec::new();
    }
    vec![breach(file, lines, format!("has {lines} lines"))]
}

fn headless(file: &File) -> Vec<Breach> {
    let first = file.text().lines().next().unwrap_or_default();
    if first.strip_prefix("//!").is_some_and(|words| !words.trim().is_empty()) {
        return Vec::new();
    }
    vec![breach(file, 1, "has no `//!` header".to_owned())]
}
