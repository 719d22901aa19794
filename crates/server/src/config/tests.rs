//! Table tests of [`load`]: sources, and the settings, warnings or errors that result.

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use pilotlight_core::rate_limit::Rates;

use super::*;

/// A temporary file, removed when dropped.
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

/// Parses `A=1 B=2` into variables.
fn vars(env: &str) -> impl Iterator<Item = (OsString, OsString)> {
    let pairs = env.split(' ').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.into(), value.into()))
}

fn from_env(env: &str) -> Loaded {
    load(None, vars(env)).expect("the environment has no mistakes")
}

/// `value origin` of a key; the file is printed as `p.toml`.
fn resolved(toml: &str, env: &str, key: &str) -> String {
    let file = TempFile::new(toml);
    let loaded = load(Some(&file.0), vars(env)).expect("neither source has mistakes");
    let setting = loaded.resolved.iter().find(|(name, ..)| name == key);
    let (_, value, origin) = setting.expect("the key is known");
    format!("{value} {origin}").replace(&file.0.display().to_string(), "p.toml")
}

/// The text of all errors; the file is printed as `p.toml`.
fn errors(toml: impl AsRef<[u8]>, env: &str) -> String {
    let file = TempFile::new(toml);
    let text = load(Some(&file.0), vars(env)).expect_err("there are mistakes").to_string();
    text.replace(&file.0.display().to_string(), "p.toml")
}

#[test]
fn unset_settings_give_the_defaults_without_warnings() {
    let loaded = from_env("PATH=/bin PORTAL=x MY_PILOTLIGHT_THING=x");
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.warnings, [""; 0]);
    assert!(loaded.resolved.iter().all(|(_, _, origin)| *origin == Origin::Default));
}

#[test]
fn environment_beats_file_beats_default_and_our_name_beats_the_legacy_name() {
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
fn an_ineffective_setting_is_a_warning_without_its_value() {
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
fn kubernetes_service_links_give_one_warning() {
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
fn all_errors_are_reported_together_with_origin_value_and_allowed_values() {
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
allowed: a duration (ms, s, m, h, d) from 50ms to 5s";
    assert_eq!(errors(toml, env), expected);
}

const JOBS: &str = "[jobs]\nkeep_for = '7d'\nmax_bytes = '500MB'\n[jobs.limits]\ninput_bytes = '1MiB'\n";

#[test]
fn the_jobs_section_has_a_subsection_and_sizes_have_units() {
    for (env, key, expected) in [
        ("", "jobs.keep_for", "7d p.toml:2"),
        ("", "jobs.max_bytes", "500000000 p.toml:3"),
        ("", "jobs.limits.input_bytes", "1MiB p.toml:5"),
        (
            "PILOTLIGHT_JOBS_LIMITS_INPUT_BYTES=2KB",
            "jobs.limits.input_bytes",
            "2000 PILOTLIGHT_JOBS_LIMITS_INPUT_BYTES",
        ),
        ("", "jobs.limits.output_bytes", "500KiB default"),
        ("", "jobs.lost_retries", "auto default"),
        ("DATABASE_URL=postgres://u:p@h/d", "store.url", "•••••• DATABASE_URL"),
    ] {
        assert_eq!(resolved(JOBS, env, key), expected, "{key} {env}");
    }
    let limits = from_env("").config.jobs.limits;
    let bytes = [limits.input_bytes, limits.output_bytes, limits.console_bytes, limits.error_bytes];
    assert_eq!(bytes, [100 * 1024, 500 * 1024, 1024 * 1024, 10 * 1024]);
}

#[test]
fn a_preset_supplies_unset_values() {
    let jobs = |env| from_env(env).config.jobs;
    let default_rates = Rates { requests: 6000, submit: 0, check: 0, status: 0, available: 0, heartbeat: 0 };
    assert_eq!((jobs("").lost_retries(), jobs("").rates()), (3, default_rates));
    let runpack = jobs("PILOTLIGHT_JOBS_PRESET=runpack");
    let runpack_rates =
        Rates { requests: 6000, submit: 10, check: 10, status: 60, available: 120, heartbeat: 120 };
    assert_eq!((runpack.lost_retries(), runpack.rates()), (0, runpack_rates));
    let overridden = jobs(
        "PILOTLIGHT_JOBS_PRESET=runpack PILOTLIGHT_JOBS_LOST_RETRIES=2 PILOTLIGHT_JOBS_LIMITS_SUBMIT_PER_MINUTE=0",
    );
    assert_eq!((overridden.lost_retries(), overridden.rates()), (2, Rates { submit: 0, ..runpack_rates }));
}

const TYPES: &str = "\
[jobs.types.fold]
webhook_url = 'https://example.org/hook'
webhook_secret = 'hunter2'
webhook_events = ['completed', 'Failed']
[jobs.types.'a.b c']
check_url = '/files/0/url'
check_hosts = ['Files.example.org']
";

#[test]
fn a_job_type_has_its_own_settings() {
    let file = TempFile::new(TYPES);
    let loaded = load(Some(&file.0), vars("")).expect("there are no mistakes");
    let types = &loaded.config.jobs.types;
    let settings_of =
        |name: &str| types.iter().find(|(known, _)| known.as_str() == name).expect("it is there").1;
    let fold = settings_of("fold");
    assert_eq!(fold.webhook_url.as_deref(), Some("https://example.org/hook"));
    assert_eq!(fold.webhook_secret.as_ref().map(Secret::reveal), Some("hunter2"));
    assert_eq!(fold.webhook_events, [WebhookEvent::Completed, WebhookEvent::Failed]);
    assert_eq!(fold.check_url, None);
    let other = settings_of("a.b c");
    assert_eq!(
        (other.check_url.as_deref(), &other.check_hosts[..]),
        (Some("/files/0/url"), &["files.example.org".to_owned()][..])
    );
    assert_eq!(other.webhook_events.len(), 3);
    for (key, expected) in [
        ("jobs.types.fold.webhook_secret", "•••••• p.toml:3"),
        ("jobs.types.fold.webhook_events", "completed,failed p.toml:4"),
        ("jobs.types.\"a.b c\".check_url", "/files/0/url p.toml:6"),
        ("jobs.types.\"a.b c\".webhook_url", "none default"),
    ] {
        assert_eq!(resolved(TYPES, "", key), expected);
    }
    let secret = TempFile::new("  s3cret\n");
    let toml = format!(
        "[jobs.types.fold]\nwebhook_url = 'http://a'\nwebhook_secret_file = '{}'\n",
        secret.0.display()
    );
    assert_eq!(resolved(&toml, "", "jobs.types.fold.webhook_secret"), "•••••• p.toml:3");
}

#[test]
fn errors_about_a_job_type_name_the_type() {
    let toml = "[jobs.types]\nfold = 1\n' ' = {}\n[jobs.types.'x y']\nwebhok_url = 'http://a'\ncheck_time = 'at'\n\
                webhook_events = 'ended'\n[jobs.type.fold]\nwebhook_url = 'http://a'\n[jobs.limits]\ninput_bytes = '0'\n";
    let expected = "\
use the configuration: 7 mistakes
  p.toml:2: `jobs.types.fold` is a section; write its keys below `[jobs.types.fold]`
  p.toml:3: ` ` is not a job type: it is empty
  p.toml:5: `jobs.types.x y.webhok_url` is not known; did you mean jobs.types.\"x y\".webhook_url?
  p.toml:6: jobs.types.\"x y\".check_time is `at`; allowed: none, or a JSON pointer such as /files/0/url
  p.toml:7: jobs.types.\"x y\".webhook_events is `ended`; allowed: some of created, completed, failed, separated by commas
  p.toml:8: `jobs.type` is not known; did you mean [jobs.types]?
  p.toml:11: jobs.limits.input_bytes is `0`; allowed: bytes (KB, MB, GB, TB, KiB, MiB, GiB, TiB) from 1 to 64MiB";
    assert_eq!(errors(toml, "PILOTLIGHT_JOBS_TYPES_FOLD_WEBHOOK_URL=http://a"), expected);
    let halves = "[jobs.types.fold]\nwebhook_url = 'http://a'\ncheck_url = '/url'\n";
    let expected = "\
use the configuration: 2 mistakes
  p.toml:2: jobs.types.fold.webhook_url needs webhook_secret; set both
  p.toml:3: jobs.types.fold.check_url needs check_hosts; set both";
    assert_eq!(errors(halves, ""), expected);
}

#[test]
fn every_syntax_error_names_its_line_without_the_value() {
    let toml = "[server]\nhost = \"hunter2\nport = hunter2\nport = 1\n[server]\n";
    let expected = "\
use the configuration: 4 mistakes
  p.toml:2: not TOML: `host`: invalid basic string, expected `\"`
  p.toml:3: not TOML: `port`: string values must be quoted, expected literal string
  p.toml:4: not TOML: `port`: duplicate key
  p.toml:5: not TOML: duplicate key";
    assert_eq!(errors(toml, ""), expected);
}

#[test]
fn an_unreadable_file_error_names_its_origin_and_cause() {
    let not_text = errors(b"[server]\nhost = '\xff'", "");
    assert!(not_text.contains("--config: cannot read p.toml: line 2 is not UTF-8"), "{not_text}");
    let too_large = errors(vec![b'#'; 1 << 21], "");
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
fn a_value_that_is_not_utf8_is_an_error_for_known_names_only() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || OsString::from_vec(vec![0xff]);
    let env = [("PORT".into(), bytes()), ("PATH".into(), bytes()), (bytes(), "1".into())];
    let text = load(None, env).expect_err("PORT is not text").to_string();
    assert!(text.contains("1 mistake\n  PORT: server.port is not UTF-8 text; allowed: "), "{text}");
}

#[test]
fn settings_are_printed_as_text_and_as_json() {
    let resolved = from_env("PORT=0 PILOTLIGHT_WARM_START_KEEPALIVE=90s").resolved;
    let expected = "\
server.host                       127.0.0.1          default
server.port                       0                  PORT
server.max_connections            auto               default
server.allow                      any                default
server.trusted_proxies                               default
server.client_ip_header           X-Forwarded-For    default
server.control                    none               default
server.reuse_port                 off                default
server.tls_cert                   none               default
server.tls_key                    none               default
server.data_dir                   ./pilotlight-data  default
server.grace                      8s                 default
auth.admin_keys                                      default
auth.runner_keys                                     default
auth.submit_keys                                     default
warm_start.connection_timeout     30s                default
warm_start.keepalive              90s                PILOTLIGHT_WARM_START_KEEPALIVE
warm_start.order                  newest             default
warm_start.ack                    auto               default
warm_start.ack_deadline           250ms              default
warm_start.tokens                 disabled           default
warm_start.token_secret           none               default
jobs.preset                       none               default
jobs.heartbeat_timeout            90s                default
jobs.dispatch_timeout             2s                 default
jobs.lost_retries                 auto               default
jobs.failed_ttl                   10m                default
jobs.keep_for                     30d                default
jobs.max_bytes                    10GiB              default
jobs.max_waiting                  1000000            default
jobs.max_waiting_bytes            4GiB               default
jobs.limits.input_bytes           100KiB             default
jobs.limits.output_bytes          500KiB             default
jobs.limits.console_bytes         1MiB               default
jobs.limits.error_bytes           10KiB              default
jobs.limits.requests_per_minute   6000               default
jobs.limits.submit_per_minute     auto               default
jobs.limits.check_per_minute      auto               default
jobs.limits.status_per_minute     auto               default
jobs.limits.available_per_minute  auto               default
jobs.limits.heartbeat_per_minute  auto               default
store.url                         none               default
log.level                         info               default
log.format                        text               default
log.offers                        none               default
telemetry.otlp_endpoint           none               default
";
    assert_eq!(resolved.to_string(), expected);
    let json = resolved.to_json();
    assert_eq!(json["server.port"], serde_json::json!({ "value": 0, "from": "PORT" }));
    assert_eq!(json["server.grace"], serde_json::json!({ "value": "8s", "from": "default" }));
}

/// After changing a key table, run `PILOTLIGHT_BLESS=1 cargo test -p pilotlight-server config` to update the document.
#[test]
fn the_documentation_has_the_table_of_known_keys_and_a_working_example() {
    const MARK: &str = "<!-- What follows is made from the table of known keys. -->\n\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
    let text = fs::read_to_string(path).expect("docs/configuration.md exists");
    let (written, generated) =
        text.split_once(MARK).expect("the mark separates the written part from the generated part");
    if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
        let text = format!("{written}{MARK}{}", reference());
        fs::write(path, text).expect("docs/configuration.md can be written");
    } else {
        assert_eq!(generated, reference(), "PILOTLIGHT_BLESS=1 regenerates it");
    }
    let example = written.split("```").find_map(|block| block.strip_prefix("toml\n"));
    let example = example.expect("the document has a TOML example");
    assert_eq!(resolved(example, "", "warm_start.keepalive"), "10m p.toml:7");
}
