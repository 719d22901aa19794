//! Finds what the environment says about known keys.
//!
//! It decides that our names beat older ones, that a blank variable is not set, and that what Kubernetes injects for
//! services is nobody's mistake. It never reads the process environment: it is given one. It never prints a value.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::{OsStr, OsString},
    path::Path,
};

use super::{
    key::{ENV_CONFIG, ENV_PREFIX, Key, Legacy, keys},
    load::{Entry, Found},
    mistakes::{Mistake, Problem, did_you_mean},
    resolved::Origin,
    suggest,
};

/// The variables that are set and could concern us.
pub(super) struct Environment {
    variables: BTreeMap<String, OsString>,
    known: BTreeSet<String>,
}

impl Environment {
    pub(super) fn new(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let known = known_names();
        let named = variables.into_iter().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        let ours = |name: &String| known.contains(name) || name.starts_with(ENV_PREFIX);
        let variables = named.filter(|(name, value)| ours(name) && !is_blank(value)).collect();
        Self { variables, known }
    }

    /// The file that `PILOTLIGHT_CONFIG` names.
    pub(super) fn config_file(&self) -> Option<&Path> {
        self.variables.get(ENV_CONFIG).map(Path::new)
    }

    pub(super) fn gather(mut self, found: &mut Found) {
        let links: BTreeMap<_, _> = self
            .variables
            .extract_if(.., |name, value| {
                is_service_url(name, value) || (!self.known.contains(name) && is_service_name(name))
            })
            .collect();
        found.warnings.extend(self.about_links(links.into_keys().collect()));
        found.warnings.extend(
            self.variables.keys().filter(|name| !self.known.contains(*name)).map(|name| unknown(name)),
        );
        for key in keys() {
            self.gather_key(key, found);
        }
    }

    fn about_links(&self, mut names: Vec<String>) -> Option<String> {
        names.sort_by_key(|name| !self.known.contains(name));
        let more = match names.len() {
            0 | 1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        let first = names.first()?;
        Some(format!(
            "ignored {first}{more}: Kubernetes injects such values for services; \
             `enableServiceLinks: false` keeps them out of the pod"
        ))
    }

    fn gather_key(&self, key: &'static Key, found: &mut Found) {
        let ours = self.entry(key, key.env_name());
        let legacy = self.legacy(key);
        if let (Some(ours), Some(legacy)) = (&ours, &legacy) {
            found.warnings.extend(contradiction(key, ours, legacy));
        }
        ours.or(legacy).into_iter().for_each(|entry| found.add(entry));
    }

    fn entry(&self, key: &'static Key, name: String) -> Option<Result<Entry, Mistake>> {
        let text = self.variables.get(&name)?.to_str().map(str::to_owned);
        let origin = Origin::Env(name);
        Some(match text {
            Some(text) => Ok(Entry { key, text, origin }),
            None => Err(Mistake {
                origin,
                problem: Problem::NotText { key: key.name, allowed: key.takes.to_string() },
            }),
        })
    }

    fn legacy(&self, key: &'static Key) -> Option<Result<Entry, Mistake>> {
        let entry = self.entry(key, key.legacy_name()?.to_owned())?;
        match key.legacy? {
            Legacy::Name(_) => Some(entry),
            Legacy::Switch { on, .. } => entry.and_then(|entry| switched(entry, on)).transpose(),
        }
    }
}

fn known_names() -> BTreeSet<String> {
    let legacy = keys().filter_map(Key::legacy_name).map(str::to_owned);
    keys().map(Key::env_name).chain(legacy).chain([ENV_CONFIG.to_owned()]).collect()
}

/// Compose files pass a blank for a variable that the user did not set.
fn is_blank(value: &OsStr) -> bool {
    value.to_str().is_some_and(|value| value.trim().is_empty())
}

/// A service named `pilotlight-server` gives `PILOTLIGHT_SERVER_PORT=tcp://10.0.0.1:8080`.
fn is_service_url(name: &str, value: &OsStr) -> bool {
    let url = value.to_str().unwrap_or_default();
    let is_url = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| url.starts_with(scheme));
    is_url && (name == "PORT" || name.ends_with("_PORT"))
}

/// The names that go with it: `X_SERVICE_HOST`, `X_SERVICE_PORT_HTTP`, `X_PORT_8080_TCP_ADDR`, ...
fn is_service_name(name: &str) -> bool {
    let after_port = name.split_once("_PORT_").map_or("", |(_, rest)| rest);
    let is_numbered = after_port.starts_with(|first: char| first.is_ascii_digit());
    is_numbered || name.contains("_SERVICE_HOST") || name.contains("_SERVICE_PORT")
}

fn unknown(name: &str) -> String {
    let rest = name.strip_prefix(ENV_PREFIX).unwrap_or(name);
    let config = || rest.starts_with("CONF").then(|| ENV_CONFIG.to_owned());
    let meant = suggest::key(rest).map(Key::env_name).or_else(config);
    format!("{name} is not known and has no effect{}", did_you_mean(&meant))
}

/// What a switch says about its key: nothing when it is off.
fn switched(entry: Entry, on: &str) -> Result<Option<Entry>, Mistake> {
    match entry.text.trim().to_ascii_lowercase().as_str() {
        "true" | "1" => Ok(Some(Entry { text: on.to_owned(), ..entry })),
        "false" | "0" => Ok(None),
        _ => Err(entry.not_allowed("true, 1, false or 0".to_owned())),
    }
}

/// A sentence when both names of a key are set and do not mean the same.
fn contradiction(
    key: &Key,
    ours: &Result<Entry, Mistake>,
    legacy: &Result<Entry, Mistake>,
) -> Option<String> {
    let meaning = |entry: &Result<Entry, Mistake>| entry.as_ref().ok().and_then(Entry::value);
    let ignored = key.legacy_name().filter(|_| meaning(ours) != meaning(legacy))?;
    Some(format!("{ignored} has no effect: {} is set too and wins", key.env_name()))
}
