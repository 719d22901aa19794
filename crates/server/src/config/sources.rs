//! What the sources of a configuration (the file and the environment) give for each key, and the errors and warnings
//! about them.
//!
//! It decides that later entries win, and that a single error makes the whole configuration invalid. It never stops at
//! the first error: all errors are collected.

use crate::config::errors::{ConfigError, ConfigErrors, Problem};
use crate::config::key::QualifiedKey;
use crate::config::origin::Origin;
use crate::config::resolved::Resolved;
use crate::config::value_type::Value;

/// The entries of all sources, in the order in which they apply: later entries win.
#[derive(Default)]
pub(super) struct ParsedSources {
    entries: Vec<Entry>,
    errors: Vec<ConfigError>,
    pub(super) warnings: Vec<String>,
}

/// One source's value for a key, or why it cannot be read.
pub(super) type ParsedEntry = Result<Entry, ConfigError>;

/// The text that one source gives for one key, not parsed yet.
pub(super) struct Entry {
    pub(super) key: QualifiedKey,
    pub(super) text: String,
    pub(super) origin: Origin,
}

impl ParsedSources {
    pub(super) fn add(&mut self, parsed: ParsedEntry) {
        match parsed {
            Ok(entry) => self.entries.push(entry),
            Err(error) => self.errors.push(error),
        }
    }

    /// Resolves every key, and returns the warnings with the result.
    ///
    /// # Errors
    /// All errors together: those of the sources, and values that are not allowed.
    pub(super) fn resolve(mut self) -> Result<(Resolved, Vec<String>), ConfigErrors> {
        let mut resolved = Resolved::defaults();
        for entry in self.entries {
            match entry.value() {
                Some(value) => resolved.set(entry.key, value, entry.origin),
                None => {
                    let allowed = entry.key.spec.value_type.to_string();
                    self.errors.push(entry.not_allowed(allowed));
                }
            }
        }
        if !self.errors.is_empty() {
            self.errors.sort_by(|a, b| a.origin.cmp(&b.origin));
            return Err(ConfigErrors(self.errors));
        }
        Ok((resolved, self.warnings))
    }
}

impl Entry {
    /// The parsed value, or `None` when the text is not allowed.
    pub(super) fn value(&self) -> Option<Value> {
        self.key.spec.value_type.parse(&self.text)
    }

    /// The error for this text where only `allowed` is accepted.
    pub(super) fn not_allowed(&self, allowed: String) -> ConfigError {
        Problem::value(&self.key, &self.text, allowed).at(self.origin.clone())
    }
}
