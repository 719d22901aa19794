//! Decides what a text may say for a key and what it then means.
//!
//! It never knows which key it reads for, nor where the text came from. Truth: the `takes` of each row.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{RangeFrom, RangeInclusive};
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderName;
use ipnet::IpNet;
use serde_json::{Value as Json, json};

/// Units of a duration with their length in milliseconds, longest first; a bare number has none.
const UNITS: [(&str, u64); 5] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1), ("", 1)];

/// What a key takes.
#[derive(Debug)]
pub(super) enum Takes {
    Address,
    Port,
    AutoOrCount(RangeFrom<usize>),
    Duration(RangeInclusive<Duration>),
    ZeroOrDuration(RangeInclusive<Duration>),
    Word(&'static [&'static str]),
    /// `none`, or an address with its port.
    NoneOrSocket,
    /// `none`, or the path of a file.
    NoneOrPath,
    /// `none`, `stdout`, or the path of a file.
    NoneOrStdoutOrPath,
    /// `none`, or an `http` URL without user, query and fragment.
    NoneOrHttpUrl,
    /// `none`, or a text that nobody may see.
    NoneOrSecret,
    /// Separated by commas.
    ListOfSecrets,
    /// Separated by commas.
    ListOfNetworks,
    HeaderName,
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
    pub(super) fn read(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Self::Address => address(text).map(|ip| Value::new(ip, ip.to_string())),
            Self::Port => text.parse().ok().map(|port: u16| Value::new(port, port)),
            Self::AutoOrCount(_) if text.eq_ignore_ascii_case("auto") => Some(Value::new("auto", Json::Null)),
            Self::AutoOrCount(bounds) => {
                let count = text.parse().ok().filter(|count| bounds.contains(count));
                count.map(|count| Value::new(count, count))
            }
            Self::Duration(bounds) => {
                let duration = duration(text).filter(|duration| bounds.contains(duration));
                duration.map(duration_value)
            }
            Self::ZeroOrDuration(bounds) => {
                let allowed = |duration: &Duration| duration.is_zero() || bounds.contains(duration);
                duration(text).filter(allowed).map(duration_value)
            }
            Self::Word(words) => {
                let word = words.iter().find(|word| text.eq_ignore_ascii_case(word));
                word.map(|word| Value::new(word, *word))
            }
            Self::NoneOrSocket
            | Self::NoneOrPath
            | Self::NoneOrStdoutOrPath
            | Self::NoneOrHttpUrl
            | Self::NoneOrSecret
                if text.eq_ignore_ascii_case("none") =>
            {
                Some(Value::new("none", Json::Null))
            }
            Self::NoneOrSocket => text.parse().ok().map(|at: SocketAddr| Value::new(at, at.to_string())),
            Self::NoneOrStdoutOrPath if text.eq_ignore_ascii_case("stdout") => {
                Some(Value::new("stdout", "stdout"))
            }
            Self::NoneOrHttpUrl => is_http_url(text).then(|| Value::new(text, text)),
            Self::NoneOrPath | Self::NoneOrStdoutOrPath | Self::NoneOrSecret => {
                (!text.is_empty()).then(|| Value::new(text, text))
            }
            Self::ListOfSecrets if text.is_empty() || text.eq_ignore_ascii_case("none") => Some(list([])),
            Self::ListOfSecrets => {
                let secrets: Vec<_> = parts(text).map(str::to_owned).collect();
                (!secrets.is_empty()).then(|| list(secrets))
            }
            Self::ListOfNetworks => parts(text).map(network).collect::<Option<Vec<_>>>().map(list),
            Self::HeaderName => {
                let name = HeaderName::try_from(text).ok()?;
                Some(Value::new(text, name.as_str()))
            }
        }
    }

    /// Whether a list in a file means its parts.
    pub(super) const fn is_list(&self) -> bool {
        matches!(self, Self::ListOfSecrets | Self::ListOfNetworks)
    }
}

impl Value {
    fn new(text: impl ToString, field: impl Into<Json>) -> Self {
        let (text, field) = (text.to_string(), field.into());
        Self { text, field }
    }
}

/// A file with secrets has one on each line.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

fn list(parts: impl IntoIterator<Item = String>) -> Value {
    let parts: Vec<String> = parts.into_iter().collect();
    Value::new(parts.join(","), parts)
}

/// `any` is every network of both families; an address alone is a network of one.
fn network(text: &str) -> Option<String> {
    match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
        Ok(network) => Some(network.trunc().to_string()),
        Err(_) => text.eq_ignore_ascii_case("any").then(|| "any".to_owned()),
    }
}

fn is_http_url(text: &str) -> bool {
    let Ok(url) = text.parse::<Uri>() else { return false };
    let host = url.authority().is_some_and(|host| !host.as_str().contains('@'));
    url.scheme_str() == Some("http") && host && url.query().is_none() && !text.contains('#')
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

fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let mut units = UNITS.into_iter();
    let (_, unit_ms) = units.find(|(name, _)| *name == unit.trim_start())?;
    let number: u64 = number.parse().ok()?;
    number.checked_mul(unit_ms).map(Duration::from_millis)
}

fn duration_value(duration: Duration) -> Value {
    let field = json!({ "secs": duration.as_secs(), "nanos": duration.subsec_nanos() });
    Value::new(in_units(&duration), field)
}

/// In the largest unit that leaves no rest, so that reading it gives the same duration.
fn in_units(duration: &Duration) -> String {
    let whole_ms = duration.as_millis();
    let mut units = UNITS.into_iter();
    match units.find(|(_, unit_ms)| whole_ms.is_multiple_of((*unit_ms).into())) {
        Some((name, unit_ms)) if whole_ms > 0 => {
            format!("{}{name}", whole_ms / u128::from(unit_ms))
        }
        Some(_) | None => "0".to_owned(),
    }
}

/// What is allowed, for people.
impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => write!(f, "an IP address or localhost"),
            Self::Port => write!(f, "a whole number from 0 to {}", u16::MAX),
            Self::AutoOrCount(RangeFrom { start }) => {
                write!(f, "auto, or a whole number from {start} up")
            }
            Self::Duration(bounds) => f.write_str(&between(bounds)),
            Self::ZeroOrDuration(bounds) => write!(f, "0, or {}", between(bounds)),
            Self::Word([rest @ .., last]) => write!(f, "{} or {last}", rest.join(", ")),
            Self::Word([]) => write!(f, "nothing"),
            Self::NoneOrSocket => write!(f, "none, or an IP address with a port, such as 127.0.0.1:8081"),
            Self::NoneOrPath => write!(f, "none, or the path of a file"),
            Self::NoneOrStdoutOrPath => write!(f, "none, stdout, or the path of a file"),
            Self::NoneOrHttpUrl => write!(f, "none, or an http URL such as http://127.0.0.1:4318"),
            Self::NoneOrSecret => write!(f, "none, or a text"),
            Self::ListOfSecrets => write!(f, "none, or texts separated by commas"),
            Self::ListOfNetworks => write!(f, "any, or networks such as 10.0.0.0/8, separated by commas"),
            Self::HeaderName => write!(f, "the name of a header"),
        }
    }
}

fn between(bounds: &RangeInclusive<Duration>) -> String {
    let (least, most) = (in_units(bounds.start()), in_units(bounds.end()));
    format!("a duration (ms, s, m, h) from {least} to {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_means_what_the_row_allows_or_nothing() {
        let bounds = Duration::from_millis(50)..=Duration::from_hours(24);
        let duration = Takes::Duration(bounds.clone());
        let zero_or_duration = Takes::ZeroOrDuration(bounds);
        let on_or_off = Takes::Word(&["on", "off"]);
        for (takes, table) in [
            (&duration, "250ms=250ms 90s=90s 60s=1m 24h=24h 50=50ms 1500=1500ms 30000=30s"),
            (&duration, "0= 49= 25h= = s= 5d= 1.5s= -1s= 1h30m= 18446744073709551615h="),
            (&zero_or_duration, "0=0 0s=0 49ms= 50=50ms 25h= 99999999999999999999="),
            (&Takes::Address, "localhost=127.0.0.1 0.0.0.0=0.0.0.0 ::1=::1 [::1]=::1"),
            (&Takes::Address, "[127.0.0.1]= [::1= a.b= 1.1.1.1:80= ="),
            (&Takes::Port, "0=0 65535=65535 65536= -1= http= ="),
            (&Takes::AutoOrCount(16..), "AUTO=auto 16=16 15= ="),
            (&on_or_off, "ON=on o= ="),
            (&Takes::NoneOrSocket, "NONE=none 1.1.1.1:80=1.1.1.1:80 [::1]:8=[::1]:8 1.1.1.1= :80="),
            (
                &Takes::ListOfNetworks,
                "ANY=any 10.1.2.3/8=10.0.0.0/8 ::1,,1.1.1.1=::1/128,1.1.1.1/32 x= 1.1.1.1/33=",
            ),
            (&Takes::ListOfSecrets, "a,b=a,b ,a,=a none= ,= ="),
            (&Takes::NoneOrStdoutOrPath, "NONE=none StdOut=stdout ./stdout=./stdout ="),
            (&Takes::NoneOrHttpUrl, "none=none http://a:4318=http://a:4318 http://[::1]/x=http://[::1]/x"),
            (&Takes::NoneOrHttpUrl, "https://a= a:4318= http://= http://u:p@a= http://a?b= http://a#b= ="),
            (&Takes::HeaderName, "X-Real-IP=X-Real-IP a:b= ="),
        ] {
            for (text, meaning) in table.split(' ').filter_map(|pair| pair.split_once('=')) {
                let read = takes.read(&format!(" {text} ")).map(|value| value.text);
                assert_eq!(read.unwrap_or_default(), meaning, "`{text}` for {takes}");
            }
        }
    }
}
