//! `log.*`: what is written to the log, and in which shape.

use std::path::PathBuf;

use serde::Deserialize;

use super::key::{self, KeySpec};
use super::value_type::ValueType;

/// What is written to the log, and in which shape.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The least important line that is still written.
    pub level: LogLevel,
    /// The shape of a line.
    pub format: LogFormat,
    /// Where a line is written for every offer.
    pub offers: OfferLogTarget,
}

/// Where a line is written for every offer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Option<String>")]
pub enum OfferLogTarget {
    /// Nowhere.
    None,
    /// To stdout.
    Stdout,
    /// To the end of this file.
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

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// A person must look.
    Error,
    /// The process is coping.
    Warn,
    /// A change users care about.
    Info,
    /// Steps, for people who look for a cause.
    Debug,
    /// Everything.
    Trace,
}

/// The shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl Default for LogConfig {
    fn default() -> Self {
        key::defaults("log")
    }
}

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "log.level",
        "info",
        ValueType::OneOf(&["error", "warn", "info", "debug", "trace"]),
        "the least important line that is still written",
    )
    .legacy_switch("DEBUG_LOGGING", "debug"),
    KeySpec::new(
        "log.format",
        "text",
        ValueType::OneOf(&["text", "json"]),
        "the shape of a line: `text` for people, `json` for machines",
    ),
    KeySpec::new(
        "log.offers",
        "none",
        ValueType::NoneOrStdoutOrPath,
        "where a line of JSON is written for every offer; a file is opened again on SIGHUP or when it was moved",
    ),
];
