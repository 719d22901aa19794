//! Wrong arguments and settings: exit codes and error texts; and what `pilotlight config` prints.

use std::net::TcpListener;
use std::process::{Command, Output};

use pilotlight_testkit::server::pilotlight_command;
use pilotlight_testkit::temp_dir::TempDir;
use serde_json::Value;

/// Runs the command to its end. Returns its exit code, stdout and stderr.
fn outcome(command: &mut Command) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn a_port_in_use_is_exit_code_1_and_an_error_text() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an open socket").to_string();
    let port = address.rsplit(':').next().unwrap();
    let (code, stdout, stderr) =
        outcome(pilotlight_command(&[("PILOTLIGHT_SERVER_PORT", port)]).arg("serve"));
    assert_eq!((code, stdout.as_str()), (Some(1), ""), "{stderr}");
    assert!(stderr.contains(&format!("failed to listen on {address}")), "{stderr}");
    assert!(stderr.to_lowercase().contains("in use"), "{stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("backtrace"), "{stderr}");
}

#[test]
fn mistakes_in_the_configuration_are_exit_code_2_and_are_all_reported() {
    let folder = TempDir::new();
    let file = folder.path().join("pilotlight.toml");
    std::fs::write(&file, "[server]\nprot = 1\ngrace = \"soon\"\n[warm_strat]\nack = 1\n").unwrap();
    let settings = [("PORT", "70000"), ("PILOTLIGHT_WARM_START_ORDER", "latest"), ("KEEPALIVE_MS", "-1")];
    for subcommand in ["serve", "config"] {
        let (code, stdout, stderr) =
            outcome(pilotlight_command(&settings).arg(subcommand).arg("--config").arg(&file));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{stderr}");
        for expected in
            ["PORT", "70000", "PILOTLIGHT_WARM_START_ORDER", "latest", "newest", "KEEPALIVE_MS", "-1"]
        {
            assert!(stderr.contains(expected), "{expected} is not in\n{stderr}");
        }
        for expected in
            ["prot", "server.port", "grace", "soon", "warm_strat", "[warm_start]", "pilotlight.toml:2"]
        {
            assert!(stderr.contains(expected), "{expected} is not in\n{stderr}");
        }
    }
}

#[test]
fn a_configuration_that_cannot_be_read_is_exit_code_2() {
    let (code, _, stderr) =
        outcome(pilotlight_command(&[]).args(["serve", "--config", "/no/such/file.toml"]));
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("/no/such/file.toml") && stderr.contains("--config"), "{stderr}");
}

#[test]
fn an_unknown_command_or_flag_is_exit_code_2() {
    for wrong in ["sevre", "--frobnicate", "serve --frobnicate"] {
        let (code, stdout, stderr) = outcome(pilotlight_command(&[]).args(wrong.split(' ')));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{wrong}: {stderr}");
    }
}

#[test]
fn config_prints_every_setting_and_where_it_comes_from() {
    let folder = TempDir::new();
    let file = folder.path().join("pilotlight.toml");
    std::fs::write(&file, "[server]\ngrace = \"3s\"\nport = 1\n").unwrap();
    let settings = [("PILOTLIGHT_SERVER_PORT", "2"), ("CONNECTION_TIMEOUT_MS", "1500")];
    let (code, stdout, stderr) =
        outcome(pilotlight_command(&settings).arg("config").arg("--config").arg(&file));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let line =
        |key: &str| stdout.lines().find(|line| line.starts_with(key)).unwrap_or_else(|| panic!("no {key}"));
    for (key, value, source) in [
        ("server.host", "127.0.0.1", "default"),
        ("server.port", "2", "PILOTLIGHT_SERVER_PORT"),
        ("server.grace", "3s", "pilotlight.toml:2"),
        ("warm_start.connection_timeout", "1500ms", "CONNECTION_TIMEOUT_MS"),
        ("warm_start.keepalive", "5m", "default"),
        ("warm_start.order", "newest", "default"),
    ] {
        let columns: Vec<_> = line(key).split_whitespace().collect();
        assert!(columns[0] == key && columns[1] == value && columns[2].ends_with(source), "{columns:?}");
    }
}

#[test]
fn config_prints_the_settings_as_json() {
    let (code, stdout, stderr) = outcome(pilotlight_command(&[("PORT", "2")]).args(["config", "--json"]));
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    let settings: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(settings["server.port"], serde_json::json!({ "value": 2, "from": "PORT" }));
    assert_eq!(settings["warm_start.keepalive"], serde_json::json!({ "value": "5m", "from": "default" }));
}

#[test]
fn an_unknown_setting_is_a_warning_with_a_suggestion() {
    let (code, _, stderr) = outcome(pilotlight_command(&[("PILOTLIGHT_SERVER_PROT", "2")]).arg("config"));
    assert_eq!(code, Some(0));
    assert!(
        stderr.contains("PILOTLIGHT_SERVER_PROT") && stderr.contains("PILOTLIGHT_SERVER_PORT"),
        "{stderr}"
    );
}

#[test]
fn a_connection_limit_above_the_open_file_limit_is_exit_code_1_and_advice() {
    let settings = [("PILOTLIGHT_SERVER_PORT", "0"), ("PILOTLIGHT_SERVER_MAX_CONNECTIONS", "999999999")];
    let (code, _, stderr) = outcome(pilotlight_command(&settings).arg("serve"));
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("ulimit"), "{stderr}");
}
