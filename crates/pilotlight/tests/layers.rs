//! Checks the workspace's rules: which module may use which, and what a file may contain. Manifests decide which crate
//! may use which, and lints refuse most of what a crate must not do; this test checks what they cannot see.
//!
//! `layers/rules.rs` lists each rule with its reason and with small examples that it must reject and accept, so a rule
//! that no longer catches anything fails too. The checked sources are read from disk.

#[path = "layers/circles.rs"]
mod circles;
#[path = "layers/rules.rs"]
mod rules;
#[path = "layers/used_paths.rs"]
mod used_paths;
#[path = "layers/workspace.rs"]
mod workspace;

use rules::RULES;
use workspace::{File, Workspace};

#[test]
fn the_workspace_breaks_no_rule() {
    let workspace = Workspace::read();
    let mut report = String::new();
    for rule in RULES {
        for violation in rule.violations(&workspace) {
            report += &format!("{violation}\n    rule: {}\n    reason: {}\n", rule.name, rule.reason);
        }
    }
    assert!(report.is_empty(), "rules of the workspace are broken:\n{report}");
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = circles::circles(&Workspace::read());
    let report: Vec<_> = circles.iter().map(|files| files.join("\n    ")).collect();
    assert!(report.is_empty(), "{} circles of imports:\n    {}", report.len(), report.join("\n\n    "));
}

#[test]
fn every_rule_rejects_its_examples() {
    for rule in RULES {
        assert!(!rule.rejected.is_empty(), "the rule has no example to reject: {}", rule.name);
        for (path, text) in rule.rejected {
            let workspace = Workspace::of(vec![File::new(path, text)]);
            assert_eq!(rule.violations(&workspace).len(), 1, "{}: {path}: {text:?}", rule.name);
        }
    }
}

#[test]
fn every_rule_accepts_its_allowed_examples() {
    for rule in RULES {
        assert!(!rule.accepted.is_empty(), "the rule has no example to accept: {}", rule.name);
        for (path, text) in rule.accepted {
            let workspace = Workspace::of(vec![File::new(path, text)]);
            let violations: Vec<_> = rule.violations(&workspace).iter().map(ToString::to_string).collect();
            assert!(violations.is_empty(), "{}: {path}: {text:?}: {violations:?}", rule.name);
        }
    }
}

#[test]
fn the_sources_of_this_workspace_are_read() {
    let workspace = Workspace::read();
    for path in [
        "Cargo.toml",
        "crates/core/Cargo.toml",
        "crates/core/src/lib.rs",
        "crates/pilotlight/tests/layers.rs",
        "xtask/src/main.rs",
    ] {
        assert!(workspace.files().any(|file| file.path() == path), "{path} was not read");
    }
    assert!(workspace.files().all(|file| !file.path().contains("node_modules")));
}
