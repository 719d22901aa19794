//! The documentation of metrics is correct: the table and the queries in `docs/observability.md`, and the queries of
//! the Grafana dashboard, are compared with the metrics of a real service after some traffic.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use pilotlight_testkit::http::Connection;
use pilotlight_testkit::run_message::run;
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/observability.md");
const DASHBOARD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/grafana/pilotlight.json");

/// The labels that Prometheus itself adds to every sample.
const PROMETHEUS_LABELS: [&str; 2] = ["job", "instance"];

/// One metric of the service.
struct Metric {
    name: String,
    kind: String,
    help: String,
    /// Names of labels, each with its values.
    labels: BTreeMap<String, BTreeSet<String>>,
    /// Names of its samples.
    samples: BTreeSet<String>,
}

fn metrics_after_some_traffic() -> Vec<Metric> {
    let server = TestServer::start();
    let mut runner = server.park(&Poll::by("runner-1"));
    let mut supervisor = server.supervisor();
    assert!(supervisor.offer(&run("run_warm")));
    runner.response().expect("the run");
    assert!(!supervisor.offer(&run("run_cold")));
    let text = server.connect().get("/metrics").text();
    text.split("# HELP ").skip(1).map(metric).collect()
}

/// Parses one metric, from the text after its `# HELP`.
fn metric(family: &str) -> Metric {
    let (help, rest) = family.split_once('\n').expect("a line");
    let (family_name, help) = help.split_once(' ').expect("a name and a help text");
    let kind = rest.split_whitespace().nth(3).expect("# TYPE name kind").to_owned();
    let suffix = match kind.as_str() {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    };
    let mut metric = Metric {
        name: format!("{family_name}{suffix}"),
        kind,
        help: help.trim_end_matches('.').to_owned(),
        labels: BTreeMap::new(),
        samples: BTreeSet::new(),
    };
    for sample in rest.lines().filter(|line| !line.starts_with('#')) {
        let (series, _) = sample.rsplit_once(' ').expect("a series and a value");
        let (name, labels) = series.split_once('{').unwrap_or((series, ""));
        metric.samples.insert(name.to_owned());
        for (label, value) in labels.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='))
        {
            metric.labels.entry(label.to_owned()).or_default().insert(value.trim_matches('"').to_owned());
        }
    }
    metric
}

fn row(metric: &Metric) -> String {
    let labels = metric.labels.iter().filter(|(label, _)| *label != "le").map(|(label, values)| match label
        .as_str()
    {
        "version" => "`version`".to_owned(),
        _ => format!(
            "`{label}`: {}",
            values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
        ),
    });
    let labels = labels.collect::<Vec<_>>().join("; ");
    format!("| `{}` | {} | {labels} | {} |\n", metric.name, metric.kind, metric.help)
}

/// After a change of the metrics, update the table with
/// `PILOTLIGHT_BLESS=1 cargo test -p pilotlight --test operations observability`.
#[test]
fn the_documentation_has_the_table_of_all_metrics() {
    const MARKS: [&str; 2] = ["<!-- Made from /metrics. -->\n\n", "\n<!-- Until here. -->"];
    let rows: String = metrics_after_some_traffic().iter().map(row).collect();
    let table = format!("| Metric | Type | Labels | What it is |\n|---|---|---|---|\n{rows}");
    let text = fs::read_to_string(DOCS).expect("docs/observability.md is readable");
    let (before, rest) = text.split_once(MARKS[0]).expect("a mark before the table");
    let (documented, after) = rest.split_once(MARKS[1]).expect("a mark after the table");
    if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
        fs::write(DOCS, [before, MARKS[0], &table, MARKS[1], after].concat())
            .expect("docs/observability.md is writable");
    } else {
        assert_eq!(documented, table, "PILOTLIGHT_BLESS=1 updates the table");
    }
}

#[test]
fn every_query_in_the_documentation_is_valid() {
    let metrics = metrics_after_some_traffic();
    let text = fs::read_to_string(DOCS).expect("docs/observability.md is readable");
    let blocks = text.split("```").filter_map(|block| block.strip_prefix("yaml\n"));
    let queries: Vec<_> =
        blocks.flat_map(str::lines).filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    assert!(queries.len() >= 6, "{queries:?}");
    queries.iter().for_each(|query| assert_valid_query(query, &metrics));
}

#[test]
fn every_query_of_the_grafana_dashboard_is_valid() {
    let metrics = metrics_after_some_traffic();
    let text = fs::read_to_string(DASHBOARD).expect("deploy/grafana/pilotlight.json is readable");
    let dashboard: Value = serde_json::from_str(&text).expect("the dashboard is JSON");
    let panels = dashboard["panels"].as_array().expect("a list");
    let mut ids = BTreeSet::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().expect("a panel has a title");
        assert!(ids.insert(panel["id"].as_u64()), "{title}: two panels have the same id");
        let targets = panel["targets"].as_array().unwrap_or_else(|| panic!("{title} has no query"));
        assert!(!targets.is_empty(), "{title} has no query");
        assert!(targets.iter().all(|target| target["expr"].is_string()), "{title}");
    }
    let mut queries = Vec::new();
    collect_queries(&dashboard, &mut queries);
    assert!(queries.len() >= panels.len() / 2, "{queries:?}");
    for query in &queries {
        assert_valid_query(query, &metrics);
    }
}

#[test]
fn a_query_for_a_missing_metric_is_detected() {
    let metrics = metrics_after_some_traffic();
    for query in [
        "rate(pilotlight_nothing_total[5m])",
        "pilotlight_offers",
        "sum by (why) (rate(pilotlight_offers_total[5m]))",
        r#"pilotlight_offers_total{color="red"}"#,
        r#"pilotlight_offers_total{outcome="lukewarm"}"#,
    ] {
        assert!(std::panic::catch_unwind(|| assert_valid_query(query, &metrics)).is_err(), "{query}");
    }
}

/// Collects every query of a panel (`expr`) and of a variable (`definition`), at any depth.
fn collect_queries(value: &Value, queries: &mut Vec<String>) {
    for (key, value) in value.as_object().into_iter().flatten() {
        if let (Some(query), "expr" | "definition") = (value.as_str(), key.as_str()) {
            queries.push(query.to_owned());
        }
        collect_queries(value, queries);
    }
    value.as_array().into_iter().flatten().for_each(|value| collect_queries(value, queries));
}

/// Asserts that the service has every metric of a query, and that these metrics have every label of it.
fn assert_valid_query(query: &str, metrics: &[Metric]) {
    let metric_names: Vec<_> = words(query).filter(|word| word.starts_with("pilotlight_")).collect();
    assert!(!metric_names.is_empty(), "{query} has no metric of the service");
    let found = metric_names.iter().map(|name| {
        let metric = metrics.iter().find(|metric| metric.samples.contains(*name));
        metric.unwrap_or_else(|| panic!("the metric {name} of {query} does not exist"))
    });
    let found: Vec<_> = found.collect();
    for (label, value) in matchers(query) {
        let exists =
            found.iter().any(|metric| metric.labels.get(label).is_some_and(|values| values.contains(value)));
        assert!(exists || PROMETHEUS_LABELS.contains(&label), "no sample has {label}={value} of {query}");
    }
    for label in grouped(query) {
        let exists = found.iter().any(|metric| metric.labels.contains_key(label));
        assert!(exists || PROMETHEUS_LABELS.contains(&label), "no sample has the label {label} of {query}");
    }
}

fn words(query: &str) -> impl Iterator<Item = &str> {
    query.split(|character: char| !(character.is_ascii_alphanumeric() || character == '_'))
}

/// The label matchers of a query: `{label="value", ...}`.
fn matchers(query: &str) -> impl Iterator<Item = (&str, &str)> {
    let braces = query.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
    braces.flat_map(|(inside, _)| inside.split(',')).filter(|pair| !pair.trim().is_empty()).map(move |pair| {
        let (label, value) = pair.split_once('=').unwrap_or_else(|| panic!("{pair} in {query}"));
        (label.trim_end_matches('!').trim(), value.trim_start_matches('~').trim().trim_matches('"'))
    })
}

/// The labels that a query groups by: `by (label, ...)`.
fn grouped(query: &str) -> impl Iterator<Item = &str> {
    let lists = query.split("by (").skip(1).filter_map(|rest| rest.split_once(')'));
    lists.flat_map(|(inside, _)| inside.split(',')).map(str::trim)
}

#[test]
fn failed_dispatches_are_counted() {
    let server = TestServer::with(&[
        ("PILOTLIGHT_SERVER_MAX_CONNECTIONS", "16"),
        ("ADMIN_API_KEY", "a-long-admin-key"),
    ]);
    let refused = server.connect().post("/api/session", json!({ "key": "another" }).to_string());
    assert_eq!(refused.status, 401);
    let connections: Vec<_> = (0..40).map(|_| server.connect()).collect();
    let closed_count =
        |connections: &[Connection]| connections.iter().filter(|connection| connection.is_readable()).count();
    pilotlight_testkit::wait::wait_until("24 connections are closed at the limit", || {
        closed_count(&connections) >= 24
    });
    drop(connections);
    let metric = |name: &str| {
        let request =
            "GET /metrics HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer a-long-admin-key\r\n\r\n";
        pilotlight_testkit::wait::wait_for("the metrics are readable", || {
            let mut connection = server.connect();
            connection.try_send(request).ok()?;
            let text = connection.response().ok()?.text();
            text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok())
        })
    };
    assert_eq!(metric("pilotlight_sign_ins_refused_total "), 1.0);
    assert_eq!(metric("pilotlight_connections_max "), 16.0);
    assert!(metric("pilotlight_connections_refused_total ") >= 24.0);
}
