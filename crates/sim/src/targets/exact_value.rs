//! The exact value of a JSON text: numbers of any size, objects without an order of names. It also generates other
//! texts with the same value. It shares no code with the product's implementation.

use std::collections::BTreeMap;
use std::fmt::Write;

use fastrand::Rng;

use super::json::{Kind, Node};

/// The exact value of a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExactValue {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number.
    Number(ExactNumber),
    /// A string.
    Text(String),
    /// `[...]`
    List(Vec<Self>),
    /// `{...}`
    Object(BTreeMap<String, Self>),
}

/// The exact value of a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExactNumber {
    /// `digits` times ten to the power of `power`.
    Decimal {
        /// Whether the number is negative.
        is_negative: bool,
        /// Neither the first nor the last digit is 0. For the number 0 the digits are empty and the power is 0.
        digits: String,
        /// The power of ten.
        power: i128,
    },
    /// The text of a number whose power of ten does not fit in an `i128`.
    OutOfRange(String),
}

impl ExactValue {
    /// The value of a parsed text; `None` when it is ambiguous.
    #[must_use]
    pub fn of(node: &Node<'_>) -> Option<Self> {
        Some(match &node.kind {
            Kind::Null => Self::Null,
            Kind::Bool => Self::Bool(node.text == b"true"),
            Kind::Number => Self::Number(ExactNumber::of(std::str::from_utf8(node.text).ok()?)),
            Kind::Text => Self::Text(node.string()?),
            Kind::List(items) => Self::List(items.iter().map(Self::of).collect::<Option<_>>()?),
            Kind::Object(fields) => Self::Object(object(fields)?),
        })
    }

    /// Maximum nesting of lists and objects.
    #[must_use]
    pub fn depth(&self) -> usize {
        let deepest = match self {
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) => return 0,
            Self::List(items) => items.iter().map(Self::depth).max(),
            Self::Object(fields) => fields.values().map(Self::depth).max(),
        };
        deepest.unwrap_or(0) + 1
    }

    /// Generates one of the many texts with this value.
    pub fn to_random_text(&self, rng: &mut Rng) -> String {
        let mut out = String::new();
        self.write_random_text(&mut out, rng);
        out
    }

    fn write_random_text(&self, out: &mut String, rng: &mut Rng) {
        write_random_space(out, rng);
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.to_random_text(rng)),
            Self::Text(text) => write_string(out, text, rng),
            Self::List(items) => {
                let write_item =
                    |item: &&Self, out: &mut String, rng: &mut Rng| item.write_random_text(out, rng);
                write_items(['[', ']'], &items.iter().collect::<Vec<_>>(), write_item, (out, rng));
            }
            Self::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                rng.shuffle(&mut fields);
                let write_field = |(name, value): &(&String, &Self), out: &mut String, rng: &mut Rng| {
                    write_random_space(out, rng);
                    write_string(out, name, rng);
                    write_random_space(out, rng);
                    out.push(':');
                    value.write_random_text(out, rng);
                };
                write_items(['{', '}'], &fields, write_field, (out, rng));
            }
        }
        write_random_space(out, rng);
    }
}

/// The fields of an object; `None` when a name occurs twice.
fn object(fields: &[(Node<'_>, Node<'_>)]) -> Option<BTreeMap<String, ExactValue>> {
    let mut object = BTreeMap::new();
    for (name, value) in fields {
        if object.insert(name.string()?, ExactValue::of(value)?).is_some() {
            return None;
        }
    }
    Some(object)
}

impl ExactNumber {
    /// The exact value of a number's text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Self::Decimal { is_negative: false, digits: String::new(), power: 0 };
        }
        let shift = (digits.len() - significant.len()) as i128 - fraction.len() as i128;
        match power.parse::<i128>().ok().and_then(|power| power.checked_add(shift)) {
            Some(power) => Self::Decimal { is_negative, digits: significant.to_owned(), power },
            None => Self::OutOfRange(text.to_owned()),
        }
    }

    /// Generates one of the many texts with this value.
    pub fn to_random_text(&self, rng: &mut Rng) -> String {
        let (is_negative, digits, power) = match self {
            Self::OutOfRange(text) => return text.clone(),
            Self::Decimal { is_negative, digits, power } => (is_negative, digits, power),
        };
        let sign = if *is_negative || (digits.is_empty() && rng.bool()) { "-" } else { "" };
        let zeros = rng.usize(..4);
        let digits = format!("{digits}{}", "0".repeat(zeros));
        let point = rng.usize(..=digits.len());
        let (whole, fraction) = digits.split_at(point);
        let power = power - zeros as i128 + fraction.len() as i128;
        let whole = if whole.trim_start_matches('0').is_empty() { "0" } else { whole };
        let fraction = if fraction.is_empty() { String::new() } else { format!(".{fraction}") };
        let power = match rng.u8(..3) {
            0 if power == 0 => String::new(),
            0 | 1 => format!("e{power}"),
            _ => format!("E{}00{}", if power < 0 { "-" } else { "+" }, power.abs()),
        };
        format!("{sign}{whole}{fraction}{power}")
    }
}

fn write_random_space(out: &mut String, rng: &mut Rng) {
    for _ in 0..rng.usize(..6).saturating_sub(3) {
        out.push(rng.choice([' ', '\t', '\n', '\r']).unwrap_or(' '));
    }
}

fn write_items<T>(
    [open, close]: [char; 2],
    items: &[T],
    write_item: impl Fn(&T, &mut String, &mut Rng),
    (out, rng): (&mut String, &mut Rng),
) {
    out.push(open);
    write_random_space(out, rng);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_item(item, out, rng);
    }
    out.push(close);
}

fn write_string(out: &mut String, text: &str, rng: &mut Rng) {
    out.push('"');
    for letter in text.chars() {
        let short = "\"\\\u{8}\u{c}\n\r\t/".chars().zip("\"\\bfnrt/".chars());
        let short = short.into_iter().find(|(character, _)| *character == letter).map(|(_, escape)| escape);
        let must_escape = letter < ' ' || letter == '"' || letter == '\\';
        match (must_escape || rng.u8(..4) == 0, short) {
            (false, _) => out.push(letter),
            (true, Some(escape)) if rng.bool() => out.extend(['\\', escape]),
            (true, _) => write_unicode_escapes(out, letter, rng),
        }
    }
    out.push('"');
}

fn write_unicode_escapes(out: &mut String, letter: char, rng: &mut Rng) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        let result = if rng.bool() { write!(out, "\\u{unit:04x}") } else { write!(out, "\\u{unit:04X}") };
        result.expect("writing to a string does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn every_random_text_has_the_same_value() {
        let text = r#"{"a":[1,-0.50,1e400,12300,0,null,true],"\u0000\ud83d\ude00/":{},"":[[]],"z":"\"\\x"}"#;
        let value = ExactValue::of(&json::read(text.as_bytes()).unwrap()).unwrap();
        let mut rng = Rng::with_seed(1);
        for _ in 0..1000 {
            let random_text = value.to_random_text(&mut rng);
            let read =
                json::read(random_text.as_bytes()).unwrap_or_else(|error| panic!("{random_text}: {error:?}"));
            assert_eq!(ExactValue::of(&read).as_ref(), Some(&value), "{random_text}");
        }
    }

    #[test]
    fn numbers_are_exact() {
        for (a, b) in [("1", "1.0"), ("1", "10e-1"), ("0", "-0e5"), ("0.10", "1e-1"), ("1e30", "1000e27")] {
            assert_eq!(ExactNumber::of(a), ExactNumber::of(b), "{a} {b}");
        }
        for (a, b) in [("1", "-1"), ("9007199254740993", "9007199254740992"), ("1e-400", "0")] {
            assert_ne!(ExactNumber::of(a), ExactNumber::of(b), "{a} {b}");
        }
    }
}
