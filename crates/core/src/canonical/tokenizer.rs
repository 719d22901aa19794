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
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn must(&mut self, byte: u8) -> Result<(), BadJson> {
        if self.take(byte) { Ok(()) } else { Err(self.not_json()) }
    }

    pub(super) fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// After an item: whether another follows; if not, the list has ended with `end`.
    pub(super) fn goes_on(&mut self, end: u8) -> Result<bool, BadJson> {
        self.skip_space();
        if self.take(b',') {
            return Ok(true);
        }
        self.must(end)?;
        Ok(false)
    }

    /// Nothing but space may follow.
    pub(super) fn end(&mut self) -> Result<(), BadJson> {
        self.skip_space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.not_json()) }
    }

    /// `null`, `true` or `false`.
    pub(super) fn word(&mut self) -> Result<&'static str, BadJson> {
        let rest = &self.text.as_bytes()[self.at..];
        let word = ["null", "true", "false"].into_iter().find(|word| rest.starts_with(word.as_bytes()));
        let word = word.ok_or_else(|| self.not_json())?;
        self.at += word.len();
        Ok(word)
    }

    /// What the string means.
    pub(super) fn string(&mut self) -> Result<Cow<'a, str>, BadJson> {
        self.must(b'"')?;
        let plain = self.plain();
        if self.take(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut meant = plain.to_owned();
        while !self.take(b'"') {
            self.must(b'\\')?;
            meant.push(self.escaped()?);
            meant.push_str(self.plain());
        }
        Ok(Cow::Owned(meant))
    }

    /// Characters that mean themselves.
    fn plain(&mut self) -> &'a str {
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
            b'u' => self.code(),
            _ => Err(BadJson::NotJson { at: self.at - 1 }),
        }
    }

    /// The character whose code follows, in one escape or in two.
    fn code(&mut self) -> Result<char, BadJson> {
        let unit = self.unit()?;
        if let Some(letter) = char::from_u32(unit) {
            return Ok(letter);
        }
        let half = BadJson::LoneSurrogate { at: self.at };
        if unit >= 0xdc00 || !self.text[self.at..].starts_with("\\u") {
            return Err(half);
        }
        self.at += "\\u".len();
        let low = self.unit()?.checked_sub(0xdc00).filter(|low| *low < 0x400).ok_or(half)?;
        char::from_u32(0x10000 + ((unit - 0xd800) << 10) + low).ok_or(half)
    }

    fn unit(&mut self) -> Result<u32, BadJson> {
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
        let is_negative = self.take(b'-');
        let whole = if self.take(b'0') { "0" } else { self.digits()? };
        let fraction = if self.take(b'.') { self.digits()? } else { "" };
        let exponent = if self.take(b'e') || self.take(b'E') { self.exponent()? } else { "" };
        Ok(NumberLiteral { text: &self.text[start..self.at], is_negative, whole, fraction, exponent })
    }

    fn exponent(&mut self) -> Result<&'a str, BadJson> {
        let start = self.at;
        let _sign = self.take(b'+') || self.take(b'-');
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
