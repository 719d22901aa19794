//! Hashes of a runner's reports. They show whether two reports are equal without storing the reports.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::canonical::canonical;

/// A SHA-256 of a report.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

/// The kind of content that was hashed. The hash includes it, so that content of one kind never equals content of
/// another kind. A change of what is hashed needs a new text in [`Fingerprint::of`].
#[derive(Clone, Copy)]
enum Kind {
    Canonical,
    Raw,
    Text,
}

impl Fingerprint {
    /// The fingerprint of a result (JSON). Equal values have equal fingerprints, however they are spelled. A text
    /// without a canonical form is compared byte for byte.
    #[must_use]
    pub fn of_json(text: &str) -> Self {
        match canonical(text) {
            Ok(form) => Self::of(Kind::Canonical, &form),
            Err(_) => Self::of(Kind::Raw, text),
        }
    }

    /// The fingerprint of a message, compared byte for byte.
    #[must_use]
    pub fn of_text(text: &str) -> Self {
        Self::of(Kind::Text, text)
    }

    fn of(kind: Kind, text: &str) -> Self {
        let domain: &[u8] = match kind {
            Kind::Canonical => b"pilotlight result 1 canonical\0",
            Kind::Raw => b"pilotlight result 1 raw\0",
            Kind::Text => b"pilotlight result 1 text\0",
        };
        Self(Sha256::new_with_prefix(domain).chain_update(text).finalize().into())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02x}{:02x}..", self.0[0], self.0[1])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_json_has_equal_fingerprints() {
        let fingerprint = Fingerprint::of_json(r#"{"a":1,"b":"x"}"#);
        assert_eq!(Fingerprint::of_json(r#" {"b":"\u0078","a":1.0} "#), fingerprint);
        assert_ne!(Fingerprint::of_json(r#"{"a":2,"b":"x"}"#), fingerprint);
    }

    #[test]
    fn json_without_canonical_form_is_compared_by_bytes() {
        let twice = r#"{"a":1,"a":1}"#;
        assert_eq!(Fingerprint::of_json(twice), Fingerprint::of_json(twice));
        assert_ne!(Fingerprint::of_json(twice), Fingerprint::of_json(r#"{"a":1, "a":1}"#));
        assert_ne!(Fingerprint::of_json(twice), Fingerprint::of_text(twice));
        assert_ne!(Fingerprint::of_json("1"), Fingerprint::of_text("1"));
    }
}
