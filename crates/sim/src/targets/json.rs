//! A simple JSON parser (RFC 8259). Each parsed value also has the part of the text that it was parsed from. The parser
//! shares no code with those of Pilotlight, so that the fuzz targets can compare their results.

/// A value and its part of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Node<'a> {
    /// The value's bytes, without the white space around it.
    pub text: &'a [u8],
    /// The kind of the value.
    pub kind: Kind<'a>,
}

/// The kind of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// A number. It is not parsed: [`Node::text`] is the number as it was written.
    Number,
    /// A string. [`Node::text`] is the string as it was written, with quotation marks and escapes.
    Text,
    /// `[...]`
    List(Vec<Node<'a>>),
    /// `{...}`: pairs of name and value. A name may occur twice.
    Object(Vec<(Node<'a>, Node<'a>)>),
}

/// Why a text cannot be parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ParseError {
    /// The text is not JSON.
    NotJson,
    /// The text is nested deeper than this parser accepts.
    TooDeep,
}

/// Maximum nesting that this parser accepts.
const DEPTH: usize = 256;

/// Parses a whole text.
///
/// # Errors
/// When the text is not JSON, or is nested too deeply for this parser.
pub fn read(text: &[u8]) -> Result<Node<'_>, ParseError> {
    let mut reader = Reader { text, at: 0, depth: 0 };
    reader.skip_space();
    let node = reader.value()?;
    reader.skip_space();
    if reader.at == text.len() { Ok(node) } else { Err(ParseError::NotJson) }
}

impl<'a> Node<'a> {
    /// The unescaped string; `None` when the value is not a string, or contains half of a surrogate pair.
    #[must_use]
    pub fn string(&self) -> Option<String> {
        if self.kind != Kind::Text {
            return None;
        }
        unescape(&self.text[1..self.text.len() - 1])
    }

    /// The number, rounded to the nearest `f64`; `None` when the value is not a number.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        if self.kind != Kind::Number {
            return None;
        }
        std::str::from_utf8(self.text).ok()?.parse().ok()
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> Result<Node<'a>, ParseError> {
        let start = self.at;
        let kind = match self.peek() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => self.string()?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.keyword()?,
        };
        Ok(Node { text: &self.text[start..self.at], kind })
    }

    fn nested(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<Kind<'a>, ParseError>,
    ) -> Result<Kind<'a>, ParseError> {
        if self.depth == DEPTH {
            return Err(ParseError::TooDeep);
        }
        self.depth += 1;
        self.at += 1;
        self.skip_space();
        let kind = read(self)?;
        self.depth -= 1;
        Ok(kind)
    }

    fn object(&mut self) -> Result<Kind<'a>, ParseError> {
        let mut fields = Vec::new();
        while !(fields.is_empty() && self.take(b'}')) {
            let start = self.at;
            let kind = self.string()?;
            let name = Node { text: &self.text[start..self.at], kind };
            self.skip_space();
            self.expect(b':')?;
            self.skip_space();
            fields.push((name, self.value()?));
            if self.ends_after_item(b'}')? {
                break;
            }
        }
        Ok(Kind::Object(fields))
    }

    fn list(&mut self) -> Result<Kind<'a>, ParseError> {
        let mut items = Vec::new();
        while !(items.is_empty() && self.take(b']')) {
            items.push(self.value()?);
            if self.ends_after_item(b']')? {
                break;
            }
        }
        Ok(Kind::List(items))
    }

    /// Reads what follows an item: a comma, or the byte that ends the list or object. Returns whether it was the end.
    fn ends_after_item(&mut self, end: u8) -> Result<bool, ParseError> {
        self.skip_space();
        if self.take(end) {
            return Ok(true);
        }
        self.expect(b',')?;
        self.skip_space();
        Ok(false)
    }

    fn string(&mut self) -> Result<Kind<'a>, ParseError> {
        self.expect(b'"')?;
        loop {
            match self.next()? {
                b'"' => return Ok(Kind::Text),
                b'\\' => self.escape()?,
                0..0x20 => return Err(ParseError::NotJson),
                _ => {}
            }
        }
    }

    fn escape(&mut self) -> Result<(), ParseError> {
        match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(()),
            b'u' => (0..4).try_for_each(|_| {
                if self.next()?.is_ascii_hexdigit() { Ok(()) } else { Err(ParseError::NotJson) }
            }),
            _ => Err(ParseError::NotJson),
        }
    }

    fn number(&mut self) -> Result<Kind<'a>, ParseError> {
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(Kind::Number)
    }

    fn digits(&mut self) -> Result<(), ParseError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at > start { Ok(()) } else { Err(ParseError::NotJson) }
    }

    fn keyword(&mut self) -> Result<Kind<'a>, ParseError> {
        for (keyword, kind) in [("null", Kind::Null), ("true", Kind::Bool), ("false", Kind::Bool)] {
            if self.text[self.at..].starts_with(keyword.as_bytes()) {
                self.at += keyword.len();
                return Ok(kind);
            }
        }
        Err(ParseError::NotJson)
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn next(&mut self) -> Result<u8, ParseError> {
        let byte = self.peek().ok_or(ParseError::NotJson)?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn expect(&mut self, byte: u8) -> Result<(), ParseError> {
        if self.take(byte) { Ok(()) } else { Err(ParseError::NotJson) }
    }
}

/// Unescapes a string; `None` when an escape is half of a surrogate pair, or the bytes are not UTF-8.
fn unescape(escaped: &[u8]) -> Option<String> {
    let mut chars = std::str::from_utf8(escaped).ok()?.chars();
    let mut text = String::new();
    while let Some(character) = chars.next() {
        match character {
            '\\' => text.push(escaped_character(&mut chars)?),
            _ => text.push(character),
        }
    }
    Some(text)
}

fn escaped_character(chars: &mut std::str::Chars<'_>) -> Option<char> {
    match chars.next()? {
        'b' => Some('\u{8}'),
        'f' => Some('\u{c}'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        't' => Some('\t'),
        'u' => match hex(chars)? {
            high @ 0xD800..0xDC00 => {
                let low = (chars.next()? == '\\' && chars.next()? == 'u').then(|| hex(chars))??;
                let low = (0xDC00..0xE000).contains(&low).then(|| low - 0xDC00)?;
                char::from_u32(0x10000 + ((high - 0xD800) << 10) + low)
            }
            code => char::from_u32(code),
        },
        character => Some(character),
    }
}

fn hex(chars: &mut std::str::Chars<'_>) -> Option<u32> {
    (0..4).try_fold(0, |code, _| Some(code * 16 + chars.next()?.to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_is_parsed() {
        for text in ["{}", " [1, -0.5e+3 ,\"\\u00e9\\\\\",{\"a\":[ ]}] ", "null", "0", "\"\u{7f}\""] {
            assert!(read(text.as_bytes()).is_ok(), "{text}");
        }
        for text in [
            "", "{", "[1,]", "{\"a\"}", "01", "1.", ".5", "+1", "nul", "\"\n\"", "\"\\x\"", "1 2", "{,}",
            "[,]",
        ] {
            assert_eq!(read(text.as_bytes()), Err(ParseError::NotJson), "{text}");
        }
        assert_eq!(read("[".repeat(DEPTH + 1).as_bytes()), Err(ParseError::TooDeep));
    }

    #[test]
    fn escapes_are_decoded() {
        let string = |text: &str| read(text.as_bytes()).unwrap().string();
        assert_eq!(string(r#""a\"\\\/\n\u00e9\ud83d\ude00""#).as_deref(), Some("a\"\\/\né😀"));
        for half in [r#""\ud83d""#, r#""\ude00""#, r#""\ud83dx""#, r#""\ud83d\u0041""#] {
            assert_eq!(string(half), None, "{half}");
        }
    }
}
