//! The rules of the workspace as a table. Each rule has a reason, the files that it applies to, what it forbids, and
//! small examples that it rejects and accepts. Which crate may use which is not here: the manifests decide that.

use std::fmt;

use crate::used_paths::{TestCode, UsedPath, used_paths};
use crate::workspace::{CAPABILITIES, File, Workspace};

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
    /// Use a path of a capability, other than its own.
    OtherCapabilities,
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
            ("crates/net/src/ack.rs", "use std::sync::Mutex;"),
        ],
    },
    Rule {
        name: "a capability does not use another capability",
        reason: "capabilities are built, served and stopped one by one; what two need is handed in by the composition",
        applies_to: |file| file.is_product() && file.capability().is_some(),
        forbids: Forbids::OtherCapabilities,
        rejected: &[
            ("crates/server/src/dashboard/broadcaster.rs", "use crate::jobs::JobService;"),
            ("crates/server/src/jobs/service.rs", "use super::super::warm_start::http;"),
        ],
        accepted: &[
            ("crates/server/src/jobs/service.rs", "use crate::jobs::panel; use crate::http::error;"),
            ("crates/server/src/composition/app.rs", "use crate::{dashboard, jobs, warm_start};"),
        ],
    },
    Rule {
        name: "what all capabilities share knows none of them",
        reason: "a new capability must not change the code that the others use",
        applies_to: |file| {
            file.is_product()
                && ["http", "telemetry", "config"].iter().any(|module| file.is_in_module(module))
        },
        forbids: Forbids::OtherCapabilities,
        rejected: &[("crates/server/src/http/router.rs", "use crate::jobs::http::routes;")],
        accepted: &[("crates/server/src/http/router.rs", "use crate::http::route::Route;")],
    },
    Rule {
        name: "anyhow is used only where a capability or the service is composed",
        reason: "an expected failure is a small typed enum beside its cause",
        applies_to: |file| {
            let composes = ["composition", "capability", "https_client", "store"];
            file.is_product()
                && file.is_within("crates/server")
                && file.name() != "capability.rs"
                && !composes.iter().any(|module| file.is_in_module(module))
        },
        forbids: Forbids::Paths(&["anyhow"]),
        rejected: &[("crates/server/src/http/error.rs", "fn f() -> anyhow::Result<()> { Ok(()) }")],
        accepted: &[
            ("crates/server/src/composition/app.rs", "fn f() -> anyhow::Result<()> { Ok(()) }"),
            ("crates/server/src/jobs/capability.rs", "use anyhow::Context;"),
        ],
    },
    Rule {
        name: "unsafe code is only in the files of socket calls, process calls and the allocator",
        reason: "people must review what the compiler does not check, so it is in few places",
        applies_to: |file| {
            let allowed =
                ["crates/net/src/sys.rs", "crates/runner/src/sys.rs", "crates/pilotlight/src/memory.rs"];
            file.is_source() && !allowed.contains(&file.path())
        },
        forbids: Forbids::PathsAlsoInTests(&["unsafe"]),
        rejected: &[
            ("crates/net/src/ack.rs", "fn f() { unsafe { g() } }"),
            ("crates/bench/src/main.rs", "unsafe fn f() {}"),
        ],
        accepted: &[
            ("crates/net/src/sys.rs", "fn f() { unsafe { g() } }"),
            ("crates/net/src/ack.rs", "#![deny(unsafe_code)] // unsafe\nconst X: &str = \"unsafe\";"),
        ],
    },
    Rule {
        name: "lib.rs and mod.rs contain no logic",
        reason: "they list the modules; a feature is found by the name of its own file",
        applies_to: |file| file.is_product() && matches!(file.name(), "lib.rs" | "mod.rs"),
        forbids: Forbids::Paths(&["fn"]),
        rejected: &[
            ("crates/core/src/lib.rs", "//! Decides.\npub fn f() {}"),
            ("crates/net/src/mod.rs", "impl S { fn f() {} }"),
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
        files.flat_map(|file| self.forbids.violations(file)).collect()
    }
}

impl Forbids {
    fn violations(&self, file: &File) -> Vec<Violation> {
        match *self {
            Self::Paths(forbidden) => forbidden_paths(file, TestCode::Excluded, forbidden),
            Self::PathsAlsoInTests(forbidden) => forbidden_paths(file, TestCode::Included, forbidden),
            Self::OtherCapabilities => other_capabilities(file),
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

fn other_capabilities(file: &File) -> Vec<Violation> {
    let others = CAPABILITIES.iter().filter(|name| Some(name.as_str()) != file.capability());
    others.flat_map(|name| forbidden_paths(file, TestCode::Excluded, &[&format!("crate::{name}")])).collect()
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
