//! Merges the sources: defaults, then the file, then the environment.
//!
//! It decides the order in which the sources apply, and which keys need another key. `sources` collects the errors.

use std::ffi::OsString;
use std::path::Path;

use crate::config::auth::AuthConfig;
use crate::config::environment::Environment;
use crate::config::errors::ConfigErrors;
use crate::config::file;
use crate::config::jobs::JobsConfig;
use crate::config::key::{ENV_CONFIG, into_fields, tree};
use crate::config::log::LogConfig;
use crate::config::origin::Origin;
use crate::config::resolved::Resolved;
use crate::config::server::ServerConfig;
use crate::config::sources::ParsedSources;
use crate::config::store::StoreConfig;
use crate::config::telemetry::TelemetryConfig;
use crate::config::warm_start::{TokenMode, WarmStartConfig};

/// All settings; the `Default` is the configuration when nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `server.*`
    pub server: ServerConfig,
    /// `auth.*`
    pub auth: AuthConfig,
    /// `warm_start.*`
    pub warm_start: WarmStartConfig,
    /// `jobs.*`
    pub jobs: JobsConfig,
    /// `store.*`
    pub store: StoreConfig,
    /// `log.*`
    pub log: LogConfig,
    /// `telemetry.*`
    pub telemetry: TelemetryConfig,
}

impl Config {
    /// The protocol allows token checks to be enabled without a secret; then no token is verified, which deserves a
    /// warning.
    fn unverified_token_warning(&self) -> Option<String> {
        let checks_tokens = matches!(self.warm_start.tokens, TokenMode::Log | TokenMode::Enforce);
        (checks_tokens && self.warm_start.token_secret.is_none()).then(|| {
            "warm_start.tokens has no effect without warm_start.token_secret: tokens are read, not verified".to_owned()
        })
    }

    /// Keys that are set without another key that they need: pairs of the key and the missing one.
    fn missing_companions(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let server = &self.server;
        let unsigned = self.warm_start.tokens == TokenMode::Strict && self.warm_start.token_secret.is_none();
        [
            (server.tls_cert.is_some() && server.tls_key.is_none(), "server.tls_cert", "server.tls_key"),
            (server.tls_key.is_some() && server.tls_cert.is_none(), "server.tls_key", "server.tls_cert"),
            (unsigned, "warm_start.tokens", "warm_start.token_secret"),
        ]
        .into_iter()
        .filter_map(|(missing, key, other)| missing.then_some((key, other)))
    }
}

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings that the process uses.
    pub config: Config,
    /// The same values as text, with the origin of each, for `pilotlight config`.
    pub resolved: Resolved,
    /// Warnings, one log line each, about values that have no effect.
    pub warnings: Vec<String>,
}

/// Resolves every key.
///
/// `file` is the path given by `--config`; without it, `PILOTLIGHT_CONFIG` in `env` may name a file.
/// `env` is the environment (`std::env::vars_os()`); blank variables count as not set.
///
/// # Errors
/// All errors together: an unreadable file, lines that are not TOML, unknown keys, values that are not allowed.
pub fn load(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, ConfigErrors> {
    let env = Environment::new(env);
    let mut sources = ParsedSources::default();
    if let Some(path) = file {
        file::collect(path, Origin::Flag("--config"), &mut sources);
    } else if let Some(path) = env.config_file() {
        file::collect(path, Origin::Env(ENV_CONFIG.to_owned()), &mut sources);
    }
    env.collect(&mut sources);
    let (resolved, warnings) = sources.resolve()?;
    validate(resolved, warnings)
}

/// The configuration with these values, unless a key is set without another key that it needs.
fn validate(resolved: Resolved, mut warnings: Vec<String>) -> Result<Loaded, ConfigErrors> {
    let config: Config = into_fields(tree(resolved.values()));
    let missing = config.missing_companions().map(|(key, other)| resolved.missing_companion(key, other));
    let missing_of_types = config.jobs.types.iter().flat_map(|(name, settings)| {
        settings
            .missing_companions()
            .map(|(key, other)| resolved.missing_companion_of_type(name.as_str(), key, other))
    });
    let missing: Vec<_> = missing.chain(missing_of_types).collect();
    if !missing.is_empty() {
        return Err(ConfigErrors(missing));
    }
    warnings.extend(config.unverified_token_warning());
    Ok(Loaded { config, resolved, warnings })
}
