//! Decides which submissions are equal: those of the same job type and the same code version whose parameters are equal
//! as JSON values. How the parameters are spelled does not matter; see [`crate::canonical`].

use std::fmt;

use sha2::{Digest, Sha256};

use crate::canonical::{BadJson, canonical};
use crate::ids::JobType;

/// Prefix that separates these hashes from all other hashes. It must change whenever the hashed content changes.
const DOMAIN: &[u8] = b"pilotlight job key 1\0";

/// A SHA-256 of everything that makes two submissions equal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey([u8; 32]);

/// Why parameters have no cache key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadParams {
    /// They are not valid, unambiguous JSON.
    #[error(transparent)]
    Json(#[from] BadJson),
    /// They are a string, a number, a boolean or null.
    #[error("is neither an object nor a list")]
    NotObjectOrList,
}

impl CacheKey {
    /// The key of a job with this type, this code version and these parameters (JSON).
    ///
    /// # Errors
    /// What is wrong with the parameters, as a fragment that fits after the field's name.
    pub fn of(job_type: &JobType, code_version: Option<&str>, input_json: &str) -> Result<Self, BadParams> {
        let input = canonical(input_json)?;
        if !input.starts_with(['{', '[']) {
            return Err(BadParams::NotObjectOrList);
        }
        let mut hash = Sha256::new_with_prefix(DOMAIN);
        add(&mut hash, job_type.as_str());
        hash.update([u8::from(code_version.is_some())]);
        add(&mut hash, code_version.unwrap_or_default());
        hash.update(input);
        Ok(Self(hash.finalize().into()))
    }

    /// A key from its stored bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The key's bytes, as they are stored.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// Writes the length before the text, so that no text can run into the next one.
fn add(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02x}{:02x}..", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(job_type: &str, code_version: Option<&str>, input: &str) -> Result<CacheKey, BadParams> {
        CacheKey::of(&JobType::parse(job_type).unwrap(), code_version, input)
    }

    #[test]
    fn equal_submissions_have_one_key() {
        let known = key("fold", Some("v1"), r#"{"a":1,"b":[1,2]}"#);
        for text in [r#" { "b" : [ 1.0, 2e0 ] , "a" : 1 } "#, r#"{"\u0061":10e-1,"b":[1,2.00]}"#] {
            assert_eq!(key("fold", Some("v1"), text), known, "{text}");
        }
    }

    #[test]
    fn different_submissions_have_different_keys() {
        let keys = [
            key("fold", None, "{}"),
            key("fold", Some(""), "{}"),
            key("fold", Some("v1"), "{}"),
            key("fol", Some("dv1"), "{}"),
            key("foldv1", None, "{}"),
            key("fold", None, "[]"),
            key("fold", None, r#"{"a":[1,2]}"#),
            key("fold", None, r#"{"a":[2,1]}"#),
            key("fold", None, r#"{"a":"1"}"#),
            key("fold", None, r#"{"a":null}"#),
        ];
        for (at, one) in keys.iter().enumerate() {
            assert!(one.is_ok(), "{at}");
            assert!(keys[..at].iter().all(|other| other != one), "{at}");
        }
    }

    /// Stored keys outlive the program, so what is hashed may only change together with [`DOMAIN`].
    #[test]
    fn a_key_never_changes() {
        let key = key("hello_world", Some("v1"), r#"{"name":"é","n":1e400}"#).unwrap();
        let hex: String = key.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "9722bef021ab67cbd4e875ef6e0d5421050e7b75afda1d3d059724f0ad240fe4");
    }

    #[test]
    fn parameters_are_an_object_or_a_list() {
        for input in ["1", "null", "true", "\"{}\"", "#1e1"] {
            assert!(key("fold", None, input).is_err(), "{input}");
        }
        assert_eq!(key("fold", None, "1e400"), Err(BadParams::NotObjectOrList));
        assert_eq!(key("fold", None, "{"), Err(BadParams::Json(BadJson::NotJson { at: 1 })));
    }
}
