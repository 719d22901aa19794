//! The resolved value of every key and its origin, for `pilotlight config`.
//!
//! It never decides a value: `load` sets them.

use std::fmt;

use serde_json::{Value as Json, json};

use crate::config::errors::{ConfigError, Problem};
use crate::config::job_types;
use crate::config::key::QualifiedKey;
use crate::config::origin::Origin;
use crate::config::sections::keys;
use crate::config::value_type::Value;

/// Every key with its value and its origin, in the order of the table of known keys.
#[derive(Debug, Clone)]
pub struct Resolved(Vec<Setting>);

#[derive(Debug, Clone)]
struct Setting {
    key: QualifiedKey,
    value: Value,
    origin: Origin,
}

impl Resolved {
    pub(super) fn defaults() -> Self {
        Self(keys().map(Setting::default).collect())
    }

    pub(super) fn set(&mut self, key: QualifiedKey, value: Value, origin: Origin) {
        if let Some(job_type) = key.job_type()
            && !self.0.iter().any(|setting| setting.key == key)
        {
            let qualify = |spec| QualifiedKey::of_type(spec, job_type.to_owned());
            self.0.extend(job_types::KEYS.iter().map(qualify).map(Setting::default));
        }
        let setting = self.0.iter_mut().find(|setting| setting.key == key);
        *setting.expect("every key was added with its default") = Setting { key, value, origin };
    }

    pub(super) fn values(&self) -> impl Iterator<Item = (QualifiedKey, Value)> {
        self.0.iter().map(|setting| (setting.key.clone(), setting.value.clone()))
    }

    /// The error for `key` set without `other`.
    pub(super) fn missing_companion(&self, key: &'static str, other: &'static str) -> ConfigError {
        Problem::Needs { key: key.to_owned(), other }.at(self.origin(key))
    }

    /// The error for `key` of a job type set without `other`.
    pub(super) fn missing_companion_of_type(
        &self,
        job_type: &str,
        key: &str,
        other: &'static str,
    ) -> ConfigError {
        let matches =
            |candidate: &QualifiedKey| candidate.job_type() == Some(job_type) && candidate.spec.name == key;
        let setting =
            self.0.iter().find(|setting| matches(&setting.key)).expect("only a key that is set is reported");
        Problem::Needs { key: setting.key.to_string(), other }.at(setting.origin.clone())
    }

    fn origin(&self, key: &str) -> Origin {
        let matches = |candidate: &QualifiedKey| candidate.job_type().is_none() && candidate.spec.name == key;
        let setting = self.0.iter().find(|setting| matches(&setting.key));
        setting.map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// Each key with its printed value (dots for a secret) and its origin, in table order.
    pub fn iter(&self) -> impl Iterator<Item = (String, String, &Origin)> {
        self.0.iter().map(|setting| (setting.key.to_string(), setting.printed(), &setting.origin))
    }

    /// `{"server.port": {"value": 8080, "from": "default"}}`; durations are text such as `5m`, secrets are dots.
    pub fn to_json(&self) -> Json {
        let entry =
            |setting: &Setting| json!({ "value": setting.json(), "from": setting.origin.to_string() });
        self.0.iter().map(|setting| (setting.key.to_string(), entry(setting))).collect()
    }
}

impl Setting {
    fn default(key: impl Into<QualifiedKey>) -> Self {
        let key = key.into();
        Self { value: key.spec.default_value(), key, origin: Origin::Default }
    }

    fn printed(&self) -> String {
        self.key.spec.redact(self.value.text.clone())
    }

    fn json(&self) -> Json {
        let is_plain = self.value.field.is_number() && !self.key.spec.secret;
        if is_plain { self.value.field.clone() } else { json!(self.printed()) }
    }
}

/// An aligned table: key, value, origin. Every line ends with a line break.
impl fmt::Display for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key_width = self.iter().map(|(key, ..)| key.len()).max().unwrap_or(0);
        let value_width = self.iter().map(|(_, value, _)| value.chars().count()).max().unwrap_or(0);
        self.iter().try_for_each(|(key, value, origin)| {
            writeln!(f, "{key:key_width$}  {value:value_width$}  {origin}")
        })
    }
}
