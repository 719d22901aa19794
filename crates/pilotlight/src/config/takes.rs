//! Decides what a text may say for a key and what it then means.
//!
//! It never knows which key it reads for, nor where the text came from. Truth: the `takes` of each row.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use serde_json::{Value as Json, json};

/// Units of a duration with their length in milliseconds, longest first; a bare number has none.
const UNITS: [(&str, u64); 5] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1), ("", 1)];

/// What a key takes. Bounds are inclusive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Takes {
    Address,
    Port,
    AutoOrCount { least: usize },
    Duration { least: Duration, most: Duration },
    ZeroOrDuration { least: Duration, most: Duration },
    Word(&'static [&'static str]),
}

/// A text that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// As a user would write it.
    pub(super) text: String,
    /// The shape in which serde fills the field.
    pub(super) field: Json,
}

impl Takes {
    /// What `text` means, or `None` when it is not allowed here.
    pub(super) fn read(self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Self::Address => address(text).map(|address| Value::text(&address.to_string())),
            Self::Port => text.parse::<u16>().ok().map(|port| Value::number(port.into())),
            Self::AutoOrCount { least } => auto_or_count(text, least),
            Self::Duration { least, most } => {
                duration(text).filter(|wait| (least..=most).contains(wait)).map(Value::duration)
            }
            Self::ZeroOrDuration { least, most } => match duration(text)? {
                Duration::ZERO => Some(Value::duration(Duration::ZERO)),
                _ => Self::Duration { least, most }.read(text),
            },
            Self::Word(words) => {
                words.iter().find(|word| text.eq_ignore_ascii_case(word)).map(|word| Value::text(word))
            }
        }
    }
}

fn address(text: &str) -> Option<IpAddr> {
    if text.eq_ignore_ascii_case("localhost") {
        return Some(Ipv4Addr::LOCALHOST.into());
    }
    match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']')?.parse().ok().map(IpAddr::V6),
        None => text.parse().ok(),
    }
}

fn auto_or_count(text: &str, least: usize) -> Option<Value> {
    if text.eq_ignore_ascii_case("auto") {
        return Some(Value { text: "auto".to_owned(), field: Json::Null });
    }
    text.parse().ok().filter(|count| *count >= least).map(Value::number)
}

fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, unit_ms) = UNITS.into_iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(unit_ms).map(Duration::from_millis)
}

/// In the largest unit that leaves no rest, so that reading it gives the same duration.
fn in_units(duration: Duration) -> String {
    let whole_ms = duration.as_millis();
    let divides = |unit_ms: u64| whole_ms > 0 && whole_ms.is_multiple_of(unit_ms.into());
    UNITS
        .into_iter()
        .find(|(_, unit_ms)| divides(*unit_ms))
        .map_or_else(|| "0".to_owned(), |(name, unit_ms)| format!("{}{name}", whole_ms / u128::from(unit_ms)))
}

impl Value {
    fn text(text: &str) -> Self {
        Self { text: text.to_owned(), field: json!(text) }
    }

    fn number(number: usize) -> Self {
        Self { text: number.to_string(), field: json!(number) }
    }

    fn duration(duration: Duration) -> Self {
        let field = json!({ "secs": duration.as_secs(), "nanos": duration.subsec_nanos() });
        Self { text: in_units(duration), field }
    }
}

/// What is allowed, for people.
impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => write!(f, "an IP address or localhost"),
            Self::Port => write!(f, "a whole number from 0 to {}", u16::MAX),
            Self::AutoOrCount { least } => write!(f, "auto, or a whole number from {least} up"),
            Self::Duration { least, most } => {
                write!(f, "a duration (ms, s, m, h) from {} to {}", in_units(*least), in_units(*most))
            }
            Self::ZeroOrDuration { least, most } => {
                write!(f, "0, or {}", Self::Duration { least: *least, most: *most })
            }
            Self::Word([rest @ .., last]) => write!(f, "{} or {last}", rest.join(", ")),
            Self::Word([]) => write!(f, "nothing"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_means_what_the_row_allows_or_nothing() {
        let (least, most) = (Duration::from_millis(50), Duration::from_hours(24));
        let (wait, zero_or) = (Takes::Duration { least, most }, Takes::ZeroOrDuration { least, most });
        for (takes, table) in [
            (
                wait,
                "250ms=250ms 90s=90s 60s=1m 24h=24h 1500=1500ms 30000=30s 49= 25h= = s= 5d= 1.5s= -1s= 0=",
            ),
            (wait, "1h30m= 18446744073709551615h= 99999999999999999999="),
            (zero_or, "0=0 0s=0 49ms= 50=50ms 25h="),
            (
                Takes::Address,
                "localhost=127.0.0.1 0.0.0.0=0.0.0.0 ::1=::1 [::1]=::1 [127.0.0.1]= [::1= a.b= 1.1.1.1:80=",
            ),
            (Takes::Port, "0=0 65535=65535 65536= -1= http= ="),
            (Takes::AutoOrCount { least: 16 }, "AUTO=auto 16=16 15="),
            (Takes::Word(&["on", "off"]), "ON=on o= ="),
        ] {
            for (text, meaning) in table.split(' ').filter_map(|pair| pair.split_once('=')) {
                let read = takes.read(&format!(" {text} ")).map(|value| value.text);
                assert_eq!(read.unwrap_or_default(), meaning, "`{text}` for {takes}");
            }
        }
    }
}
