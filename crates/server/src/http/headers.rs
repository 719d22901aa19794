//! Reads headers, and builds the errors about them. Parts of a request are validated where they are read, once.

use hyper::header::{HeaderMap, HeaderValue};
use pilotlight_core::trace_context::{self, TraceParent};

use crate::http::error::ApiError;

/// The headers of a request, whether hyper or the fast path parsed them.
pub trait Headers {
    /// All values of the header with this name, which is in lower case.
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]>;
}

impl Headers for HeaderMap {
    fn values<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.get_all(name).iter().map(HeaderValue::as_bytes)
    }
}

/// The caller's trace context, when there is exactly one valid `traceparent` header (`docs/protocols/traces.md`).
pub(crate) fn trace_parent(headers: &impl Headers) -> Option<TraceParent> {
    let mut values = headers.values(trace_context::HEADER);
    let value = values.next().filter(|_| values.next().is_none())?;
    TraceParent::parse(value)
}

pub(crate) fn required<'a>(headers: &'a impl Headers, name: &'static str) -> Result<&'a str, ApiError> {
    optional(headers, name)?.ok_or_else(|| invalid(name, "is missing"))
}

pub(crate) fn optional<'a>(
    headers: &'a impl Headers,
    name: &'static str,
) -> Result<Option<&'a str>, ApiError> {
    let mut values = headers.values(name);
    let value = values.next();
    if values.next().is_some() {
        return Err(invalid(name, "is given twice"));
    }
    value.map(|value| ascii(value).ok_or_else(|| invalid(name, "is not printable ASCII"))).transpose()
}

fn ascii(value: &[u8]) -> Option<&str> {
    let printable = value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
    printable.then(|| std::str::from_utf8(value).ok())?
}

pub(crate) fn invalid(what: &str, why: impl std::fmt::Display) -> ApiError {
    ApiError::bad_request(format!("{what} {why}"))
}

/// Converts a number to `usize`; a larger one becomes `usize::MAX`.
pub(crate) fn saturating_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
