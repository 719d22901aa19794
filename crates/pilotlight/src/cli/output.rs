//! The answer of a command goes to stdout. Also makes untrusted text safe for a terminal.
//!
//! The reader may close stdout at any time. That ends the command without a message; it must never panic.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{ErrorKind, IsTerminal, Write, stdout};

use anyhow::Context;
use serde::Serialize;

use super::exit_code::Code;
use super::failure::Failure;

/// Writes a line of the answer to stdout.
pub(super) fn line(text: impl Display) -> Result<(), Failure> {
    write(&format!("{text}\n"))
}

/// Writes a part of the answer to stdout and flushes it.
pub(super) fn write(text: &str) -> Result<(), Failure> {
    let mut out = stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(Failure::Reported(Code::Closed)),
        Err(error) => Ok(Err(error).context("failed to write to stdout")?),
    }
}

/// Writes the answer to stdout as one line of JSON.
pub(super) fn json(answer: &impl Serialize) -> Result<(), Failure> {
    raw_json(&serde_json::to_string(answer)?)
}

/// Writes JSON to stdout byte for byte. On a terminal, characters that the terminal would interpret are escaped; the
/// JSON value stays the same.
pub(super) fn raw_json(text: &str) -> Result<(), Failure> {
    if stdout().is_terminal() { line(escape_hidden(text)) } else { line(text) }
}

/// Makes the control characters of untrusted text visible, so that it cannot control the terminal. Line breaks and tabs
/// stay.
pub(super) fn sanitize(text: &str) -> String {
    text.chars()
        .map(|letter| if matches!(letter, '\n' | '\t') { letter } else { visible_char(letter) })
        .collect()
}

/// The same as [`sanitize`], with line breaks and tabs made visible too.
pub(super) fn sanitize_line(text: &str) -> String {
    text.chars().map(visible_char).collect()
}

fn visible_char(letter: char) -> char {
    match letter {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(letter)).unwrap_or('\u{fffd}'),
        letter if is_hidden(letter) => '\u{fffd}',
        letter => letter,
    }
}

/// Escapes hidden characters in JSON text. In valid JSON they occur only inside strings, where an escape is allowed.
fn escape_hidden(json: &str) -> Cow<'_, str> {
    if !json.contains(is_hidden) {
        return json.into();
    }
    let mut text = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_hidden(letter) {
            text.push_str(&format!("\\u{:04x}", u32::from(letter)));
        } else {
            text.push(letter);
        }
    }
    text.into()
}

/// Terminal control characters that JSON may contain unescaped, and Unicode marks that change the text direction.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{7f}'..='\u{9f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_cannot_control_a_terminal() {
        assert_eq!(sanitize("a\x1b[2J\tb\n\u{9b}c\r"), "a\u{241b}[2J\tb\n\u{fffd}c\u{240d}");
        assert_eq!(sanitize_line("a\nb\u{202e}"), "a\u{240a}b\u{fffd}");
    }

    #[test]
    fn a_result_on_a_terminal_is_the_same_value_without_control_characters() {
        let json = "{\"a\": \"\u{7f}\u{9b}2J\u{202e}é\\n\",\n \"b\u{2066}\": 1}";
        let shown = escape_hidden(json);
        assert_eq!(shown, "{\"a\": \"\\u007f\\u009b2J\\u202eé\\n\",\n \"b\\u2066\": 1}");
        let value = |text| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(value(json), value(&shown));
        assert!(matches!(escape_hidden("{\"a\": \"é\"}"), Cow::Borrowed(_)));
    }
}
