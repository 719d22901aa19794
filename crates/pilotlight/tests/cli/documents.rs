//! What is written for operators is what the service does: every metric that docs/trigger-dev.md names exists
//! (docs/observability.md is held to name them all), and every warning stands in docs/operations.md.

use std::collections::BTreeSet;
use std::path::Path;

use pilotlight_testkit::server::TestServer;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn document(name: &str) -> String {
    let path = Path::new(HERE).join("../../docs").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

/// Every word of the text that is a metric's name.
fn metrics(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("pilotlight_")).map(str::to_owned).collect()
}

#[test]
fn no_metric_is_explained_that_does_not_exist() {
    let server = TestServer::start();
    let text = server.connect().get("/metrics").text();
    let values: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let (explained, real) = (metrics(&document("trigger-dev.md")), metrics(&values.join("\n")));
    // A histogram is written as its parts.
    let is_real = |name: &&String| real.contains(*name) || real.contains(&format!("{name}_count"));
    let imagined: Vec<_> = explained.iter().filter(|name| !is_real(name)).collect();
    assert!(imagined.is_empty(), "{imagined:?}");
    assert!(explained.len() > 5, "{explained:?}");
}

#[test]
fn every_warning_is_explained() {
    // As prose: line breaks and columns do not matter.
    let operations = document("operations.md").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut told = 0;
    each_source(&Path::new(HERE).join("src"), &mut |source| {
        for text in logged(source) {
            told += 1;
            assert!(operations.contains(&text), "docs/operations.md does not explain `{text}`");
        }
    });
    assert!(told >= 5, "only {told} warnings were found");
}

/// What is written at `warn` and `error`, without what changes from line to line.
fn logged(source: &str) -> impl Iterator<Item = String> {
    let calls =
        ["tracing::warn!(", "tracing::error!("].into_iter().flat_map(|call| source.split(call).skip(1));
    let literals = calls.filter_map(|rest| rest.split('"').nth(1));
    literals.filter_map(fixed_part)
}

/// The longest part of a format string between its holes.
fn fixed_part(format: &str) -> Option<String> {
    let parts = format.split('{').map(|part| part.split_once('}').map_or(part, |(_, rest)| rest));
    let longest = parts.max_by_key(|part| part.len())?.trim();
    (!longest.is_empty()).then(|| longest.to_owned())
}

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
fn the_part_of_a_line_that_does_not_change_is_found() {
    for (format, part) in [
        ("a plain line", Some("a plain line")),
        ("{cannot}: warm starts are unconfirmed", Some(": warm starts are unconfirmed")),
        ("{warning}", None),
    ] {
        assert_eq!(fixed_part(format).as_deref(), part);
    }
}
