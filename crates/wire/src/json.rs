//! Parses JSON into typed values. The error names the position and the field, and never a value: values may be payloads
//! or keys.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

/// Most characters of a field's path in an error; names of unknown fields are the sender's.
const MAX_PATH_CHARS: usize = 100;

/// The text is not JSON, or not of the expected type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct InvalidJson {
    /// The path of the field, such as `jobs[3].status`; `None` when the whole text is meant.
    pub field: Option<String>,
    line: usize,
    column: usize,
}

impl fmt::Display for InvalidJson {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "line {} column {}", self.line, self.column)?;
        self.field.as_ref().map_or(Ok(()), |field| write!(out, " (field {field})"))
    }
}

/// Parses the whole text.
///
/// # Errors
/// [`InvalidJson`] names the first field that is wrong.
pub fn from_slice<T: DeserializeOwned>(text: &[u8]) -> Result<T, InvalidJson> {
    let mut parser = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut parser).map_err(|error| {
        let path = error.path();
        let has_name = path.iter().any(|segment| !matches!(segment, Segment::Unknown));
        let field = has_name.then(|| printable(&path.to_string()));
        invalid(field, error.inner())
    })?;
    parser.end().map_err(|error| invalid(None, &error))?;
    Ok(value)
}

fn invalid(field: Option<String>, error: &serde_json::Error) -> InvalidJson {
    InvalidJson { field, line: error.line(), column: error.column() }
}

fn printable(path: &str) -> String {
    path.chars().filter(|letter| !letter.is_control()).take(MAX_PATH_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use crate::admin::RetireRequest;
    use crate::object::Object;

    use super::*;

    #[test]
    fn an_error_names_the_position_and_the_field_and_no_value() {
        for (text, error) in [
            ("{", "line 1 column 1"),
            ("{} x", "line 1 column 4"),
            ("\"secret\"", "line 1 column 8"),
            ("[]", "line 1 column 0"),
            (r#"{"for_ms": "secret"}"#, "line 1 column 19 (field for_ms)"),
            ("{\n\"runner\": 5}", "line 2 column 11 (field runner)"),
            (r#"{"other": "secret"}"#, "line 1 column 8 (field other)"),
        ] {
            let parsed = from_slice::<Object<RetireRequest>>(text.as_bytes());
            assert_eq!(parsed.map(|_| ()).unwrap_err().to_string(), error, "{text}");
        }
        assert!(from_slice::<Object<RetireRequest>>(b" {\"for_ms\": 5} ").is_ok());
        let long = format!("{{\"{}\": 1}}", "x".repeat(1000));
        let error = from_slice::<Object<RetireRequest>>(long.as_bytes()).unwrap_err();
        assert_eq!(error.field.unwrap().len(), MAX_PATH_CHARS);
    }
}
