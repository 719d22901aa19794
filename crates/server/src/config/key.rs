//! A row of a table of keys: name, value type, default and help text; and how the values of keys fill the fields of the
//! configuration.
//!
//! It never knows which keys exist, nor where values come from.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::config::value_type::{Value, ValueType};

/// The prefix of all our environment variables.
pub(super) const ENV_PREFIX: &str = "PILOTLIGHT_";

/// The variable with the path of the configuration file.
pub(super) const ENV_CONFIG: &str = "PILOTLIGHT_CONFIG";

/// The variable with the service's URL, read by the commands that call a service.
pub const ENV_URL: &str = "PILOTLIGHT_URL";

/// The variable with the API key that these commands send.
pub const ENV_KEY: &str = "PILOTLIGHT_KEY";

/// The variable with the path of a file that contains this API key.
pub const ENV_KEY_FILE: &str = "PILOTLIGHT_KEY_FILE";

/// The section of the file that has one table per job type.
pub(super) const JOB_TYPES_SECTION: &str = "jobs.types";

/// Our environment variables that are not keys of the table.
pub(super) const ENV_NON_KEYS: [&str; 4] = [ENV_CONFIG, ENV_URL, ENV_KEY, ENV_KEY_FILE];

/// One row of the table of known keys.
#[derive(Debug)]
pub(super) struct KeySpec {
    /// `section.key`; the value is stored in the field of the same path in `Config`.
    pub(super) name: &'static str,
    /// The default value as a user would write it.
    pub(super) default: &'static str,
    pub(super) value_type: ValueType,
    /// The help text: a phrase in Markdown, without a full stop.
    pub(super) help: &'static str,
    pub(super) legacy: Option<Legacy>,
    /// Whether the value is a secret, printed as dots everywhere.
    pub(super) secret: bool,
}

/// A key by its full name: a row of the table, or a row of the table of job type keys together with the job type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QualifiedKey {
    pub(super) spec: &'static KeySpec,
    job_type: Option<String>,
}

impl QualifiedKey {
    pub(super) const fn of_type(key: &'static KeySpec, job_type: String) -> Self {
        Self { spec: key, job_type: Some(job_type) }
    }

    pub(super) fn job_type(&self) -> Option<&str> {
        self.job_type.as_deref()
    }

    /// The path of the key's field in `Config`.
    pub(super) fn path(&self) -> Vec<&str> {
        let before = self.job_type().map(|name| ["jobs", "types", name]);
        before.into_iter().flatten().chain(self.spec.name.split('.')).collect()
    }
}

impl From<&'static KeySpec> for QualifiedKey {
    fn from(key: &'static KeySpec) -> Self {
        Self { spec: key, job_type: None }
    }
}

/// The full key as a user would write it in the file.
impl fmt::Display for QualifiedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(job_type) = self.job_type() else { return f.write_str(self.spec.name) };
        let is_bare = job_type.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
        let quote = if is_bare { "" } else { "\"" };
        write!(f, "{JOB_TYPES_SECTION}.{quote}{job_type}{quote}.{}", self.spec.name)
    }
}

/// Rows are compared by name: names are unique within a table.
impl PartialEq for KeySpec {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for KeySpec {}

/// An environment variable that users know from the systems that Pilotlight replaces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Legacy {
    pub(super) name: &'static str,
    /// For a switch (an on/off variable), the key's value when it is on; `None` for a variable that takes a value.
    pub(super) switch: Option<&'static str>,
}

impl KeySpec {
    pub(super) const fn new(
        name: &'static str,
        default: &'static str,
        value_type: ValueType,
        help: &'static str,
    ) -> Self {
        Self { name, default, value_type, help, legacy: None, secret: false }
    }

    /// Adds the legacy variable `name`, which accepts the same values as the key.
    pub(super) const fn legacy(mut self, name: &'static str) -> Self {
        self.legacy = Some(Legacy { name, switch: None });
        self
    }

    /// Adds the legacy switch `name`: `true` or `1` sets the key to `on`; `false` or `0` counts as not set.
    pub(super) const fn legacy_switch(mut self, name: &'static str, on: &'static str) -> Self {
        self.legacy = Some(Legacy { name, switch: Some(on) });
        self
    }

    /// Marks the value as secret: it is never printed, and it may be read from a separate file.
    pub(super) const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    pub(super) fn env_name(&self) -> String {
        format!("{ENV_PREFIX}{}", self.name.replace('.', "_").to_uppercase())
    }

    /// For a secret, the name of the companion setting with the path of the secret's file: `name_file` for a key in the
    /// TOML file, `NAME_FILE` for a variable. `None` if the key is not secret.
    pub(super) fn secret_file_name(&self, name: &str) -> Option<String> {
        let is_variable = name.bytes().any(|byte| byte.is_ascii_uppercase());
        let suffix = if is_variable { "_FILE" } else { "_file" };
        self.secret.then(|| format!("{name}{suffix}"))
    }

    pub(super) fn legacy_name(&self) -> Option<&'static str> {
        self.legacy.map(|legacy| legacy.name)
    }

    /// The variables that set the key: ours, then the legacy one.
    pub(super) fn env_names(&self) -> impl Iterator<Item = String> {
        [Some(self.env_name()), self.legacy_name().map(str::to_owned)].into_iter().flatten()
    }

    pub(super) fn default_value(&self) -> Value {
        self.value_type.parse(self.default).expect("a test parses the default of every row")
    }

    /// `text`, or dots if the key is secret.
    pub(super) fn redact(&self, text: String) -> String {
        if self.secret && !text.is_empty() && text != "none" { "••••••".to_owned() } else { text }
    }
}

/// The struct of `section` with the default of every key; `rows` are the section's keys.
pub(super) fn defaults<S: DeserializeOwned>(
    section: &str,
    rows: impl IntoIterator<Item = &'static KeySpec>,
) -> S {
    let mut tree = tree(rows.into_iter().map(|key| (QualifiedKey::from(key), key.default_value())));
    into_fields(tree[section].take())
}

/// Nests values by the path of their keys, so that serde can fill the field of each key.
pub(super) fn tree(values: impl Iterator<Item = (QualifiedKey, Value)>) -> Json {
    let mut root = json!({});
    for (key, value) in values {
        *key.path().into_iter().fold(&mut root, |node, part| &mut node[part]) = value.field;
    }
    root
}

/// Fills the struct of one section, or the whole `Config`, from a tree of values.
pub(super) fn into_fields<S: DeserializeOwned>(tree: Json) -> S {
    serde_json::from_value(tree).expect("tests fill every field from the row of its name")
}
