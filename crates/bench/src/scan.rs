//! Substring searches instead of parsing. They check nothing, so they are only for bytes that the bench wrote itself,
//! and for responses of the service, which other tests check.

use memchr::{memchr, memmem};

/// The value of the `content-length` header, which must be spelled in lower case as the bench does.
pub(crate) fn content_length(head: &[u8]) -> Option<usize> {
    let digits = between(head, b"content-length: ", b'\r')?;
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + usize::from(digit - b'0')))
}

/// The bytes between `start` and the next `end` byte.
pub(crate) fn between<'a>(bytes: &'a [u8], start: &[u8], end: u8) -> Option<&'a [u8]> {
    let rest = after(bytes, start)?;
    Some(&rest[..memchr(end, rest)?])
}

/// The bytes after `mark`.
pub(crate) fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    Some(&bytes[memmem::find(bytes, mark)? + mark.len()..])
}
