//! Substring searches in place of parsing, for bytes that were written by the bench itself or are checked elsewhere.

use memchr::{memchr, memmem};

/// The request's own word for the length of its body, spelled as the bench spells it.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    let digits = between(head, b"content-length: ", b'\r')?;
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}

/// What stands between a mark and the next such byte.
pub(crate) fn between<'a>(bytes: &'a [u8], start: &[u8], end: u8) -> Option<&'a [u8]> {
    let rest = after(bytes, start)?;
    Some(&rest[..memchr(end, rest)?])
}

/// What stands behind a mark.
pub(crate) fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    Some(&bytes[memmem::find(bytes, mark)? + mark.len()..])
}
