//! The documents for operators match the service: every metric that docs/trigger-dev.md names exists, and
//! docs/operations.md explains every log line of the levels `warn` and `error`. Another test checks that
//! docs/observability.md lists all metrics.

use std::collections::BTreeSet;
use std::path::Path;

use pilotlight_testkit::server::TestServer;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

/// The crates of the binary, by folder.
const SHIPPED_CRATES: [&str; 8] =
    ["client", "core", "net", "pilotlight", "runner", "server", "store", "wire"];

fn document(name: &str) -> String {
    let path = Path::new(HERE).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

/// The names of metrics in the text.
fn metric_names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("pilotlight_")).map(str::to_owned).collect()
}

#[test]
fn every_documented_metric_exists() {
    let server = TestServer::start();
    let text = server.connect().get("/metrics").text();
    let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let (documented, exported) =
        (metric_names(&document("trigger-dev.md")), metric_names(&values.join("\n")));
    // A histogram is exported as `_count`, `_sum` and `_bucket`.
    let is_exported =
        |name: &&String| exported.contains(*name) || exported.contains(&format!("{name}_count"));
    let missing: Vec<_> = documented.iter().filter(|name| !is_exported(name)).collect();
    assert!(missing.is_empty(), "metrics that do not exist: {missing:?}");
    assert!(documented.len() > 5, "{documented:?}");
}

#[test]
fn every_warning_is_explained() {
    // Line breaks and indentation do not matter.
    let operations = document("operations.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut warnings = 0;
    for name in SHIPPED_CRATES {
        each_source(&Path::new(HERE).join("..").join(name).join("src"), &mut |source| {
            for text in logged_texts(source) {
                warnings += 1;
                assert!(operations.contains(&text), "docs/operations.md does not explain `{text}`");
            }
        });
    }
    assert!(warnings >= 20, "only {warnings} warnings were found");
}

/// The texts that are logged at `warn` and `error`, without their variable parts.
fn logged_texts(source: &str) -> impl Iterator<Item = String> {
    let calls =
        ["tracing::warn!(", "tracing::error!("].into_iter().flat_map(|call| source.split(call).skip(1));
    let literals = calls.filter_map(|rest| rest.split('"').nth(1));
    literals.filter_map(fixed_part)
}

/// The longest part of a format string between its placeholders.
fn fixed_part(format: &str) -> Option<String> {
    let parts = format.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let longest = parts.max_by_key(|part| part.len())?.trim();
    (!longest.is_empty()).then(|| longest.to_owned())
}

/// Calls `visit` with the text of every Rust file under the folder.
fn each_source(folder: &Path, visit: &mut impl FnMut(&str)) {
    for entry in std::fs::read_dir(folder).expect("the sources are here") {
        let path = entry.expect("the sources can be listed").path();
        if path.is_dir() {
            each_source(&path, visit);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            visit(&std::fs::read_to_string(&path).expect("a source is text"));
        }
    }
}

#[test]
fn the_fixed_part_of_a_format_string_is_its_longest_literal_part() {
    for (format, part) in [
        ("a plain line", Some("a plain line")),
        ("{cannot}: warm starts are unconfirmed", Some(": warm starts are unconfirmed")),
        ("{warning}", None),
    ] {
        assert_eq!(fixed_part(format).as_deref(), part);
    }
}
