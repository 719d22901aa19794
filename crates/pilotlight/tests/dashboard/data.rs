//! Data for operators: the dashboard's data (docs/protocols/operators.md), health, and metrics in the OpenMetrics
//! text format, which Prometheus reads.

use std::collections::BTreeMap;

use pilotlight_testkit::run_message::{DEPLOYMENT, VERSION, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

fn names(object: &Value) -> Vec<&str> {
    let mut names: Vec<_> =
        object.as_object().unwrap_or_else(|| panic!("not an object: {object}")).keys().collect();
    names.sort_unstable();
    names.into_iter().map(String::as_str).collect()
}

/// Creates a waiting runner, an executing runner, a warm offer and a cold offer.
fn with_some_history(server: &TestServer) -> [pilotlight_testkit::http::Connection; 2] {
    let waiting = server.park(&Poll::by("waiting"));
    let mut executing = server.park(&Poll::by("executing"));
    assert!(server.supervisor().offer(&run("run_warm")));
    executing.response().expect("the run");
    let mut cold = run("run_cold");
    cold["backgroundWorker"]["version"] = json!("other");
    assert!(!server.supervisor().offer(&cold));
    [waiting, executing]
}

#[test]
fn the_dashboard_has_the_documented_fields() {
    let server = TestServer::start();
    let _connections = with_some_history(&server);
    let dashboard = server.dashboard("");
    assert_eq!(
        names(&dashboard),
        ["config", "executingRunners", "pagination", "recentMatches", "runners", "stats", "timestamp"]
    );
    let runner = [
        "controllerId",
        "deploymentId",
        "deploymentVersion",
        "machineCpu",
        "machineMemory",
        "workerInstanceName",
    ];
    let with = |more: &[&'static str]| {
        let mut names = [runner.as_slice(), more].concat();
        names.sort_unstable();
        names
    };
    assert_eq!(names(&dashboard["runners"][0]), with(&["connectedAt", "waitingDurationMs"]));
    assert_eq!(
        names(&dashboard["executingRunners"][0]),
        with(&["runId", "matchedAt", "executingDurationMs"])
    );
    let offer = names(&dashboard["recentMatches"][0]);
    for name in [
        "runId",
        "controllerId",
        "workerInstanceName",
        "deploymentKey",
        "machineCpu",
        "machineMemory",
        "matchedAt",
        "waitDurationMs",
        "success",
    ] {
        assert!(offer.contains(&name), "{name} is not in {offer:?}");
    }
}

#[test]
fn the_dashboard_lists_waiting_runners_executing_runners_and_offers() {
    let server = TestServer::start();
    let _connections = with_some_history(&server);
    let dashboard = server.dashboard("");
    let waiting = &dashboard["runners"][0];
    assert_eq!(
        (
            &waiting["controllerId"],
            &waiting["deploymentId"],
            &waiting["deploymentVersion"],
            &waiting["machineCpu"]
        ),
        (&json!("waiting"), &json!(DEPLOYMENT), &json!(VERSION), &json!(0.5))
    );
    assert_eq!(waiting["workerInstanceName"], "node-1");
    let executing = &dashboard["executingRunners"][0];
    assert_eq!((&executing["controllerId"], &executing["runId"]), (&json!("executing"), &json!("run_warm")));
    let [cold, warm] = [&dashboard["recentMatches"][0], &dashboard["recentMatches"][1]];
    assert_eq!(
        (&cold["runId"], &cold["success"], &cold["controllerId"]),
        (&json!("run_cold"), &json!(false), &json!(""))
    );
    assert_eq!(
        (&warm["runId"], &warm["success"], &warm["controllerId"]),
        (&json!("run_warm"), &json!(true), &json!("executing"))
    );
    assert_eq!(warm["deploymentKey"], format!("{DEPLOYMENT}:{VERSION}"));
    assert_eq!(
        dashboard["stats"],
        json!({
            "totalRunners": 1, "totalExecutingRunners": 1, "totalDeployments": 1, "recentMatchesCount": 2,
            "warmStarts": 1, "coldStarts": 1, "totalMatches": 2,
        })
    );
    let port = server.address().port();
    let config =
        json!({ "connectionTimeoutMs": 30_000, "keepaliveMs": 300_000, "port": port, "host": "127.0.0.1" });
    assert_eq!(dashboard["config"], config);
    assert_times_are_epoch_milliseconds(&dashboard);
}

fn assert_times_are_epoch_milliseconds(dashboard: &Value) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    for time in [
        "/timestamp",
        "/runners/0/connectedAt",
        "/executingRunners/0/matchedAt",
        "/recentMatches/1/matchedAt",
    ] {
        let value = u128::from(
            dashboard.pointer(time).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {time}")),
        );
        assert!(value <= now + 1 && now - value < 120_000, "{time} is {value}, now is {now}");
    }
}

#[test]
fn a_runner_executes_until_it_polls_again() {
    let server = TestServer::start();
    let [_waiting, mut executing] = with_some_history(&server);
    executing.send(Poll::by("executing").request());
    server.wait_for_parked(2);
    assert_eq!(server.dashboard("")["executingRunners"], json!([]));
}

#[test]
fn the_longest_waiting_runner_is_first() {
    let server = TestServer::start();
    let _runners = ["a", "b", "c"].map(|name| server.park(&Poll::by(name)));
    let dashboard = server.dashboard("");
    let names: Vec<_> =
        dashboard["runners"].as_array().unwrap().iter().map(|runner| &runner["controllerId"]).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn the_history_is_paged_with_the_newest_offer_first() {
    let server = TestServer::start();
    let mut supervisor = server.supervisor();
    (0..250).for_each(|number| _ = supervisor.offer(&run(&format!("run_{number}"))));
    for (query, first, count, page) in [
        ("", 249, 100, (1, 100, 3, true, false)),
        ("?page=2", 149, 100, (2, 100, 3, true, true)),
        ("?page=3", 49, 50, (3, 100, 3, false, true)),
        ("?page=2&limit=10", 239, 10, (2, 10, 25, true, true)),
        ("?limit=1000", 249, 100, (1, 100, 3, true, false)),
        ("?page=0&limit=0", 249, 1, (1, 1, 250, true, false)),
    ] {
        let dashboard = server.dashboard(query);
        let offers = dashboard["recentMatches"].as_array().unwrap();
        assert_eq!((offers.len(), &offers[0]["runId"]), (count, &json!(format!("run_{first}"))), "{query}");
        let (number, limit, pages, has_next, has_previous) = page;
        assert_eq!(
            dashboard["pagination"],
            json!({
                "page": number, "limit": limit, "totalMatches": 250, "totalPages": pages,
                "hasNextPage": has_next, "hasPrevPage": has_previous,
            }),
            "{query}"
        );
    }
    assert_eq!(server.offers().len(), 250);
    assert_eq!(server.dashboard("?page=18446744073709551615")["recentMatches"], json!([]));
}

#[test]
fn an_invalid_page_number_is_refused_with_an_error_text() {
    let server = TestServer::start();
    for query in [
        "?page=x",
        "?page=-1",
        "?limit=1.5",
        "?page=",
        "?page=1&page=2",
        "?limit=18446744073709551616",
        "?page=%zz",
    ] {
        let answer = server.connect().get(&format!("/api/dashboard{query}"));
        assert_eq!(answer.status, 400, "{query}");
        assert!(!answer.error_text().is_empty(), "{query}");
    }
    assert_eq!(server.connect().get("/api/dashboard?other=1").status, 200);
}

#[test]
fn deleting_clears_the_history_and_nothing_else() {
    let server = TestServer::start();
    let _connections = with_some_history(&server);
    let mut caller = server.connect();
    caller.send("DELETE /api/dashboard HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert_eq!(caller.response().expect("an answer").json(), json!({ "success": true }));
    let dashboard = server.dashboard("");
    assert_eq!((&dashboard["recentMatches"], &dashboard["stats"]["totalMatches"]), (&json!([]), &json!(0)));
    assert_eq!(dashboard["stats"]["totalRunners"], 1);
    assert_eq!(server.metric(r#"pilotlight_offers_total{outcome="warm"}"#), 1.0, "a counter never decreases");
}

#[test]
fn health_counts_runners_and_deployments() {
    let server = TestServer::start();
    let _connections = with_some_history(&server);
    for path in ["/health", "/api/health"] {
        let health = server.connect().get(path).json();
        assert_eq!(
            (
                &health["status"],
                &health["waitingRunners"],
                &health["deployments"],
                &health["executingRunners"]
            ),
            (&json!("ok"), &json!(1), &json!(1), &json!(1)),
        );
        assert_eq!(health["ack"], "kernel");
        assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn metrics_are_valid_and_count_offers() {
    let server = TestServer::start();
    let _connections = with_some_history(&server);
    let answer = server.connect().get("/metrics");
    assert_eq!(
        answer.header("content-type"),
        Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
    );
    let samples = read_metrics(&answer.text());
    for (name, value) in [
        (r#"pilotlight_offers_total{outcome="warm"}"#, 1.0),
        (r#"pilotlight_offers_total{outcome="cold"}"#, 1.0),
        (r#"pilotlight_offers_total{outcome="unanswered"}"#, 0.0),
        (r#"pilotlight_deliveries_total{delivery="acknowledged"}"#, 1.0),
        (r#"pilotlight_deliveries_total{delivery="unconfirmed"}"#, 0.0),
        ("pilotlight_dispatches_total", 1.0),
        ("pilotlight_offers_cascaded_total", 0.0),
        ("pilotlight_unread_total", 0.0),
        ("pilotlight_polls_waiting", 1.0),
        ("pilotlight_runners_executing", 1.0),
        ("pilotlight_warm_is_proven", 1.0),
    ] {
        assert_eq!(samples.get(name), Some(&value), "{name}");
    }
    assert!(samples["pilotlight_connections_open"] >= 3.0);
    for outcome in ["warm", "cold"] {
        let value = |suffix: &str, more: &str| {
            samples[&format!("pilotlight_offer_duration_seconds_{suffix}{{{more}outcome=\"{outcome}\"}}")]
        };
        assert_eq!((value("count", ""), value("bucket", "le=\"+Inf\",")), (1.0, 1.0), "{outcome}");
        assert!(value("sum", "") > 0.0 || outcome == "cold", "{outcome}");
    }
    assert_eq!(samples["pilotlight_poll_wait_seconds_count"], 1.0);
    let started = samples["pilotlight_start_time_seconds"];
    assert!(started > 1.6e9, "{started}");
    let build = format!("pilotlight_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!(samples[&build], 1.0);
}

/// Parses the text as a scraper does, and panics when it is invalid.
fn read_metrics(text: &str) -> BTreeMap<String, f64> {
    let text = text.strip_suffix("# EOF\n").expect("the text ends with the line `# EOF`");
    let mut types = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<_> = comment.splitn(3, ' ').collect();
            assert!(matches!(words[0], "HELP" | "TYPE" | "UNIT"), "{line}");
            if words[0] == "TYPE" {
                assert!(types.insert(words[1], words[2]).is_none(), "a family occurs twice: {line}");
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
        let name = series.split('{').next().unwrap();
        assert!(
            name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_'),
            "{line}"
        );
        let (family, kind) = types.last_key_value().map_or(("", ""), |_| family_of(name, &types));
        let suffixes: &[_] = match kind {
            "counter" => &["_total"],
            "gauge" => &[""],
            "info" => &["_info"],
            "histogram" => &["_sum", "_count", "_bucket"],
            _ => panic!("{line} belongs to no family"),
        };
        assert!(suffixes.contains(&&name[family.len()..]), "{line}");
        assert!(
            samples.insert(series.to_owned(), value.parse().expect("a number")).is_none(),
            "a sample occurs twice: {line}"
        );
    }
    samples
}

fn family_of<'a>(name: &'a str, types: &BTreeMap<&str, &'a str>) -> (&'a str, &'a str) {
    let suffixes = ["", "_total", "_info", "_sum", "_count", "_bucket"];
    let families = suffixes.into_iter().filter_map(|suffix| name.strip_suffix(suffix));
    families.filter_map(|family| Some((family, *types.get(family)?))).next().unwrap_or((name, ""))
}
