//! Reads the tokens of a JSON text (RFC 8259) as they are spelled: no digit of a number is lost.

use std::borrow::Cow;

use super::number::NumberLiteral;
use crate::limits::JSON_DEPTH;

/// Why a text has no canonical form. Places are bytes from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadJson {
    /// Something else stands where JSON goes on.
    #[error("is not JSON (at byte {at})")]
    NotJson {
        /// Where.
        at: usize,
    },
    /// Lists and objects within each other.
    #[error("is nested deeper than {JSON_DEPTH} levels")]
    TooDeep,
    /// Readers do not agree which of the two counts.
    #[error("has a name twice in one object (the second time at byte {at})")]
    DuplicateName {
        /// Where the second one begins.
        at: usize,
    },
    /// A surrogate alone is no character and cannot be kept.
    #[error(
        "has half of a character (a `\\u` escape from d800 to dfff without its other half, at byte {at})"
    )]
    LoneSurrogate {
        /// Where the escape ends.
        at: usize,
    },
}

/// A place in a text.
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

    /// Whether this byte was next; if so it is behind us.
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

    /// After an item: whether another follows; if not, the list has ended with `end`.
    pub(super) fn has_next_item(&mut self, end: u8) -> Result<bool, BadJson> {
        self.skip_space();
        if self.take_byte(b',') {
            return Ok(true);
        }
        self.expect_byte(end)?;
        Ok(false)
    }

    /// Nothing but space may follow.
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

    /// What the string means.
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

    /// Characters that mean themselves.
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

    /// The character whose code follows, in one escape or in two.
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

    /// A number's parts.
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
