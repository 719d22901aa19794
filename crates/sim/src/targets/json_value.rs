//! What a JSON text means, exactly: numbers of any size, names in no order. And other texts that mean the same. It shares
//! nothing with what the product does about it.

use std::collections::BTreeMap;
use std::fmt::Write;

use fastrand::Rng;

use super::json::{Kind, Node};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum JsonValue {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A number.
    Number(ExactNumber),
    /// A string.
    String(String),
    /// `[...]`
    Array(Vec<Self>),
    /// `{...}`
    Object(BTreeMap<String, Self>),
}

/// A number, exactly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExactNumber {
    /// `digits` times ten to the `power`.
    Decimal {
        /// Whether it is below 0.
        is_negative: bool,
        /// Neither the first nor the last is 0; empty for 0, whose power is 0.
        digits: String,
        /// The power of ten.
        power: i128,
    },
    /// One whose power of ten is beyond reckoning, as it is spelled.
    OutOfRange(String),
}

impl JsonValue {
    /// Of what was read; `None` when it has more than one, or none.
    #[must_use]
    pub fn of(node: &Node<'_>) -> Option<Self> {
        Some(match &node.kind {
            Kind::Null => Self::Null,
            Kind::Boolean => Self::Boolean(node.text == b"true"),
            Kind::Number => Self::Number(ExactNumber::of(std::str::from_utf8(node.text).ok()?)),
            Kind::String => Self::String(node.string()?),
            Kind::Array(items) => Self::Array(items.iter().map(Self::of).collect::<Option<_>>()?),
            Kind::Object(fields) => Self::Object(object(fields)?),
        })
    }

    /// Levels of lists and objects within each other.
    #[must_use]
    pub fn depth(&self) -> usize {
        let deepest = match self {
            Self::Null | Self::Boolean(_) | Self::Number(_) | Self::String(_) => return 0,
            Self::Array(items) => items.iter().map(Self::depth).max(),
            Self::Object(fields) => fields.values().map(Self::depth).max(),
        };
        deepest.unwrap_or(0) + 1
    }

    /// One of the many texts that mean this.
    pub fn write_variant(&self, rng: &mut Rng) -> String {
        let mut out = String::new();
        self.write_variant_into(&mut out, rng);
        out
    }

    fn write_variant_into(&self, out: &mut String, rng: &mut Rng) {
        write_random_space(out, rng);
        match self {
            Self::Null => out.push_str("null"),
            Self::Boolean(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.write_variant(rng)),
            Self::String(text) => write_string_variant(out, text, rng),
            Self::Array(items) => {
                let write_variant =
                    |item: &&Self, out: &mut String, rng: &mut Rng| item.write_variant_into(out, rng);
                write_delimited(['[', ']'], &items.iter().collect::<Vec<_>>(), write_variant, (out, rng));
            }
            Self::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                rng.shuffle(&mut fields);
                let write_variant = |(name, value): &(&String, &Self), out: &mut String, rng: &mut Rng| {
                    write_random_space(out, rng);
                    write_string_variant(out, name, rng);
                    write_random_space(out, rng);
                    out.push(':');
                    value.write_variant_into(out, rng);
                };
                write_delimited(['{', '}'], &fields, write_variant, (out, rng));
            }
        }
        write_random_space(out, rng);
    }
}

/// `None` when a name is there twice.
fn object(fields: &[(Node<'_>, Node<'_>)]) -> Option<BTreeMap<String, JsonValue>> {
    let mut object = BTreeMap::new();
    for (name, value) in fields {
        if object.insert(name.string()?, JsonValue::of(value)?).is_some() {
            return None;
        }
    }
    Some(object)
}

impl ExactNumber {
    /// Of a number's text.
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

    /// One of the many texts that mean this.
    pub fn write_variant(&self, rng: &mut Rng) -> String {
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

fn write_delimited<T>(
    [open, close]: [char; 2],
    items: &[T],
    write_variant: impl Fn(&T, &mut String, &mut Rng),
    (out, rng): (&mut String, &mut Rng),
) {
    out.push(open);
    write_random_space(out, rng);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write_variant(item, out, rng);
    }
    out.push(close);
}

fn write_string_variant(out: &mut String, text: &str, rng: &mut Rng) {
    out.push('"');
    for letter in text.chars() {
        let short = "\"\\\u{8}\u{c}\n\r\t/".chars().zip("\"\\bfnrt/".chars());
        let short = short.into_iter().find(|(expected, _)| *expected == letter).map(|(_, escape)| escape);
        let must = letter < ' ' || letter == '"' || letter == '\\';
        match (must || rng.u8(..4) == 0, short) {
            (false, _) => out.push(letter),
            (true, Some(escape)) if rng.bool() => out.extend(['\\', escape]),
            (true, _) => write_utf16_escapes(out, letter, rng),
        }
    }
    out.push('"');
}

fn write_utf16_escapes(out: &mut String, letter: char, rng: &mut Rng) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        let written = if rng.bool() { write!(out, "\\u{unit:04x}") } else { write!(out, "\\u{unit:04X}") };
        written.expect("a String takes all");
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn every_variant_has_the_same_value() {
        let text = r#"{"a":[1,-0.50,1e400,12300,0,null,true],"\u0000\ud83d\ude00/":{},"":[[]],"z":"\"\\x"}"#;
        let expected = JsonValue::of(&json::read(text.as_bytes()).unwrap()).unwrap();
        let mut rng = Rng::with_seed(1);
        for _ in 0..1000 {
            let variant = expected.write_variant(&mut rng);
            let read = json::read(variant.as_bytes()).unwrap_or_else(|error| panic!("{variant}: {error:?}"));
            assert_eq!(JsonValue::of(&read).as_ref(), Some(&expected), "{variant}");
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
