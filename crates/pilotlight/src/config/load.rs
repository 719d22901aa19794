//! Puts the sources on top of each other: defaults, then the file, then the environment.
//!
//! It decides who wins, and that one mistake is enough to have no configuration. It never stops at the first mistake.

use std::ffi::OsString;
use std::path::Path;

use super::auth::Auth;
use super::environment::Environment;
use super::file;
use super::jobs::Jobs;
use super::key::{ENV_CONFIG, Named, into_fields, tree};
use super::log::Log;
use super::mistakes::{Mistake, Mistakes, Problem};
use super::resolved::{Origin, Resolved};
use super::server::Server;
use super::store::Store;
use super::takes::Value;
use super::telemetry::Telemetry;
use super::warm_start::{Tokens, WarmStart};

/// Everything a user can set; the default is what holds when nothing is set.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `server.*`
    pub server: Server,
    /// `auth.*`
    pub auth: Auth,
    /// `warm_start.*`
    pub warm_start: WarmStart,
    /// `jobs.*`
    pub jobs: Jobs,
    /// `store.*`
    pub store: Store,
    /// `log.*`
    pub log: Log,
    /// `telemetry.*`
    pub telemetry: Telemetry,
}

impl Config {
    /// The protocol lets tokens be asked for without a secret: then none of them is verified.
    fn verifies_nothing(&self) -> Option<String> {
        let asks = matches!(self.warm_start.tokens, Tokens::Log | Tokens::Enforce);
        (asks && self.warm_start.token_secret.is_none()).then(|| {
            "warm_start.tokens has no effect without warm_start.token_secret: tokens are read, not verified".to_owned()
        })
    }

    /// Keys that mean nothing without another, with that other.
    fn missing_halves(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let server = &self.server;
        let unsigned = self.warm_start.tokens == Tokens::Strict && self.warm_start.token_secret.is_none();
        [
            (server.tls_cert.is_some() && server.tls_key.is_none(), "server.tls_cert", "server.tls_key"),
            (server.tls_key.is_some() && server.tls_cert.is_none(), "server.tls_key", "server.tls_cert"),
            (unsigned, "warm_start.tokens", "warm_start.token_secret"),
        ]
        .into_iter()
        .filter_map(|(missing, key, other)| missing.then_some((key, other)))
    }
}

/// A configuration without mistakes.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the process runs with.
    pub config: Config,
    /// The same for people, with the origin of each value.
    pub resolved: Resolved,
    /// Sentences worth one line of the log each; the values they are about had no effect.
    pub warnings: Vec<String>,
}

/// What the sources say, in the order in which later entries win.
#[derive(Default)]
pub(super) struct Found {
    entries: Vec<Entry>,
    mistakes: Vec<Mistake>,
    pub(super) warnings: Vec<String>,
}

/// What a source says about a key, or why that cannot be.
pub(super) type Said = Result<Entry, Mistake>;

/// What one source says about one key, not yet understood.
pub(super) struct Entry {
    pub(super) named: Named,
    pub(super) text: String,
    pub(super) origin: Origin,
}

/// Resolves every key.
///
/// `file` is what `--config` named; without it, `PILOTLIGHT_CONFIG` in `env` may name one.
/// `env` is the environment (`std::env::vars_os()`); blank variables count as not set.
///
/// # Errors
/// All mistakes together: an unreadable file, lines that are not TOML, unknown keys, values that are not allowed.
pub fn load(
    file: Option<&Path>,
    env: impl IntoIterator<Item = (OsString, OsString)>,
) -> Result<Loaded, Mistakes> {
    let env = Environment::new(env);
    let mut found = Found::default();
    if let Some(path) = file {
        file::gather(path, Origin::Flag("--config"), &mut found);
    } else if let Some(path) = env.config_file() {
        file::gather(path, Origin::Env(ENV_CONFIG.to_owned()), &mut found);
    }
    env.gather(&mut found);
    found.resolve()
}

impl Found {
    pub(super) fn add(&mut self, said: Said) {
        match said {
            Ok(entry) => self.entries.push(entry),
            Err(mistake) => self.mistakes.push(mistake),
        }
    }

    fn resolve(mut self) -> Result<Loaded, Mistakes> {
        let mut resolved = Resolved::defaults();
        for entry in self.entries {
            match entry.value() {
                Some(value) => resolved.set(entry.named, value, entry.origin),
                None => {
                    let allowed = entry.named.key.takes.to_string();
                    self.mistakes.push(entry.not_allowed(allowed));
                }
            }
        }
        if !self.mistakes.is_empty() {
            self.mistakes.sort_by(|a, b| a.origin.cmp(&b.origin));
            return Err(Mistakes(self.mistakes));
        }
        let config: Config = into_fields(tree(resolved.values()));
        let needs = config.missing_halves().map(|(key, other)| resolved.needs(key, other));
        let needs_of_types = config.jobs.types.iter().flat_map(|(name, settings)| {
            settings.missing_halves().map(|(key, other)| resolved.needs_of_type(name.as_str(), key, other))
        });
        let needs: Vec<_> = needs.chain(needs_of_types).collect();
        if !needs.is_empty() {
            return Err(Mistakes(needs));
        }
        if config.telemetry.otlp_endpoint.is_some() && !cfg!(feature = "otlp") {
            return Err(Mistakes(vec![resolved.not_built("telemetry.otlp_endpoint", "otlp")]));
        }
        self.warnings.extend(config.verifies_nothing());
        Ok(Loaded { config, resolved, warnings: self.warnings })
    }
}

impl Entry {
    /// What the text means, or `None` when it is not allowed.
    pub(super) fn value(&self) -> Option<Value> {
        self.named.key.takes.read(&self.text)
    }

    /// The mistake of saying this where only `allowed` is.
    pub(super) fn not_allowed(&self, allowed: String) -> Mistake {
        Problem::value(&self.named, &self.text, allowed).at(self.origin.clone())
    }
}
