//! `log.*`: what is written to the log, and in which format.

use std::path::PathBuf;

use serde::Deserialize;

use crate::config::key::{self, KeySpec};
use crate::config::value_type::ValueType;

/// What is written to the log, and in which format.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The least important level that is still written.
    pub level: LogLevel,
    /// The format of a log line.
    pub format: LogFormat,
    /// Where the offer log (one JSON line per offer) is written.
    pub offers: OfferLogTarget,
}

/// Where the offer log is written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<String>")]
pub enum OfferLogTarget {
    /// Nowhere.
    None,
    /// To stdout.
    Stdout,
    /// Appended to this file.
    File(PathBuf),
}

impl From<Option<String>> for OfferLogTarget {
    fn from(text: Option<String>) -> Self {
        match text.as_deref() {
            None => Self::None,
            Some("stdout") => Self::Stdout,
            Some(path) => Self::File(path.into()),
        }
    }
}

/// The level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// An operator must act.
    Error,
    /// A problem that the process handles by itself.
    Warn,
    /// A change users care about.
    Info,
    /// Single steps, for finding the cause of a problem.
    Debug,
    /// Everything.
    Trace,
}

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text for people.
    Text,
    /// One JSON object per line, for machines.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        key::defaults("log", KEYS)
    }
}

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "log.level",
        "info",
        ValueType::OneOf(&["error", "warn", "info", "debug", "trace"]),
        "the least important level that is still written",
    )
    .legacy_switch("DEBUG_LOGGING", "debug"),
    KeySpec::new(
        "log.format",
        "text",
        ValueType::OneOf(&["text", "json"]),
        "the format of a log line: `text` for people, `json` for machines",
    ),
    KeySpec::new(
        "log.offers",
        "none",
        ValueType::NoneOrStdoutOrPath,
        "where one line of JSON is written for every offer; a file is reopened on SIGHUP and when it was moved",
    ),
];
