//! Writes values in canonical form: no white space, names in the order of their UTF-16 code units, strings with the
//! fewest escapes.
//!
//! Source: RFC 8785, 3.2.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write;

use super::number;
use super::tokenizer::{BadJson, Tokenizer};
use crate::limits::JSON_DEPTH;

/// Returns the canonical form of a JSON text.
///
/// # Errors
/// Why the text has no canonical form.
pub fn canonical(text: &str) -> Result<String, BadJson> {
    let mut writer = Writer {
        tokens: Tokenizer::new(text),
        out: String::with_capacity(text.len()),
        depth: 0,
        members: Vec::new(),
        sorted: String::new(),
    };
    writer.value()?;
    writer.tokens.end()?;
    Ok(writer.out)
}

struct Writer<'a> {
    tokens: Tokenizer<'a>,
    out: String,
    depth: usize,
    /// The members of all open objects, the outermost object first.
    members: Vec<Member<'a>>,
    /// Buffer for sorting members; empty between uses.
    sorted: String,
}

/// A member of an object that is written to `out`.
struct Member<'a> {
    name: Cow<'a, str>,
    /// Position of the name in the text.
    at: usize,
    /// Position of the member in `out`. `end` is after the comma that follows the member.
    start: usize,
    end: usize,
}

impl<'a> Writer<'a> {
    fn value(&mut self) -> Result<(), BadJson> {
        self.tokens.skip_space();
        match self.tokens.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::list),
            Some(b'"') => {
                let decoded = self.tokens.string()?;
                write_string(&mut self.out, &decoded);
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                number::write(&mut self.out, &self.tokens.number()?);
                Ok(())
            }
            Some(_) | None => {
                self.out.push_str(self.tokens.keyword()?);
                Ok(())
            }
        }
    }

    fn nested(&mut self, write: impl FnOnce(&mut Self) -> Result<(), BadJson>) -> Result<(), BadJson> {
        if self.depth == JSON_DEPTH {
            return Err(BadJson::TooDeep);
        }
        self.depth += 1;
        write(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn list(&mut self) -> Result<(), BadJson> {
        self.tokens.expect_byte(b'[')?;
        self.out.push('[');
        self.tokens.skip_space();
        let mut has_next = !self.tokens.take_byte(b']');
        while has_next {
            self.value()?;
            has_next = self.tokens.has_next_item(b']')?;
            if has_next {
                self.out.push(',');
            }
        }
        self.out.push(']');
        Ok(())
    }

    fn object(&mut self) -> Result<(), BadJson> {
        self.tokens.expect_byte(b'{')?;
        self.out.push('{');
        let first = self.members.len();
        self.tokens.skip_space();
        let mut has_next = !self.tokens.take_byte(b'}');
        while has_next {
            self.member()?;
            has_next = self.tokens.has_next_item(b'}')?;
        }
        self.sort_members(first)?;
        if self.members.len() > first {
            self.out.pop();
        }
        self.members.truncate(first);
        self.out.push('}');
        Ok(())
    }

    fn member(&mut self) -> Result<(), BadJson> {
        self.tokens.skip_space();
        let (at, start) = (self.tokens.at(), self.out.len());
        let name = self.tokens.string()?;
        write_string(&mut self.out, &name);
        self.tokens.skip_space();
        self.tokens.expect_byte(b':')?;
        self.out.push(':');
        self.value()?;
        self.out.push(',');
        self.members.push(Member { name, at, start, end: self.out.len() });
        Ok(())
    }

    /// Sorts the members from index `first` on: those of the innermost open object.
    fn sort_members(&mut self, first: usize) -> Result<(), BadJson> {
        let members = &mut self.members[first..];
        if members.is_sorted_by(|a, b| compare_utf16(&a.name, &b.name) == Ordering::Less) {
            return Ok(());
        }
        let from = members[0].start;
        members.sort_unstable_by(|a, b| compare_utf16(&a.name, &b.name));
        if let Some(duplicates) = members.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(BadJson::DuplicateName { at: duplicates[0].at.max(duplicates[1].at) });
        }
        for member in members {
            self.sorted.push_str(&self.out[member.start..member.end]);
        }
        self.out.truncate(from);
        self.out.push_str(&self.sorted);
        self.sorted.clear();
        Ok(())
    }
}

/// Compares by UTF-16 code units. The order equals that of the UTF-8 bytes, except that characters of two code units
/// sort before U+E000 to U+FFFF.
fn compare_utf16(a: &str, b: &str) -> Ordering {
    let rank = |byte: &u8| if *byte == 0xee || *byte == 0xef { byte + 0x10 } else { *byte };
    a.bytes().map(|byte| rank(&byte)).cmp(b.bytes().map(|byte| rank(&byte)))
}

fn write_string(out: &mut String, decoded: &str) {
    out.push('"');
    let mut rest = decoded;
    while let Some(at) = rest.bytes().position(is_escaped) {
        out.push_str(&rest[..at]);
        write_escaped(out, rest.as_bytes()[at]);
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

const fn is_escaped(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

fn write_escaped(out: &mut String, byte: u8) {
    match byte {
        b'"' => out.push_str("\\\""),
        b'\\' => out.push_str("\\\\"),
        0x08 => out.push_str("\\b"),
        b'\t' => out.push_str("\\t"),
        b'\n' => out.push_str("\\n"),
        0x0c => out.push_str("\\f"),
        b'\r' => out.push_str("\\r"),
        _ => write!(out, "\\u{byte:04x}").expect("writing to a string does not fail"),
    }
}
