//! Hashes of keys and cookies. Only the hash of a secret is stored and compared.

use sha2::{Digest, Sha256};

/// The SHA-256 hash of a key.
pub(super) type KeyHash = [u8; 32];

/// The hash of this text.
pub(super) fn hash(text: impl AsRef<[u8]>) -> KeyHash {
    Sha256::digest(text).into()
}
