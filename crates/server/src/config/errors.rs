//! Configuration errors: each names the origin, the key, the value and what is allowed.
//!
//! This module must never print a secret and never end the process.

use std::fmt;

use thiserror::Error;

use crate::config::key::QualifiedKey;
use crate::config::origin::Origin;

/// Longer values are truncated, so that each error fits on one line.
const MAX_PRINTED_CHARS: usize = 60;

/// All errors of a configuration, printed together, one line each. The caller is expected to exit with code 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub(super) Vec<ConfigError>);

impl std::error::Error for ConfigErrors {}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0.len() == 1 { "" } else { "s" };
        write!(f, "use the configuration: {} mistake{plural}", self.0.len())?;
        self.0.iter().try_for_each(|error| write!(f, "\n  {error}"))
    }
}

/// One error and the place (flag, file line or variable) that caused it.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{origin}: {problem}")]
pub(super) struct ConfigError {
    pub(super) origin: Origin,
    pub(super) problem: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Problem {
    #[error("{key} is `{shown}`; allowed: {allowed}")]
    Value { key: String, shown: String, allowed: String },
    #[error("{key} is not UTF-8 text; allowed: {allowed}")]
    NotText { key: &'static str, allowed: String },
    #[error("`{name}` is not known{}", did_you_mean(.suggestion))]
    Unknown { name: String, suggestion: Option<String> },
    #[error("`{name}` is a section; write its keys below `[{name}]`")]
    Section { name: String },
    #[error("`{name}` is not a job type: it {why}")]
    BadType { name: String, why: String },
    #[error("{key} needs {other}; set both")]
    Needs { key: String, other: &'static str },
    #[error("not TOML: {0}")]
    Syntax(String),
    /// The text includes the cause, because a list of errors has no single `source()`.
    #[error("cannot read {path}: {reason}")]
    File { path: String, reason: String },
}

impl Problem {
    pub(super) fn at(self, origin: Origin) -> ConfigError {
        let problem = self;
        ConfigError { origin, problem }
    }

    /// The error for `key` set to `text` where only `allowed` is accepted.
    pub(super) fn value(key: &QualifiedKey, text: &str, allowed: String) -> Self {
        Self::Value { key: key.to_string(), shown: key.spec.redact(one_line(text)), allowed }
    }
}

/// The suffix of an error about an unknown name; empty without a suggestion.
pub(super) fn did_you_mean(suggestion: &Option<String>) -> String {
    suggestion.as_ref().map_or_else(String::new, |suggestion| format!("; did you mean {suggestion}?"))
}

/// `text` truncated to [`MAX_PRINTED_CHARS`], with line breaks and other control characters replaced by spaces.
pub(super) fn one_line(text: &str) -> String {
    let cut = if text.chars().nth(MAX_PRINTED_CHARS).is_some() { "…" } else { "" };
    let shown: String = text.chars().take(MAX_PRINTED_CHARS).collect();
    shown.replace(char::is_control, " ") + cut
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::key::KeySpec;
    use crate::config::value_type::ValueType;

    #[test]
    fn a_secret_is_redacted_and_a_long_value_is_truncated_to_one_line() {
        const KEY: KeySpec = KeySpec::new("server.key", "0", ValueType::Port, "");
        const SECRET: KeySpec = KEY.secret();
        let text =
            Problem::value(&(&KEY).into(), &format!("a\n{}", "é".repeat(100)), "b".to_owned()).to_string();
        assert_eq!(text, format!("server.key is `a {}…`; allowed: b", "é".repeat(58)));
        let text = Problem::value(&(&SECRET).into(), "hunter2", "b".to_owned()).to_string();
        assert_eq!(text, "server.key is `••••••`; allowed: b");
    }
}
