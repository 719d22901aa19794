//! Reads the tokens of a JSON text (RFC 8259) without changing them: no digit of a number is lost.

use std::borrow::Cow;

use super::number::NumberLiteral;
use crate::limits::JSON_DEPTH;

/// Why a text has no canonical form. Positions are bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadJson {
    /// The text is not valid JSON here.
    #[error("is not JSON (at byte {at})")]
    NotJson {
        /// Position of the first invalid byte.
        at: usize,
    },
    /// Lists and objects are nested too deeply.
    #[error("is nested deeper than {JSON_DEPTH} levels")]
    TooDeep,
    /// A name occurs twice in one object. JSON parsers do not agree which of the two counts.
    #[error("has a name twice in one object (the second time at byte {at})")]
    DuplicateName {
        /// Position of the second occurrence.
        at: usize,
    },
    /// A `\u` escape is half of a surrogate pair. It is not a character and cannot be stored.
    #[error(
        "has half of a character (a `\\u` escape from d800 to dfff without the other half, at byte {at})"
    )]
    LoneSurrogate {
        /// Position of the escape's end.
        at: usize,
    },
}

/// A position in a text.
pub(super) struct Tokenizer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokenizer<'a> {
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Where the next token begins.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips this byte and returns true when it is the next one.
    pub(super) fn take_byte(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn expect_byte(&mut self, byte: u8) -> Result<(), BadJson> {
        if self.take_byte(byte) { Ok(()) } else { Err(self.not_json()) }
    }

    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// After an item: whether another item follows. If not, the closing byte `end` is required and skipped.
    pub(super) fn has_next_item(&mut self, end: u8) -> Result<bool, BadJson> {
        self.skip_space();
        if self.take_byte(b',') {
            return Ok(true);
        }
        self.expect_byte(end)?;
        Ok(false)
    }

    /// Requires that only white space follows.
    pub(super) fn end(&mut self) -> Result<(), BadJson> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.not_json()) }
    }

    /// `null`, `true` or `false`.
    pub(super) fn keyword(&mut self) -> Result<&'static str, BadJson> {
        let rest = &self.text.as_bytes()[self.at..];
        let keyword =
            ["null", "true", "false"].into_iter().find(|keyword| rest.starts_with(keyword.as_bytes()));
        let keyword = keyword.ok_or_else(|| self.not_json())?;
        self.at += keyword.len();
        Ok(keyword)
    }

    /// The decoded text of a string.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, BadJson> {
        self.expect_byte(b'"')?;
        let plain_run = self.plain_run();
        if self.take_byte(b'"') {
            return Ok(Cow::Borrowed(plain_run));
        }
        let mut decoded = plain_run.to_owned();
        while !self.take_byte(b'"') {
            self.expect_byte(b'\\')?;
            decoded.push(self.escaped()?);
            decoded.push_str(self.plain_run());
        }
        Ok(Cow::Owned(decoded))
    }

    /// Skips the characters that need no decoding and returns them.
    fn plain_run(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let is_plain = |byte: u8| byte >= 0x20 && byte != b'"' && byte != b'\\';
        let length = rest.bytes().position(|byte| !is_plain(byte)).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn escaped(&mut self) -> Result<char, BadJson> {
        let letter = self.peek().ok_or_else(|| self.not_json())?;
        self.at += 1;
        match letter {
            b'"' | b'\\' | b'/' => Ok(char::from(letter)),
            b'b' => Ok('\u{8}'),
            b'f' => Ok('\u{c}'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode_escape(),
            _ => Err(BadJson::NotJson { at: self.at - 1 }),
        }
    }

    /// Decodes the character of a `\u` escape, or of two escapes that form a surrogate pair.
    fn unicode_escape(&mut self) -> Result<char, BadJson> {
        let unit = self.code_unit()?;
        if let Some(letter) = char::from_u32(unit) {
            return Ok(letter);
        }
        let half = BadJson::LoneSurrogate { at: self.at };
        if unit >= 0xdc00 || !self.text[self.at..].starts_with("\\u") {
            return Err(half);
        }
        self.at += "\\u".len();
        let low = self.code_unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or(half)?;
        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low).ok_or(half)
    }

    fn code_unit(&mut self) -> Result<u32, BadJson> {
        let mut unit = 0;
        for _ in 0..4 {
            let digit = self.peek().and_then(|byte| char::from(byte).to_digit(16));
            unit = unit * 16 + digit.ok_or_else(|| self.not_json())?;
            self.at += 1;
        }
        Ok(unit)
    }

    /// The parts of a number.
    pub(super) fn number(&mut self) -> Result<NumberLiteral<'a>, BadJson> {
        let start = self.at;
        let is_negative = self.take_byte(b'-');
        let integer = if self.take_byte(b'0') { "0" } else { self.digits()? };
        let fraction = if self.take_byte(b'.') { self.digits()? } else { "" };
        let exponent = if self.take_byte(b'e') || self.take_byte(b'E') { self.exponent()? } else { "" };
        Ok(NumberLiteral { text: &self.text[start..self.at], is_negative, integer, fraction, exponent })
    }

    fn exponent(&mut self) -> Result<&'a str, BadJson> {
        let start = self.at;
        let _sign = self.take_byte(b'+') || self.take_byte(b'-');
        self.digits()?;
        Ok(&self.text[start..self.at])
    }

    fn digits(&mut self) -> Result<&'a str, BadJson> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().position(|byte| !byte.is_ascii_digit()).unwrap_or(rest.len());
        if length == 0 {
            return Err(self.not_json());
        }
        self.at += length;
        Ok(&rest[..length])
    }

    const fn not_json(&self) -> BadJson {
        BadJson::NotJson { at: self.at }
    }
}
