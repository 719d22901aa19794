//! Tables over [`load`]: what the sources say, and what a user gets for it.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// A file that lives as long as the test.
struct TempFile(PathBuf);

impl TempFile {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("pilotlight-{process}-{count}.toml"));
        fs::write(&path, bytes).expect("the temporary directory takes files");
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

/// `A=1 B=2`
fn vars(env: &str) -> impl Iterator<Item = (OsString, OsString)> {
    let pairs = env.split(' ').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.into(), value.into()))
}

fn from_env(env: &str) -> Loaded {
    load(None, vars(env)).expect("the environment has no mistakes")
}

/// `value origin` of a key, the file being `p.toml`.
fn resolved(toml: &str, env: &str, key: &str) -> String {
    let file = TempFile::new(toml);
    let loaded = load(Some(&file.0), vars(env)).expect("neither source has mistakes");
    let setting = loaded.resolved.iter().find(|(name, ..)| *name == key);
    let (_, value, origin) = setting.expect("the key is known");
    format!("{value} {origin}").replace(&file.0.display().to_string(), "p.toml")
}

/// The mistakes, the file being `p.toml`.
fn mistakes(toml: impl AsRef<[u8]>, env: &str) -> String {
    let file = TempFile::new(toml);
    let text = load(Some(&file.0), vars(env)).expect_err("there are mistakes").to_string();
    text.replace(&file.0.display().to_string(), "p.toml")
}

#[test]
fn nothing_set_gives_the_defaults_in_silence() {
    let loaded = from_env("PATH=/bin PORTAL=x MY_PILOTLIGHT_THING=x");
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, [""; 0]);
    assert!(loaded.resolved.iter().all(|(_, _, origin)| *origin == Origin::Default));
}

#[test]
fn environment_beats_file_beats_default_and_our_name_beats_an_older_one() {
    let port = "\n[server]\nport = 0xFF";
    let level = "log.level = 'warn'";
    let port_url = "PILOTLIGHT_SERVER_PORT=tcp://10.0.0.1:8080";
    for (toml, env, key, expected) in [
        ("", "", "server.port", "8080 default"),
        (port, "", "server.port", "255 p.toml:3"),
        (port, "PORT=2", "server.port", "2 PORT"),
        (port, "PORT=2 PILOTLIGHT_SERVER_PORT=3", "server.port", "3 PILOTLIGHT_SERVER_PORT"),
        (port, "PORT= PILOTLIGHT_SERVER_PORT=", "server.port", "255 p.toml:3"),
        (port, port_url, "server.port", "255 p.toml:3"),
        ("\u{feff}server.port = '7'\r\n", "", "server.port", "7 p.toml:1"),
        ("", "HOST=localhost", "server.host", "127.0.0.1 HOST"),
        ("", "KEEPALIVE_MS=0", "warm_start.keepalive", "0 KEEPALIVE_MS"),
        ("warm_start.keepalive = 60_000", "", "warm_start.keepalive", "1m p.toml:1"),
        (level, "DEBUG_LOGGING=True", "log.level", "debug DEBUG_LOGGING"),
        (level, "DEBUG_LOGGING=1", "log.level", "debug DEBUG_LOGGING"),
        (level, "DEBUG_LOGGING=false", "log.level", "warn p.toml:1"),
    ] {
        assert_eq!(resolved(toml, env, key), expected, "{toml} {env}");
    }
}

#[test]
fn what_has_no_effect_is_a_warning_without_its_value() {
    let port_loses = "PORT has no effect: PILOTLIGHT_SERVER_PORT is set too and wins";
    for (env, expected) in [
        ("PILOTLIGHT_SERVER_PORT=1 PORT=2", port_loses),
        ("PILOTLIGHT_SERVER_PORT=1 PORT=http", port_loses),
        ("PILOTLIGHT_SERVER_PORT=1 PORT=1", ""),
        ("PILOTLIGHT_WARM_START_KEEPALIVE=5m KEEPALIVE_MS=300000", ""),
        ("PILOTLIGHT_LOG_LEVEL=warn DEBUG_LOGGING=false", ""),
        (
            "PILOTLIGHT_PORT=9",
            "PILOTLIGHT_PORT is not known and has no effect; did you mean PILOTLIGHT_SERVER_PORT?",
        ),
        (
            "PILOTLIGHT_CONFIG_FILE=9",
            "PILOTLIGHT_CONFIG_FILE is not known and has no effect; did you mean PILOTLIGHT_CONFIG?",
        ),
        ("PILOTLIGHT_FROBNICATE=9", "PILOTLIGHT_FROBNICATE is not known and has no effect"),
    ] {
        assert_eq!(from_env(env).warnings.join("\n"), expected, "{env}");
    }
}

#[test]
fn what_kubernetes_injects_for_services_is_one_calm_sentence() {
    let loaded = from_env(
        "PILOTLIGHT_PORT=tcp://10.0.0.1:8080 PILOTLIGHT_PORT_8080_TCP=tcp://10.0.0.1:8080 \
         PILOTLIGHT_PORT_8080_TCP_ADDR=10.0.0.1 PILOTLIGHT_PORT_8080_TCP_PORT=8080 \
         PILOTLIGHT_PORT_8080_TCP_PROTO=tcp PILOTLIGHT_SERVER_PORT=udp://10.0.0.1:8080 \
         PILOTLIGHT_SERVICE_HOST=10.0.0.1 PILOTLIGHT_SERVICE_PORT_HTTP=8080 PORT=tcp://10.0.0.1:80",
    );
    assert_eq!(loaded.config, Config::default());
    let expected = "ignored PILOTLIGHT_SERVER_PORT and 8 more: Kubernetes injects such values for \
                    services; `enableServiceLinks: false` keeps them out of the pod";
    assert_eq!(loaded.warnings, [expected]);
}

#[test]
fn all_mistakes_are_told_together_with_place_value_and_what_is_allowed() {
    let toml = "port = 1\n[server]\nport = 99999\nprot = 'secret'\nhost = abc\n[serve]\nport = 1\n\
                [[log]]\nlevel = 3\n[warm_start]\norder = ['newest']\nack = true\n";
    let env = "PILOTLIGHT_WARM_START_ACK_DEADLINE=6s DEBUG_LOGGING=yes HOST=box PORT=1";
    let expected = "\
use the configuration: 11 mistakes
  p.toml:1: `port` is not known; did you mean server.port?
  p.toml:3: server.port is `99999`; allowed: a whole number from 0 to 65535
  p.toml:4: `server.prot` is not known; did you mean server.port?
  p.toml:5: not TOML: `host`: string values must be quoted, expected literal string
  p.toml:6: `serve` is not known; did you mean [server]?
  p.toml:8: `log` is a section; write its keys below `[log]`
  p.toml:11: warm_start.order is `['newest']`; allowed: newest or oldest
  p.toml:12: warm_start.ack is `true`; allowed: auto, on or off
  DEBUG_LOGGING: log.level is `yes`; allowed: true, 1, false or 0
  HOST: server.host is `box`; allowed: an IP address or localhost
  PILOTLIGHT_WARM_START_ACK_DEADLINE: warm_start.ack_deadline is `6s`; \
allowed: a duration (ms, s, m, h) from 50ms to 5s";
    assert_eq!(mistakes(toml, env), expected);
}

#[cfg(not(feature = "otlp"))]
#[test]
fn a_key_of_a_feature_that_was_not_built_is_a_mistake() {
    let text = mistakes("[telemetry]\notlp_endpoint = 'http://127.0.0.1:4318'", "");
    let expected =
        "p.toml:2: telemetry.otlp_endpoint has no effect: this binary was built without the feature `otlp`";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn every_line_that_is_not_toml_is_named_without_what_could_be_a_secret() {
    let toml = "[server]\nhost = \"hunter2\nport = hunter2\nport = 1\n[server]\n";
    let expected = "\
use the configuration: 4 mistakes
  p.toml:2: not TOML: `host`: invalid basic string, expected `\"`
  p.toml:3: not TOML: `port`: string values must be quoted, expected literal string
  p.toml:4: not TOML: `port`: duplicate key
  p.toml:5: not TOML: duplicate key";
    assert_eq!(mistakes(toml, ""), expected);
}

#[test]
fn a_file_that_cannot_be_read_says_who_named_it_and_why() {
    let not_text = mistakes(b"[server]\nhost = '\xff'", "");
    assert!(not_text.contains("--config: cannot read p.toml: line 2 is not UTF-8"), "{not_text}");
    let too_large = mistakes(vec![b'#'; 1 << 21], "");
    assert!(too_large.contains("larger than 1 MiB"), "{too_large}");
    let missing = load(None, vars("PILOTLIGHT_CONFIG=/nowhere/p.toml")).expect_err("it is missing");
    let expected = "PILOTLIGHT_CONFIG: cannot read /nowhere/p.toml: ";
    assert!(missing.to_string().contains(expected), "{missing}");
}

#[test]
fn the_flag_beats_the_environment_in_naming_the_file() {
    let file = TempFile::new("server.port = 9");
    let env = format!("PILOTLIGHT_CONFIG={}", file.0.display());
    assert_eq!(from_env(&env).config.server.port, 9);
    let env = "PILOTLIGHT_CONFIG=/nowhere/p.toml";
    assert_eq!(resolved("server.port = 9", env, "server.port"), "9 p.toml:1");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_text_is_a_mistake_of_a_known_name_only() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || OsString::from_vec(vec![0xff]);
    let env = [("PORT".into(), bytes()), ("PATH".into(), bytes()), (bytes(), "1".into())];
    let text = load(None, env).expect_err("PORT is not text").to_string();
    assert!(text.contains("1 mistake\n  PORT: server.port is not UTF-8 text; allowed: "), "{text}");
}

#[test]
fn settings_are_printed_for_people_and_for_machines() {
    let resolved = from_env("PORT=0 PILOTLIGHT_WARM_START_KEEPALIVE=90s").resolved;
    let expected = "\
server.host                    127.0.0.1        default
server.port                    0                PORT
server.max_connections         auto             default
server.allow                   any              default
server.trusted_proxies                          default
server.client_ip_header        X-Forwarded-For  default
server.control                 none             default
server.reuse_port              off              default
server.tls_cert                none             default
server.tls_key                 none             default
server.grace                   8s               default
auth.admin_keys                                 default
auth.runner_keys                                default
auth.submit_keys                                default
warm_start.connection_timeout  30s              default
warm_start.keepalive           90s              PILOTLIGHT_WARM_START_KEEPALIVE
warm_start.order               newest           default
warm_start.ack                 auto             default
warm_start.ack_deadline        250ms            default
warm_start.tokens              disabled         default
warm_start.token_secret        none             default
log.level                      info             default
log.format                     text             default
log.offers                     none             default
telemetry.otlp_endpoint        none             default
";
    assert_eq!(resolved.to_string(), expected);
    let json = resolved.to_json();
    assert_eq!(json["server.port"], serde_json::json!({ "value": 0, "from": "PORT" }));
    assert_eq!(json["server.grace"], serde_json::json!({ "value": "8s", "from": "default" }));
}

/// After a change of the table: `PILOTLIGHT_BLESS=1 cargo test -p pilotlight config`.
#[test]
fn the_documentation_holds_the_table_of_known_keys_and_an_example_that_works() {
    const MARK: &str = "<!-- What follows is made from the table of known keys. -->\n\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let text = fs::read_to_string(path).expect("docs/configuration.md is there");
    let (written, made) = text.split_once(MARK).expect("the mark parts the written from the made");
    if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
        let text = format!("{written}{MARK}{}", reference());
        fs::write(path, text).expect("docs/configuration.md can be written");
    } else {
        assert_eq!(made, reference(), "PILOTLIGHT_BLESS=1 makes it anew");
    }
    let example = written.split("```").find_map(|block| block.strip_prefix("toml\n"));
    let example = example.expect("there is an example");
    assert_eq!(resolved(example, "", "warm_start.keepalive"), "10m p.toml:7");
}
