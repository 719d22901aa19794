//! Reads a secret from a separate file, as orchestrators mount them.
//!
//! `PILOTLIGHT_AUTH_ADMIN_KEYS_FILE`, or `admin_keys_file` in the configuration file, names such a file. This module
//! must never print the file's content.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::config::errors::Problem;
use crate::config::key::QualifiedKey;
use crate::config::origin::Origin;
use crate::config::sources::{Entry, ParsedEntry};

/// A list of keys is about a page of text; a larger file was named by accident.
const MAX_BYTES: u64 = 64 * 1024;

/// The content of the file at `path` as the text of `key`.
pub(super) fn read_entry(key: QualifiedKey, path: &Path, origin: Origin) -> ParsedEntry {
    match read_secret(path) {
        Ok(text) => Ok(Entry { key, text, origin }),
        Err(reason) => Err(Problem::File { path: path.display().to_string(), reason }.at(origin)),
    }
}

/// Reads the secret in the file at `path`, without surrounding whitespace.
///
/// # Errors
/// The reason as text: the file cannot be read, is not UTF-8, is empty or is too large. It has none of the file's
/// content.
pub fn read_secret(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    let length = file.take(MAX_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    match (length as u64, text.trim()) {
        (_, "") => Err("it is empty".to_owned()),
        (..=MAX_BYTES, secret) => Ok(secret.to_owned()),
        (_, _) => Err("it is larger than 64 KiB, which no secret is".to_owned()),
    }
}
