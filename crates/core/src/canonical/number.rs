//! Writes numbers in canonical form. A number that equals the shortest decimal form of its nearest double is written as
//! RFC 8785 requires, which is how `JavaScript` writes it. Any other number, such as 2^53 + 1 or 1e400, would become
//! another number that way; it is written exactly, after a mark that begins no JSON value. So equal numbers have one
//! form, and different numbers have different forms.
//!
//! Source: RFC 8785, 3.2.2.3; ECMA-262, Number::toString.

use std::fmt::Write;

/// Marks a number that is written as its digits, without leading or trailing zeros, and its power of ten.
const EXACT: char = '#';

/// Marks a number that is written as in the input, because its power of ten does not fit in an `i64`.
const VERBATIM: char = '~';

/// Two different numbers with at most this many digits have different nearest doubles, so each of them is the shortest
/// form of its double.
const SAFE_DIGITS: usize = 15;

/// Maximum number of digits in the shortest form of a double.
const MAX_DOUBLE_DIGITS: usize = 17;

/// The parts of a JSON number, each as it is in the text.
pub(super) struct NumberLiteral<'a> {
    pub(super) text: &'a str,
    pub(super) is_negative: bool,
    /// The digits before the decimal point.
    pub(super) integer: &'a str,
    /// The digits after the decimal point; empty when there is no point.
    pub(super) fraction: &'a str,
    /// The power of ten with its sign; empty when there is none.
    pub(super) exponent: &'a str,
}

impl NumberLiteral<'_> {
    /// Whether the number is in canonical form already, as most numbers are. It is short, has no power of ten and no
    /// superfluous zeros, and is not so small that `JavaScript` writes a power of ten. Such a number needs no further
    /// computation.
    fn is_canonical(&self) -> bool {
        let is_short = self.integer.len() + self.fraction.len() <= SAFE_DIGITS && self.exponent.is_empty();
        let is_bare =
            if self.fraction.is_empty() { self.integer != "0" } else { !self.fraction.ends_with('0') };
        let is_small = self.integer == "0" && self.fraction.starts_with("000000");
        is_short && is_bare && !is_small
    }
}

pub(super) fn write(out: &mut String, number: &NumberLiteral<'_>) {
    if number.is_canonical() {
        out.push_str(number.text);
        return;
    }
    match Decimal::of(number) {
        Some(decimal) => decimal.write(out),
        None => {
            out.push(VERBATIM);
            out.push_str(number.text);
        }
    }
}

/// `digits` times ten to the power of `exponent`.
#[derive(PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    /// Neither the first nor the last digit is 0. Empty for the number 0.
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// `None` when the power of ten is out of range.
    fn of(number: &NumberLiteral<'_>) -> Option<Self> {
        let mut digits = [number.integer, number.fraction].concat();
        let all = digits.len();
        digits.truncate(digits.trim_end_matches('0').len());
        let cut = all - digits.len();
        digits.drain(..digits.len() - digits.trim_start_matches('0').len());
        if digits.is_empty() {
            return Some(Self { is_negative: false, digits, exponent: 0 });
        }
        let exponent = if number.exponent.is_empty() { 0 } else { number.exponent.parse::<i64>().ok()? };
        let exponent = exponent.checked_sub(i64::try_from(number.fraction.len()).ok()?)?;
        let exponent = exponent.checked_add(i64::try_from(cut).ok()?)?;
        Some(Self { is_negative: number.is_negative, digits, exponent })
    }

    fn write(&self, out: &mut String) {
        let sign = if self.is_negative { "-" } else { "" };
        let mut buffer = ryu_js::Buffer::new();
        match self.shortest(&mut buffer) {
            Some(shortest) => write!(out, "{sign}{shortest}"),
            None => write!(out, "{EXACT}{sign}{}e{}", self.digits, self.exponent),
        }
        .expect("writing to a string does not fail");
    }

    /// The shortest form of the nearest double, without its sign; `None` when that form is another number.
    fn shortest<'b>(&self, buffer: &'b mut ryu_js::Buffer) -> Option<&'b str> {
        if self.digits.is_empty() {
            return Some("0");
        }
        if self.digits.len() > MAX_DOUBLE_DIGITS {
            return None;
        }
        let nearest: f64 = format!("{}e{}", self.digits, self.exponent).parse().ok()?;
        if !nearest.is_finite() || nearest == 0.0 {
            return None;
        }
        let shortest = buffer.format_finite(nearest);
        let parsed = Self::of(&parts(shortest))?;
        (parsed.digits == self.digits && parsed.exponent == self.exponent).then_some(shortest)
    }
}

/// The parts of a number that is in `JavaScript`'s form.
fn parts(text: &str) -> NumberLiteral<'_> {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, ""));
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    NumberLiteral { text, is_negative: false, integer, fraction, exponent }
}
