//! Reads and checks single fields of a JSON request body. Every error names the field and never repeats its value. A
//! field that is `null` counts as missing.

use std::fmt;
use std::ops::RangeInclusive;

use pilotlight_core::limits::{ID_BYTES, JSON_DEPTH};
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use crate::http::error::ApiError;

/// The largest whole number that every JSON parser represents exactly, as a double: 2^53 - 1.
pub(crate) const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// A field of a request body: its name and its raw JSON value, if it was sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field<'a> {
    name: &'static str,
    raw: Option<&'a RawValue>,
}

impl<'a> Field<'a> {
    /// A field with this name and value.
    #[must_use]
    pub(crate) const fn new(name: &'static str, raw: Option<&'a RawValue>) -> Self {
        Self { name, raw }
    }

    /// The error for a required field that is missing.
    #[must_use]
    pub(crate) fn missing(self) -> ApiError {
        self.invalid("is missing")
    }

    /// The error for a field whose value is not acceptable.
    pub(crate) fn invalid(self, why: impl fmt::Display) -> ApiError {
        ApiError::bad_request(format!("{} {why}", self.name))
    }

    /// A string that can be stored.
    ///
    /// # Errors
    /// The value is not a string, or has a character that cannot be stored.
    pub(crate) fn text(self) -> Result<Option<String>, ApiError> {
        self.raw.map(|raw| text(raw).map_err(|why| self.invalid(why))).transpose()
    }

    /// A name: a string that is not empty and has at most [`ID_BYTES`] bytes.
    ///
    /// # Errors
    /// The value is not such a string.
    pub(crate) fn name(self) -> Result<Option<String>, ApiError> {
        self.raw.map(|raw| name(raw).map_err(|why| self.invalid(why))).transpose()
    }

    /// The output of a program, at most `at_most` bytes. Invalid characters, and those that cannot be stored, become
    /// U+FFFD: a job must not lose its result because its output is not valid text.
    ///
    /// # Errors
    /// The value is not a string, or is too long.
    pub(crate) fn lossy_text(self, at_most: usize) -> Result<Option<String>, ApiError> {
        let Some(raw) = self.raw else { return Ok(None) };
        let Ok(LossyText(lossy_text)) = serde_json::from_str(raw.get()) else {
            return Err(self.invalid(NOT_TEXT));
        };
        if lossy_text.len() > at_most {
            return Err(self.too_long(at_most));
        }
        Ok(Some(lossy_text))
    }

    /// A whole number in this range.
    ///
    /// # Errors
    /// The value is not a whole number, or is outside the range.
    pub(crate) fn integer(self, range: RangeInclusive<u64>) -> Result<Option<u64>, ApiError> {
        let Some(raw) = self.raw else { return Ok(None) };
        match raw.get().parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            Ok(_) | Err(_) => {
                let (first, last) = (range.start(), range.end());
                Err(self.invalid(format_args!("is not a whole number from {first} to {last}")))
            }
        }
    }

    /// A signed whole number of 32 bits.
    ///
    /// # Errors
    /// The value is not such a number.
    pub(crate) fn int32(self) -> Result<Option<i32>, ApiError> {
        let Some(raw) = self.raw else { return Ok(None) };
        let (first, last) = (i32::MIN, i32::MAX);
        let number = raw.get().parse();
        number
            .map(Some)
            .map_err(|_| self.invalid(format_args!("is not a whole number from {first} to {last}")))
    }

    /// A boolean.
    ///
    /// # Errors
    /// The value is neither `true` nor `false`.
    pub(crate) fn boolean(self) -> Result<Option<bool>, ApiError> {
        match self.raw.map(RawValue::get) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(self.invalid("is neither true nor false")),
        }
    }

    /// An object or an array, byte for byte as it was sent. It has at most `at_most` bytes, not counting white space.
    ///
    /// # Errors
    /// The value is neither, is too long, or is nested deeper than most JSON parsers accept.
    pub(crate) fn object(self, at_most: usize) -> Result<Option<&'a str>, ApiError> {
        let Some(text) = self.raw.map(RawValue::get) else { return Ok(None) };
        if !text.starts_with(['{', '[']) {
            return Err(self.invalid("is not an object"));
        }
        let JsonSize { bytes, depth } = JsonSize::of(text);
        if bytes > at_most {
            return Err(self.too_long(at_most));
        }
        if depth > JSON_DEPTH {
            return Err(self.invalid(format_args!("is nested deeper than {JSON_DEPTH} levels")));
        }
        Ok(Some(text))
    }

    /// A list of at most `at_most` names.
    ///
    /// # Errors
    /// The value is not a list, is too long, or has an entry that is not a name.
    pub(crate) fn names(self, at_most: usize) -> Result<Option<Vec<String>>, ApiError> {
        let Some(raw) = self.raw else { return Ok(None) };
        let list: Vec<&RawValue> =
            serde_json::from_str(raw.get()).map_err(|_| self.invalid("is not a list of strings"))?;
        if list.len() > at_most {
            return Err(self.invalid(format_args!("has more than {at_most} entries")));
        }
        let names: Result<_, _> = list.into_iter().map(name).collect();
        names.map(Some).map_err(|why| self.invalid(format_args!("has an entry that {why}")))
    }

    fn too_long(self, at_most: usize) -> ApiError {
        self.invalid(format_args!("is longer than {at_most} bytes"))
    }
}

const NOT_TEXT: &str = "is not a string";

const UNPAIRED_SURROGATE: &str =
    "has half of a character (a `\\u` escape from d800 to dfff without the other half)";

fn text(raw: &RawValue) -> Result<String, &'static str> {
    if !raw.get().starts_with('"') {
        return Err(NOT_TEXT);
    }
    let text: String = serde_json::from_str(raw.get()).map_err(|_| UNPAIRED_SURROGATE)?;
    if text.contains('\0') { Err("has the character U+0000, which cannot be stored") } else { Ok(text) }
}

fn name(raw: &RawValue) -> Result<String, String> {
    let name = text(raw)?;
    if name.trim().is_empty() {
        return Err("is empty".to_owned());
    }
    if name.len() > ID_BYTES {
        return Err(format!("is longer than {ID_BYTES} bytes"));
    }
    Ok(name)
}

/// A string that is deserialized as bytes, because serde accepts unpaired surrogates (`\ud800`) only there.
struct LossyText(String);

impl<'de> Deserialize<'de> for LossyText {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_bytes(LossyTextVisitor).map(Self)
    }
}

struct LossyTextVisitor;

impl Visitor<'_> for LossyTextVisitor {
    type Value = String;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a string")
    }

    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<String, E> {
        let text = String::from_utf8_lossy(bytes);
        Ok(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.into_owned() })
    }
}

/// The size of a JSON value.
struct JsonSize {
    /// Bytes, not counting white space between tokens.
    bytes: usize,
    /// How deep objects and arrays are nested.
    depth: usize,
}

impl JsonSize {
    /// Measures `json`, which must be valid JSON.
    fn of(json: &str) -> Self {
        let (mut size, mut depth) = (Self { bytes: 0, depth: 0 }, 0_usize);
        let (mut in_text, mut is_escaped) = (false, false);
        for byte in json.bytes() {
            if in_text {
                in_text = byte != b'"' || is_escaped;
                is_escaped = byte == b'\\' && !is_escaped;
                size.bytes += 1;
                continue;
            }
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => continue,
                b'"' => in_text = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            size.bytes += 1;
            size.depth = size.depth.max(depth);
        }
        size
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.into()).unwrap()
    }

    fn result_text<T: fmt::Debug>(got: Result<T, ApiError>) -> String {
        got.map_or_else(ApiError::into_text, |got| format!("{got:?}"))
    }

    #[test]
    fn integers_are_plain_digits_within_their_range() {
        let integer = |json| result_text(Field::new("steps", Some(&raw(json))).integer(0..=MAX_SAFE_INTEGER));
        assert_eq!(integer("0"), "Some(0)");
        assert_eq!(integer("9007199254740991"), "Some(9007199254740991)");
        for json in ["-1", "-0", "1.0", "1e3", "9007199254740992", "1e999", "\"1\"", "true", "[]", "{}"] {
            assert_eq!(integer(json), "steps is not a whole number from 0 to 9007199254740991", "{json}");
        }
    }

    #[test]
    fn the_error_names_the_field_and_never_its_value() {
        let secret = raw("\"secret\"");
        let field = Field::new("field", Some(&secret));
        for (got, sentence) in [
            (result_text(field.int32()), "field is not a whole number from -2147483648 to 2147483647"),
            (result_text(field.boolean()), "field is neither true nor false"),
            (result_text(field.object(10)), "field is not an object"),
            (result_text(field.names(10)), "field is not a list of strings"),
            (result_text(field.lossy_text(5)), "field is longer than 5 bytes"),
        ] {
            assert_eq!(got, sentence);
        }
        assert_eq!(result_text(Field::new("field", Some(&raw("1"))).text()), "field is not a string");
        assert_eq!(result_text(Field::new("field", Some(&raw("1"))).lossy_text(9)), "field is not a string");
        assert_eq!(
            result_text(Field::new("field", Some(&raw("[1]"))).lossy_text(9)),
            "field is not a string"
        );
        let list = raw(r#"["a", 1]"#);
        assert_eq!(
            result_text(Field::new("field", Some(&list)).names(9)),
            "field has an entry that is not a string"
        );
    }

    #[test]
    fn names_must_be_valid_text_and_lossy_text_is_repaired() {
        let half = raw(r#""a\ud800b""#);
        let error = result_text(Field::new("name", Some(&half)).name());
        assert_eq!(error, format!("name {UNPAIRED_SURROGATE}"));
        assert_eq!(
            result_text(Field::new("prose", Some(&half)).lossy_text(99)),
            "Some(\"a\u{fffd}\u{fffd}\u{fffd}b\")"
        );
        let null = raw(r#""a\u0000b""#);
        assert!(result_text(Field::new("name", Some(&null)).name()).contains("U+0000"));
        assert_eq!(result_text(Field::new("prose", Some(&null)).lossy_text(99)), "Some(\"a\u{fffd}b\")");
        assert_eq!(result_text(Field::new("name", Some(&raw("\" \""))).name()), "name is empty");
    }

    #[test]
    fn white_space_between_tokens_does_not_count() {
        let JsonSize { bytes, depth } = JsonSize::of("{ \"a b\\\" c\" :\n[ 1,\t{} ] }");
        assert_eq!((bytes, depth), (r#"{"a b\" c":[1,{}]}"#.len(), 3));
        let deep = |levels| raw(&format!("{}{}", "[".repeat(levels), "]".repeat(levels)));
        assert!(Field::new("it", Some(&deep(JSON_DEPTH))).object(1000).is_ok());
        assert!(Field::new("it", Some(&deep(JSON_DEPTH + 1))).object(1000).is_err());
    }
}
