//! Reads the values of known keys from environment variables.
//!
//! It decides that our names win over legacy names, that a blank variable counts as not set, and that variables which
//! Kubernetes injects for services are ignored with a warning. The environment is an argument; this module must never
//! read the process environment itself, and never print a value.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::config::errors::{ConfigError, Problem, did_you_mean};
use crate::config::key::{ENV_CONFIG, ENV_NON_KEYS, ENV_PREFIX, KeySpec, Legacy};
use crate::config::origin::Origin;
use crate::config::sections::keys;
use crate::config::sources::{Entry, ParsedEntry, ParsedSources};
use crate::config::{secret_file, suggest};

/// The variables that are set and whose names are known or start with [`ENV_PREFIX`].
pub(super) struct Environment {
    variables: BTreeMap<String, OsString>,
    known: BTreeSet<String>,
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let known = known_names();
        let is_relevant = |name: &str| known.contains(name) || name.starts_with(ENV_PREFIX);
        let readable = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        let variables = variables.into_iter().filter_map(readable);
        let variables = variables.filter(|(name, value)| is_relevant(name) && !is_blank(value));
        Self { variables: variables.collect(), known }
    }

    /// The configuration file named by `PILOTLIGHT_CONFIG`.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.variables.get(ENV_CONFIG).map(Path::new)
    }

    pub(super) fn collect(mut self, sources: &mut ParsedSources) {
        sources.warnings.extend(self.drop_service_links());
        let unknown = self.variables.keys().filter(|name| !self.known.contains(*name));
        sources.warnings.extend(unknown.map(|name| unknown_name_warning(name)));
        keys().for_each(|key| self.collect_key(key, sources));
    }

    /// Removes the variables that Kubernetes injected. Returns one warning about them, which names a variable of a
    /// known key if there is one, because a user could have meant to set that.
    fn drop_service_links(&mut self) -> Option<String> {
        let is_known = |name: &String| self.known.contains(name);
        let is_link = |name: &String, value: &mut OsString| {
            is_service_url(name, value) || (!is_known(name) && is_service_name(name))
        };
        let links = self.variables.extract_if(.., is_link).map(|(name, _)| name);
        let (known, rest): (Vec<_>, Vec<_>) = links.partition(is_known);
        let more = match known.len() + rest.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let first = known.first().or(rest.first())?;
        Some(format!(
            "ignored {first}{more}: Kubernetes injects such values for services; \
             `enableServiceLinks: false` keeps them out of the pod"
        ))
    }

    fn collect_key(&self, key: &'static KeySpec, sources: &mut ParsedSources) {
        sources.warnings.extend(self.duplicate_secret_warning(key));
        let our_entry = self.read_entry(key, key.env_name());
        let legacy = key.legacy.and_then(|legacy| self.read_legacy_entry(key, legacy));
        if let (Some(our_entry), Some(legacy)) = (&our_entry, &legacy) {
            sources.warnings.extend(duplicate_name_warning(key, our_entry, legacy));
        }
        if let Some(entry) = our_entry.or(legacy) {
            sources.add(entry);
        }
    }

    fn read_entry(&self, key: &'static KeySpec, name: String) -> Option<ParsedEntry> {
        self.read_entry_from_variable(key, name.clone()).or_else(|| self.read_entry_from_file(key, &name))
    }

    /// A warning when a secret is set both directly and by a `_FILE` variable.
    fn duplicate_secret_warning(&self, key: &KeySpec) -> Option<String> {
        key.env_names().find_map(|name| {
            let file = key.secret_file_name(&name)?;
            let both = self.variables.contains_key(&name) && self.variables.contains_key(&file);
            both.then(|| format!("{file} has no effect: {name} is set too and wins"))
        })
    }

    fn read_entry_from_file(&self, key: &'static KeySpec, name: &str) -> Option<ParsedEntry> {
        let name = key.secret_file_name(name)?;
        let path = self.variables.get(&name)?;
        Some(secret_file::read_entry(key.into(), Path::new(path), Origin::Env(name)))
    }

    fn read_entry_from_variable(&self, key: &'static KeySpec, name: String) -> Option<ParsedEntry> {
        let text = self.variables.get(&name)?.to_str().map(str::to_owned);
        let origin = Origin::Env(name);
        Some(match text {
            Some(text) => Ok(Entry { key: key.into(), text, origin }),
            None => Err(Problem::NotText { key: key.name, allowed: key.value_type.to_string() }.at(origin)),
        })
    }

    fn read_legacy_entry(&self, key: &'static KeySpec, legacy: Legacy) -> Option<ParsedEntry> {
        let entry = self.read_entry(key, legacy.name.to_owned())?;
        match legacy.switch {
            Some(on) => entry.and_then(|entry| apply_switch(entry, on)).transpose(),
            None => Some(entry),
        }
    }
}

fn known_names() -> BTreeSet<String> {
    let plain = keys().flat_map(KeySpec::env_names);
    let files = keys().flat_map(|key| key.env_names().filter_map(|name| key.secret_file_name(&name)));
    plain.chain(files).chain(ENV_NON_KEYS.map(str::to_owned)).collect()
}

/// Compose files pass a blank value for a variable that the user did not set.
fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|value| value.trim().is_empty())
}

/// Kubernetes sets `PILOTLIGHT_SERVER_PORT=tcp://10.0.0.1:8080` for a service named `pilotlight-server`.
fn is_service_url(name: &str, value: &OsStr) -> bool {
    let url = value.to_str().unwrap_or_default();
    let scheme = url.split_once("://").map_or("", |(scheme, _)| scheme);
    let is_port = name == "PORT" || name.ends_with("_PORT");
    is_port && matches!(scheme, "tcp" | "udp" | "sctp")
}

/// Other variables that Kubernetes sets for a service: `X_SERVICE_HOST`, `X_SERVICE_PORT_HTTP`,
/// `X_PORT_8080_TCP_ADDR`, ...
fn is_service_name(name: &str) -> bool {
    let after_port = name.split_once("_PORT_").map_or("", |(_, rest)| rest);
    let is_numbered = after_port.starts_with(|first: char| first.is_ascii_digit());
    is_numbered || name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT")
}

fn unknown_name_warning(name: &str) -> String {
    let rest = name.strip_prefix(ENV_PREFIX).unwrap_or(name);
    let config = || rest.starts_with("CONF").then(|| ENV_CONFIG.to_owned());
    let suggestion = suggest::key(rest).map(KeySpec::env_name).or_else(config);
    let hint = did_you_mean(&suggestion);
    format!("{name} is not known and has no effect{hint}")
}

/// A warning when our name and the legacy name of a key are both set, with different values.
fn duplicate_name_warning(key: &KeySpec, our_entry: &ParsedEntry, legacy: &ParsedEntry) -> Option<String> {
    let value_of = |entry: &ParsedEntry| entry.as_ref().ok().and_then(Entry::value);
    let differ = value_of(our_entry) != value_of(legacy);
    let (wins, loses) = (key.env_name(), key.legacy_name()?);
    differ.then(|| format!("{loses} has no effect: {wins} is set too and wins"))
}

/// Turns a switch into the value of its key: `on` when the switch is on, `None` (not set) when it is off.
fn apply_switch(mut entry: Entry, on: &str) -> Result<Option<Entry>, ConfigError> {
    match entry.text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => entry.text = on.to_owned(),
        "false" | "0" => return Ok(None),
        _ => return Err(entry.not_allowed("true, 1, false or 0".to_owned())),
    }
    Ok(Some(entry))
}
