//! Tables over [`load`]: what the sources say, and what a user gets for it.

use std::{
    ffi::OsString,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use super::*;

/// A file that lives as long as the test.
struct TempFile(PathBuf);

impl TempFile {
    fn new(bytes: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let (process, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(format!("pilotlight-config-{process}-{count}.toml"));
        fs::write(&path, bytes).expect("the temporary directory takes files");
        Self(path)
    }
}

impl Drop for TempFile {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

fn vars(env: &[(&str, &str)]) -> Vec<(OsString, OsString)> {
    env.iter().map(|(name, value)| (name.into(), value.into())).collect()
}

fn from_env(env: &[(&str, &str)]) -> Loaded {
    load(None, vars(env)).expect("the environment has no mistakes")
}

fn from_both(toml: &str, env: &[(&str, &str)]) -> Loaded {
    load(Some(&TempFile::new(toml).0), vars(env)).expect("neither source has mistakes")
}

/// The mistakes without the name of the temporary file.
fn mistakes(toml: impl AsRef<[u8]>, env: &[(&str, &str)]) -> String {
    let file = TempFile::new(toml);
    let mistakes = load(Some(&file.0), vars(env)).expect_err("there are mistakes");
    mistakes.to_string().replace(&file.0.display().to_string(), "p.toml")
}

fn origin(loaded: &Loaded, key: &str) -> String {
    let found = loaded.resolved.iter().find(|(name, ..)| *name == key);
    found.map(|(_, value, origin)| format!("{value} from {origin}")).unwrap_or_default()
}

#[test]
fn nothing_set_gives_the_defaults_in_silence() {
    let loaded = from_env(&[("PATH", "/bin"), ("PORTAL", "x"), ("MY_PILOTLIGHT_THING", "x")]);
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, [""; 0]);
    assert!(loaded.resolved.iter().all(|(_, _, origin)| *origin == Origin::Default));
}

#[test]
fn every_key_can_be_said_in_the_file() {
    let loaded = from_both(
        "[server]\nhost = '::1'\nport = 0x1F90\nmax_connections = 1000\ngrace = '1m'\n\
         [warm_start]\nconnection_timeout = 0\nkeepalive = 60_000\norder = 'oldest'\nack = 'off'\nack_deadline = '1s'\n\
         [log]\nlevel = 'warn'\nformat = 'json'\n",
        &[],
    );
    let Config { server, warm_start, log } = loaded.config;
    assert_eq!((server.host.to_string().as_str(), server.port), ("::1", 8080));
    assert_eq!((server.max_connections, server.grace), (Some(1000), Duration::from_secs(60)));
    assert_eq!(
        (warm_start.connection_timeout, warm_start.keepalive),
        (Duration::ZERO, Duration::from_secs(60))
    );
    assert_eq!((warm_start.order, warm_start.ack), (Order::Oldest, Ack::Off));
    assert_eq!(warm_start.ack_deadline, Duration::from_secs(1));
    assert_eq!((log.level, log.format), (LogLevel::Warn, LogFormat::Json));
}

#[test]
fn environment_beats_file_beats_default_and_our_name_beats_an_older_one() {
    let file = "\n[server]\nport = 1";
    for (toml, env, expected) in [
        ("", [].as_slice(), "8080 from default"),
        (file, &[], "1 from p.toml:3"),
        (file, &[("PORT", "2")], "2 from PORT"),
        (file, &[("PORT", "2"), ("PILOTLIGHT_SERVER_PORT", "3")], "3 from PILOTLIGHT_SERVER_PORT"),
        (file, &[("PORT", "tcp://10.0.0.1:8080")], "1 from p.toml:3"),
        (file, &[("PILOTLIGHT_SERVER_PORT", " "), ("PORT", "")], "1 from p.toml:3"),
    ] {
        let file = TempFile::new(toml);
        let loaded = load(Some(&file.0), vars(env)).expect("no mistakes");
        let found = origin(&loaded, "server.port").replace(&file.0.display().to_string(), "p.toml");
        assert_eq!(found, expected, "{env:?}");
    }
}

#[test]
fn older_names_mean_what_they_meant() {
    let env = [("HOST", "localhost"), ("CONNECTION_TIMEOUT_MS", "60000"), ("KEEPALIVE_MS", "0")];
    let config = from_env(&env).config;
    assert_eq!(config.server.host.to_string(), "127.0.0.1");
    assert_eq!(config.warm_start.connection_timeout, Duration::from_secs(60));
    assert_eq!(config.warm_start.keepalive, Duration::ZERO);

    let file = "[log]\nlevel = 'warn'";
    for (value, level) in [
        ("true", LogLevel::Debug),
        ("1", LogLevel::Debug),
        ("TRUE", LogLevel::Debug),
        ("false", LogLevel::Warn),
        ("0", LogLevel::Warn),
        ("", LogLevel::Warn),
    ] {
        assert_eq!(from_both(file, &[("DEBUG_LOGGING", value)]).config.log.level, level, "{value}");
    }
}

#[test]
fn two_names_for_one_key_are_worth_a_warning_only_when_they_differ() {
    let warning = "PORT has no effect: PILOTLIGHT_SERVER_PORT is set too and wins";
    for (ours, legacy, expected) in [
        (("PILOTLIGHT_SERVER_PORT", "1"), ("PORT", "2"), [warning].as_slice()),
        (("PILOTLIGHT_SERVER_PORT", "1"), ("PORT", "http"), &[warning]),
        (("PILOTLIGHT_SERVER_PORT", "1"), ("PORT", "1"), &[]),
        (("PILOTLIGHT_WARM_START_KEEPALIVE", "5m"), ("KEEPALIVE_MS", "300000"), &[]),
        (("PILOTLIGHT_LOG_LEVEL", "warn"), ("DEBUG_LOGGING", "false"), &[]),
    ] {
        assert_eq!(from_env(&[ours, legacy]).warnings, expected, "{ours:?} {legacy:?}");
    }
}

#[test]
fn an_unknown_name_of_ours_is_a_warning_that_helps_and_hides_the_value() {
    for (name, expected) in [
        ("PILOTLIGHT_SERVER_PROT", "; did you mean PILOTLIGHT_SERVER_PORT?"),
        ("PILOTLIGHT_PORT", "; did you mean PILOTLIGHT_SERVER_PORT?"),
        ("PILOTLIGHT_CONFIG_FILE", "; did you mean PILOTLIGHT_CONFIG?"),
        ("PILOTLIGHT_FROBNICATE", ""),
    ] {
        assert_eq!(
            from_env(&[(name, "9")]).warnings,
            [format!("{name} is not known and has no effect{expected}")]
        );
    }
}

#[test]
fn what_kubernetes_injects_for_services_is_one_calm_sentence() {
    let loaded = from_env(&[
        ("PILOTLIGHT_PORT", "tcp://10.0.0.1:8080"),
        ("PILOTLIGHT_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("PILOTLIGHT_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("PILOTLIGHT_PORT_8080_TCP_PORT", "8080"),
        ("PILOTLIGHT_PORT_8080_TCP_PROTO", "tcp"),
        ("PILOTLIGHT_SERVER_PORT", "udp://10.0.0.1:8080"),
        ("PILOTLIGHT_SERVICE_HOST", "10.0.0.1"),
        ("PILOTLIGHT_SERVICE_PORT", "8080"),
        ("PILOTLIGHT_SERVICE_PORT_HTTP", "8080"),
        ("PORT", "tcp://10.0.0.1:8080"),
    ]);
    assert_eq!(loaded.config, Config::default());
    let expected = "ignored PILOTLIGHT_SERVER_PORT and 9 more: Kubernetes injects such values for services; \
                    `enableServiceLinks: false` keeps them out of the pod";
    assert_eq!(loaded.warnings, [expected]);
}

#[test]
fn all_mistakes_are_told_together_with_place_value_and_what_is_allowed() {
    let toml = "port = 1\n[server]\nport = 99999\nprot = 'secret'\nhost = abc\n[serve]\nport = 1\n[[log]]\nlevel = 3\n\
                [warm_start]\norder = ['newest']\nack = true\n";
    let env = [("PILOTLIGHT_WARM_START_ACK_DEADLINE", "6s"), ("DEBUG_LOGGING", "yes"), ("HOST", "box")];
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
  PILOTLIGHT_WARM_START_ACK_DEADLINE: warm_start.ack_deadline is `6s`; allowed: a duration (ms, s, m, h) from 50ms to 5s";
    assert_eq!(mistakes(toml, &env), expected);
}

#[test]
fn a_mistake_in_the_file_counts_even_where_the_environment_wins() {
    let expected = "use the configuration: 1 mistake\n  p.toml:1: server.port is `-1`; allowed: a whole number from 0 to 65535";
    assert_eq!(mistakes("server.port = -1", &[("PORT", "1")]), expected);
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
    assert_eq!(mistakes(toml, &[]), expected);
}

#[test]
fn a_file_that_cannot_be_read_says_who_named_it_and_why() {
    let not_text = mistakes(b"[server]\nhost = '\xff'", &[]);
    assert!(not_text.contains("--config: cannot read p.toml: line 2 is not UTF-8"), "{not_text}");
    let too_large = mistakes(vec![b'#'; 1 << 21], &[]);
    assert!(too_large.contains("larger than 1 MiB"), "{too_large}");
    let missing =
        load(None, vars(&[("PILOTLIGHT_CONFIG", "/nowhere/p.toml")])).expect_err("the file is missing");
    assert!(missing.to_string().contains("PILOTLIGHT_CONFIG: cannot read /nowhere/p.toml: "), "{missing}");
}

#[test]
fn the_flag_beats_the_environment_in_naming_the_file() {
    let file = TempFile::new("\u{feff}[server]\r\nport = 9\r\n");
    let env = vars(&[("PILOTLIGHT_CONFIG", "/nowhere/p.toml")]);
    assert_eq!(load(Some(&file.0), env).expect("no mistakes").config.server.port, 9);
    let path = file.0.display().to_string();
    assert_eq!(from_env(&[("PILOTLIGHT_CONFIG", &path)]).config.server.port, 9);
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_text_is_a_mistake_of_a_known_name_only() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || OsString::from_vec(vec![0xff]);
    let env = [("PORT".into(), bytes()), ("PATH".into(), bytes()), (bytes(), "1".into())];
    let text = load(None, env).expect_err("PORT is not text").to_string();
    let expected = "PORT: server.port is not UTF-8 text; allowed: a whole number from 0 to 65535";
    assert_eq!(text, format!("use the configuration: 1 mistake\n  {expected}"));
}

#[test]
fn settings_are_printed_for_people_and_for_machines() {
    let loaded = from_env(&[("PORT", "0"), ("PILOTLIGHT_WARM_START_KEEPALIVE", "90s")]);
    let expected = "\
server.host                    127.0.0.1  default
server.port                    0          PORT
server.max_connections         auto       default
server.grace                   8s         default
warm_start.connection_timeout  30s        default
warm_start.keepalive           90s        PILOTLIGHT_WARM_START_KEEPALIVE
warm_start.order               newest     default
warm_start.ack                 auto       default
warm_start.ack_deadline        250ms      default
log.level                      info       default
log.format                     text       default
";
    assert_eq!(loaded.resolved.to_string(), expected);
    let json = loaded.resolved.to_json();
    assert_eq!(json["server.port"], serde_json::json!({ "value": 0, "from": "PORT" }));
    assert_eq!(json["server.grace"], serde_json::json!({ "value": "8s", "from": "default" }));
}

/// After a change of the table: `PILOTLIGHT_BLESS=1 cargo test -p pilotlight config`.
#[test]
fn the_documentation_holds_the_table_of_known_keys_and_an_example_that_works() {
    const MARK: &str = "<!-- From here on the text is made from the table of known keys. -->\n\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let text = fs::read_to_string(path).expect("docs/configuration.md is there");
    let (written, generated) =
        text.split_once(MARK).expect("the mark divides the written part from the made one");
    if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
        fs::write(path, format!("{written}{MARK}{}", reference()))
            .expect("docs/configuration.md takes the table");
    } else {
        assert_eq!(generated, reference(), "PILOTLIGHT_BLESS=1 makes it anew");
    }
    let example = written.split("```").find_map(|block| block.strip_prefix("toml\n")).unwrap_or_default();
    assert_eq!(from_both(example, &[]).warnings, [""; 0]);
    assert!(example.contains("[warm_start]"));
}
