//! Classifies a command's stdout as JSON. `core::command` decides what each class means for the job.

use pilotlight_core::command::StdoutContent;
use serde_json::value::RawValue;
use serde_json::{Deserializer, error::Category};

/// The class of the content, and the JSON value if the content is a valid result.
pub(super) fn read(bytes: &[u8]) -> (StdoutContent, Option<Box<RawValue>>) {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => return (StdoutContent::Binary { at: error.valid_up_to() }, None),
    };
    let mut values = Deserializer::from_str(text).into_iter::<Box<RawValue>>();
    let value = match values.next() {
        None => return (StdoutContent::Empty, None),
        Some(Err(error)) if error.classify() == Category::Eof => {
            return (StdoutContent::Truncated { bytes: text.trim_end().len() }, None);
        }
        Some(Err(error)) => return (StdoutContent::NotJson { at: byte_offset(text, &error) }, None),
        Some(Ok(value)) => value,
    };
    let end = values.byte_offset();
    let rest = &text[end..];
    if !rest.trim_ascii().is_empty() {
        return (
            StdoutContent::MultipleValues { at: end + rest.len() - rest.trim_ascii_start().len() },
            None,
        );
    }
    if !value.get().starts_with(['{', '[']) {
        return (StdoutContent::Scalar, None);
    }
    (StdoutContent::Result, Some(value))
}

/// The byte offset of a parse error; serde counts lines and columns from 1.
fn byte_offset(text: &str, error: &serde_json::Error) -> usize {
    let before: usize = text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    before + error.column().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_object_or_list_is_a_result() {
        for (bytes, stdout) in [
            (&b" {\"a\": 1.0}\n"[..], StdoutContent::Result),
            (b"[]", StdoutContent::Result),
            (b"", StdoutContent::Empty),
            (b" \n", StdoutContent::Empty),
            (b"1", StdoutContent::Scalar),
            (b"null\n", StdoutContent::Scalar),
            (b"{\"a\": ", StdoutContent::Truncated { bytes: 5 }),
            (b"[\"abc", StdoutContent::Truncated { bytes: 5 }),
            (b"hello", StdoutContent::NotJson { at: 0 }),
            (b"\n hello", StdoutContent::NotJson { at: 2 }),
            (b"{} {}", StdoutContent::MultipleValues { at: 3 }),
            (b"{}\ndone\n", StdoutContent::MultipleValues { at: 3 }),
            (b"{}\xff", StdoutContent::Binary { at: 2 }),
        ] {
            assert_eq!(read(bytes).0, stdout, "{:?}", String::from_utf8_lossy(bytes));
        }
        let (_, result) = read(b" {\"a\": 1.0}\n");
        assert_eq!(result.unwrap().get(), "{\"a\": 1.0}", "the result is unchanged, byte for byte");
    }
}
