//! Reads a secret from a file of its own, as orchestrators mount them: `PILOTLIGHT_AUTH_ADMIN_KEYS_FILE` names one, and
//! `admin_keys_file` in the configuration file. It never says what is in it.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::errors::Problem;
use super::key::QualifiedKey;
use super::load::{Entry, ParsedEntry};
use super::resolved::Origin;

/// A list of keys is a page of text; what is larger was named by accident.
const MAX_BYTES: u64 = 64 * 1024;

/// What the file at `path` says for the key.
pub(super) fn read_entry(key: QualifiedKey, path: &Path, origin: Origin) -> ParsedEntry {
    match read_secret(path) {
        Ok(text) => Ok(Entry { key, text, origin }),
        Err(reason) => Err(Problem::File { path: path.display().to_string(), reason }.at(origin)),
    }
}

/// The secret in the file at `path`.
///
/// # Errors
/// Why there is none, without a word of what is in the file.
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
