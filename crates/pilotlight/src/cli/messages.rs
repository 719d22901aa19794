//! Messages for people: they go to stderr, whose reader may close it at any time. That is not a failure.

use std::fmt::Display;
use std::io::{Write, stderr};

/// Writes a line for people to stderr.
pub(super) fn note(text: impl Display) {
    write(&format!("{text}\n"));
}

/// Writes a part of a message to stderr, without a line break.
pub(super) fn write(text: &str) {
    _ = stderr().lock().write_all(text.as_bytes());
}
