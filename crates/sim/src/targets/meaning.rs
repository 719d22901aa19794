//! The exact value of a JSON text: numbers of any size, objects without an order of names. It also generates other
//! texts with the same value. It shares nothing with the product's implementation.

use std::collections::BTreeMap;
use std::fmt::Write;

use fastrand::Rng;

use super::json::{Kind, Node};

/// A value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// `null`
    Null,
    /// `true` or `false`
    Truth(bool),
    /// A number.
    Number(Exact),
    /// A string.
    Text(String),
    /// `[...]`
    List(Vec<Self>),
    /// `{...}`
    Object(BTreeMap<String, Self>),
}

/// The exact value of a number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exact {
    /// `digits` times ten to the power of `power`.
    Decimal {
        /// Whether the number is negative.
        is_negative: bool,
        /// Neither the first nor the last digit is 0. For the number 0 the digits are empty and the power is 0.
        digits: String,
        /// The power of ten.
        power: i128,
    },
    /// A number whose power of ten does not fit in an `i128`, as it is spelled.
    Beyond(String),
}

impl Meaning {
    /// The value of a parsed text; `None` when it is ambiguous.
    #[must_use]
    pub fn of(node: &Node<'_>) -> Option<Self> {
        Some(match &node.kind {
            Kind::Null => Self::Null,
            Kind::Truth => Self::Truth(node.text == b"true"),
            Kind::Number => Self::Number(Exact::of(std::str::from_utf8(node.text).ok()?)),
            Kind::Text => Self::Text(node.string()?),
            Kind::List(items) => Self::List(items.iter().map(Self::of).collect::<Option<_>>()?),
            Kind::Object(fields) => Self::Object(object(fields)?),
        })
    }

    /// Maximum nesting of lists and objects.
    #[must_use]
    pub fn depth(&self) -> usize {
        let deepest = match self {
            Self::Null | Self::Truth(_) | Self::Number(_) | Self::Text(_) => return 0,
            Self::List(items) => items.iter().map(Self::depth).max(),
            Self::Object(fields) => fields.values().map(Self::depth).max(),
        };
        deepest.unwrap_or(0) + 1
    }

    /// Generates one of the many texts with this value.
    pub fn spell(&self, rng: &mut Rng) -> String {
        let mut out = String::new();
        self.spell_into(&mut out, rng);
        out
    }

    fn spell_into(&self, out: &mut String, rng: &mut Rng) {
        space(out, rng);
        match self {
            Self::Null => out.push_str("null"),
            Self::Truth(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Number(number) => out.push_str(&number.spell(rng)),
            Self::Text(text) => spell_text(out, text, rng),
            Self::List(items) => {
                let spell = |item: &&Self, out: &mut String, rng: &mut Rng| item.spell_into(out, rng);
                between(['[', ']'], &items.iter().collect::<Vec<_>>(), spell, (out, rng));
            }
            Self::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                rng.shuffle(&mut fields);
                let spell = |(name, value): &(&String, &Self), out: &mut String, rng: &mut Rng| {
                    space(out, rng);
                    spell_text(out, name, rng);
                    space(out, rng);
                    out.push(':');
                    value.spell_into(out, rng);
                };
                between(['{', '}'], &fields, spell, (out, rng));
            }
        }
        space(out, rng);
    }
}

/// `None` when a name occurs twice.
fn object(fields: &[(Node<'_>, Node<'_>)]) -> Option<BTreeMap<String, Meaning>> {
    let mut object = BTreeMap::new();
    for (name, value) in fields {
        if object.insert(name.string()?, Meaning::of(value)?).is_some() {
            return None;
        }
    }
    Some(object)
}

impl Exact {
    /// The exact value of a number's text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (mantissa, power) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let bare = digits.trim_end_matches('0');
        if bare.is_empty() {
            return Self::Decimal { is_negative: false, digits: String::new(), power: 0 };
        }
        let shift = (digits.len() - bare.len()) as i128 - fraction.len() as i128;
        match power.parse::<i128>().ok().and_then(|power| power.checked_add(shift)) {
            Some(power) => Self::Decimal { is_negative, digits: bare.to_owned(), power },
            None => Self::Beyond(text.to_owned()),
        }
    }

    /// Generates one of the many texts with this value.
    pub fn spell(&self, rng: &mut Rng) -> String {
        let (is_negative, digits, power) = match self {
            Self::Beyond(text) => return text.clone(),
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

fn space(out: &mut String, rng: &mut Rng) {
    for _ in 0..rng.usize(..6).saturating_sub(3) {
        out.push(rng.choice([' ', '\t', '\n', '\r']).unwrap_or(' '));
    }
}

fn between<T>(
    [open, close]: [char; 2],
    items: &[T],
    spell: impl Fn(&T, &mut String, &mut Rng),
    (out, rng): (&mut String, &mut Rng),
) {
    out.push(open);
    space(out, rng);
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        spell(item, out, rng);
    }
    out.push(close);
}

fn spell_text(out: &mut String, text: &str, rng: &mut Rng) {
    out.push('"');
    for letter in text.chars() {
        let short = "\"\\\u{8}\u{c}\n\r\t/".chars().zip("\"\\bfnrt/".chars());
        let short = short.into_iter().find(|(meant, _)| *meant == letter).map(|(_, escape)| escape);
        let must = letter < ' ' || letter == '"' || letter == '\\';
        match (must || rng.u8(..4) == 0, short) {
            (false, _) => out.push(letter),
            (true, Some(escape)) if rng.bool() => out.extend(['\\', escape]),
            (true, _) => spell_units(out, letter, rng),
        }
    }
    out.push('"');
}

fn spell_units(out: &mut String, letter: char, rng: &mut Rng) {
    for unit in letter.encode_utf16(&mut [0; 2]) {
        let written = if rng.bool() { write!(out, "\\u{unit:04x}") } else { write!(out, "\\u{unit:04X}") };
        written.expect("writing to a string does not fail");
    }
}

#[cfg(test)]
mod tests {
    use super::super::json;
    use super::*;

    #[test]
    fn every_spelling_has_the_same_value() {
        let text = r#"{"a":[1,-0.50,1e400,12300,0,null,true],"\u0000\ud83d\ude00/":{},"":[[]],"z":"\"\\x"}"#;
        let meant = Meaning::of(&json::read(text.as_bytes()).unwrap()).unwrap();
        let mut rng = Rng::with_seed(1);
        for _ in 0..1000 {
            let spelled = meant.spell(&mut rng);
            let read = json::read(spelled.as_bytes()).unwrap_or_else(|not| panic!("{spelled}: {not:?}"));
            assert_eq!(Meaning::of(&read).as_ref(), Some(&meant), "{spelled}");
        }
    }

    #[test]
    fn numbers_are_exact() {
        for (a, b) in [("1", "1.0"), ("1", "10e-1"), ("0", "-0e5"), ("0.10", "1e-1"), ("1e30", "1000e27")] {
            assert_eq!(Exact::of(a), Exact::of(b), "{a} {b}");
        }
        for (a, b) in [("1", "-1"), ("9007199254740993", "9007199254740992"), ("1e-400", "0")] {
            assert_ne!(Exact::of(a), Exact::of(b), "{a} {b}");
        }
    }
}
