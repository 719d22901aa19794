//! The value types of keys: which texts are allowed and which value each text means.
//!
//! It never knows which key it parses for, nor where the text came from. Source of truth: the `value_type` of each row
//! of the key tables.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::{RangeFrom, RangeInclusive};
use std::time::Duration;

use hyper::Uri;
use hyper::header::HeaderName;
use ipnet::IpNet;
use serde_json::{Value as Json, json};

use crate::config::units;

/// The type of a key's value.
#[derive(Debug)]
pub(super) enum ValueType {
    Address,
    Port,
    AutoOrCount(RangeFrom<usize>),
    Number(RangeInclusive<u32>),
    AutoOrNumber(RangeInclusive<u32>),
    /// A number of bytes, with an optional unit.
    Size(RangeInclusive<u64>),
    ZeroOrSize(RangeInclusive<u64>),
    Duration(RangeInclusive<Duration>),
    ZeroOrDuration(RangeInclusive<Duration>),
    OneOf(&'static [&'static str]),
    /// `none`, or an address with its port.
    NoneOrSocket,
    /// The path of a folder.
    Path,
    /// `none`, or the path of a file.
    NoneOrPath,
    /// `none`, `stdout`, or the path of a file.
    NoneOrStdoutOrPath,
    /// `none`, or an `http` URL without user, query and fragment.
    NoneOrHttpUrl,
    /// `none`, or an `http` or `https` URL without user and fragment.
    NoneOrUrl,
    /// `none`, or the URL of a PostgreSQL database, which mostly has a password in it.
    NoneOrPostgres,
    /// `none`, or a JSON pointer to something within a document.
    NoneOrPointer,
    /// `none`, or a secret text.
    NoneOrSecret,
    /// One or more of these choices, separated by commas.
    SomeOf(&'static [&'static str]),
    /// Host names or IP addresses, separated by commas.
    ListOfHosts,
    /// Secret texts, separated by commas or line breaks.
    ListOfSecrets,
    /// `any` or networks, separated by commas.
    ListOfNetworks,
    HeaderName,
}

/// A text that was parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    /// The value as a user would write it.
    pub(super) text: String,
    /// The JSON from which serde fills the field of the section's struct.
    pub(super) field: Json,
}

impl ValueType {
    /// The value that `text` means, or `None` when the text is not allowed for this type.
    pub(super) fn parse(&self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Self::Address => address(text).map(|ip| Value::new(ip, ip.to_string())),
            Self::Port => text.parse().ok().map(|port: u16| Value::new(port, port)),
            Self::AutoOrCount(_) if text.eq_ignore_ascii_case("auto") => Some(Value::new("auto", Json::Null)),
            Self::AutoOrCount(bounds) => {
                let count = text.parse().ok().filter(|count| bounds.contains(count));
                count.map(|count| Value::new(count, count))
            }
            Self::AutoOrNumber(_) if text.eq_ignore_ascii_case("auto") => {
                Some(Value::new("auto", Json::Null))
            }
            Self::Number(bounds) | Self::AutoOrNumber(bounds) => {
                let number = text.parse().ok().filter(|number| bounds.contains(number));
                number.map(|number| Value::new(number, number))
            }
            Self::Size(bounds) => {
                units::parse_size(text).filter(|size| bounds.contains(size)).map(size_value)
            }
            Self::ZeroOrSize(bounds) => {
                let allowed = |size: &u64| *size == 0 || bounds.contains(size);
                units::parse_size(text).filter(allowed).map(size_value)
            }
            Self::Duration(bounds) => {
                let duration = units::parse_duration(text).filter(|duration| bounds.contains(duration));
                duration.map(duration_value)
            }
            Self::ZeroOrDuration(bounds) => {
                let allowed = |duration: &Duration| duration.is_zero() || bounds.contains(duration);
                units::parse_duration(text).filter(allowed).map(duration_value)
            }
            Self::OneOf(choices) => {
                let choice = choices.iter().find(|choice| text.eq_ignore_ascii_case(choice));
                choice.map(|choice| Value::new(choice, *choice))
            }
            Self::NoneOrSocket
            | Self::NoneOrPath
            | Self::NoneOrStdoutOrPath
            | Self::NoneOrHttpUrl
            | Self::NoneOrUrl
            | Self::NoneOrPostgres
            | Self::NoneOrPointer
            | Self::NoneOrSecret
                if text.eq_ignore_ascii_case("none") =>
            {
                Some(Value::new("none", Json::Null))
            }
            Self::NoneOrSocket => text.parse().ok().map(|at: SocketAddr| Value::new(at, at.to_string())),
            Self::NoneOrStdoutOrPath if text.eq_ignore_ascii_case("stdout") => {
                Some(Value::new("stdout", "stdout"))
            }
            Self::NoneOrHttpUrl => {
                let is_fine = is_url(text, &["http"]) && !text.contains('?');
                is_fine.then(|| Value::new(text, text))
            }
            Self::NoneOrUrl => is_url(text, &["http", "https"]).then(|| Value::new(text, text)),
            Self::NoneOrPostgres => is_postgres(text).then(|| Value::new(text, text)),
            Self::NoneOrPointer => is_pointer(text).then(|| Value::new(text, text)),
            Self::Path | Self::NoneOrPath | Self::NoneOrStdoutOrPath | Self::NoneOrSecret => {
                (!text.is_empty()).then(|| Value::new(text, text))
            }
            Self::ListOfSecrets if text.is_empty() || text.eq_ignore_ascii_case("none") => Some(list([])),
            Self::ListOfSecrets => {
                let secrets: Vec<_> = parts(text).map(str::to_owned).collect();
                (!secrets.is_empty()).then(|| list(secrets))
            }
            Self::ListOfNetworks => parts(text).map(network).collect::<Option<Vec<_>>>().map(list),
            Self::SomeOf(choices) => {
                let known = |part: &str| choices.iter().find(|choice| part.eq_ignore_ascii_case(choice));
                let parts: Option<Vec<_>> =
                    parts(text).map(|part| known(part).map(ToString::to_string)).collect();
                parts.filter(|parts| !parts.is_empty()).map(list)
            }
            Self::ListOfHosts => parts(text).map(host).collect::<Option<Vec<_>>>().map(list),
            Self::HeaderName => {
                let name = HeaderName::try_from(text).ok()?;
                Some(Value::new(text, name.as_str()))
            }
        }
    }

    /// Whether the file may spell the value as a TOML array instead of one comma-separated string.
    pub(super) const fn is_list(&self) -> bool {
        matches!(self, Self::ListOfSecrets | Self::ListOfNetworks | Self::SomeOf(_) | Self::ListOfHosts)
    }
}

impl Value {
    fn new(text: impl ToString, field: impl Into<Json>) -> Self {
        let (text, field) = (text.to_string(), field.into());
        Self { text, field }
    }
}

/// Splits at commas, and at line breaks: a file of secrets has one secret per line.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', '\n']).map(str::trim).filter(|part| !part.is_empty())
}

fn list(parts: impl IntoIterator<Item = String>) -> Value {
    let parts: Vec<String> = parts.into_iter().collect();
    Value::new(parts.join(","), parts)
}

/// `any` is every network of both IP families; a bare address is a network of one address.
fn network(text: &str) -> Option<String> {
    match text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)) {
        Ok(network) => Some(network.trunc().to_string()),
        Err(_) => text.eq_ignore_ascii_case("any").then(|| "any".to_owned()),
    }
}

fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Ok(url) = text.parse::<Uri>() else { return false };
    let host = url.authority().is_some_and(|host| !host.as_str().contains('@'));
    url.scheme_str().is_some_and(|scheme| schemes.contains(&scheme)) && host && !text.contains('#')
}

/// Checks only the scheme and that there is no whitespace; the database driver parses the rest.
fn is_postgres(text: &str) -> bool {
    let rest = text.strip_prefix("postgres://").or(text.strip_prefix("postgresql://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains(char::is_whitespace))
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

fn size_value(size: u64) -> Value {
    Value::new(units::format_size(size), size)
}

fn duration_value(duration: Duration) -> Value {
    let field = json!({ "secs": duration.as_secs(), "nanos": duration.subsec_nanos() });
    Value::new(units::format_duration(&duration), field)
}

/// A host name or an IP address, without a port.
fn host(text: &str) -> Option<String> {
    let is_name = |name: &str| {
        name.split('.')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'))
    };
    (text.parse::<IpAddr>().is_ok() || is_name(text)).then(|| text.to_ascii_lowercase())
}

/// A JSON pointer (RFC 6901). The empty pointer is refused: it names the whole document, not a value inside it.
fn is_pointer(text: &str) -> bool {
    let escapes = text.split('~').skip(1);
    text.starts_with('/') && escapes.into_iter().all(|after| after.starts_with(['0', '1']))
}

/// The allowed values, as shown to users in errors and in `docs/configuration.md`.
impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address => write!(f, "an IP address or localhost"),
            Self::Port => write!(f, "a whole number from 0 to {}", u16::MAX),
            Self::AutoOrCount(RangeFrom { start }) => {
                write!(f, "auto, or a whole number from {start} up")
            }
            Self::Number(bounds) => write!(f, "a whole number {}", from_to(bounds)),
            Self::AutoOrNumber(bounds) => write!(f, "auto, or a whole number {}", from_to(bounds)),
            Self::Size(bounds) => f.write_str(&size_between(bounds)),
            Self::ZeroOrSize(bounds) => write!(f, "0, or {}", size_between(bounds)),
            Self::Duration(bounds) => f.write_str(&between(bounds)),
            Self::ZeroOrDuration(bounds) => write!(f, "0, or {}", between(bounds)),
            Self::OneOf([rest @ .., last]) => write!(f, "{} or {last}", rest.join(", ")),
            Self::OneOf([]) => write!(f, "nothing"),
            Self::NoneOrSocket => write!(f, "none, or an IP address with a port, such as 127.0.0.1:8081"),
            Self::Path => write!(f, "the path of a folder"),
            Self::NoneOrPath => write!(f, "none, or the path of a file"),
            Self::NoneOrStdoutOrPath => write!(f, "none, stdout, or the path of a file"),
            Self::NoneOrHttpUrl => write!(f, "none, or an http URL such as http://127.0.0.1:4318"),
            Self::NoneOrUrl => write!(f, "none, or an http or https URL such as https://example.org/hook"),
            Self::NoneOrPostgres => {
                write!(f, "none, or an URL such as postgres://user:password@host/database")
            }
            Self::NoneOrPointer => write!(f, "none, or a JSON pointer such as /files/0/url"),
            Self::SomeOf(choices) => write!(f, "some of {}, separated by commas", choices.join(", ")),
            Self::ListOfHosts => write!(f, "names or addresses of hosts, separated by commas"),
            Self::NoneOrSecret => write!(f, "none, or a text"),
            Self::ListOfSecrets => write!(f, "none, or texts separated by commas"),
            Self::ListOfNetworks => write!(f, "any, or networks such as 10.0.0.0/8, separated by commas"),
            Self::HeaderName => write!(f, "the name of a header"),
        }
    }
}

fn from_to<T: fmt::Display>(bounds: &RangeInclusive<T>) -> String {
    format!("from {} to {}", bounds.start(), bounds.end())
}

fn size_between(bounds: &RangeInclusive<u64>) -> String {
    let (least, most) = (units::format_size(*bounds.start()), units::format_size(*bounds.end()));
    format!("bytes (KB, MB, GB, TB, KiB, MiB, GiB, TiB) from {least} to {most}")
}

fn between(bounds: &RangeInclusive<Duration>) -> String {
    let (least, most) = (units::format_duration(bounds.start()), units::format_duration(bounds.end()));
    format!("a duration (ms, s, m, h, d) from {least} to {most}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_parsed_or_rejected_by_its_value_type() {
        let bounds = Duration::from_millis(50)..=Duration::from_hours(24);
        let duration = ValueType::Duration(bounds.clone());
        let zero_or_duration = ValueType::ZeroOrDuration(bounds);
        let on_or_off = ValueType::OneOf(&["on", "off"]);
        for (value_type, table) in [
            (&duration, "250ms=250ms 90s=90s 60s=1m 24h=1d 50=50ms 1500=1500ms 30000=30s"),
            (&duration, "0= 49= 25h= = s= 2d= 1.5s= -1s= 1h30m= 18446744073709551615h="),
            (&zero_or_duration, "0=0 0s=0 49ms= 50=50ms 25h= 99999999999999999999="),
            (&ValueType::Address, "localhost=127.0.0.1 0.0.0.0=0.0.0.0 ::1=::1 [::1]=::1"),
            (&ValueType::Address, "[127.0.0.1]= [::1= a.b= 1.1.1.1:80= ="),
            (&ValueType::Port, "0=0 65535=65535 65536= -1= http= ="),
            (&ValueType::AutoOrCount(16..), "AUTO=auto 16=16 15= ="),
            (&on_or_off, "ON=on o= ="),
            (&ValueType::NoneOrSocket, "NONE=none 1.1.1.1:80=1.1.1.1:80 [::1]:8=[::1]:8 1.1.1.1= :80="),
            (
                &ValueType::ListOfNetworks,
                "ANY=any 10.1.2.3/8=10.0.0.0/8 ::1,,1.1.1.1=::1/128,1.1.1.1/32 x= 1.1.1.1/33=",
            ),
            (&ValueType::ListOfSecrets, "a,b=a,b ,a,=a none= ,= ="),
            (&ValueType::NoneOrStdoutOrPath, "NONE=none StdOut=stdout ./stdout=./stdout ="),
            (
                &ValueType::NoneOrHttpUrl,
                "none=none http://a:4318=http://a:4318 http://[::1]/x=http://[::1]/x",
            ),
            (
                &ValueType::NoneOrHttpUrl,
                "https://a= a:4318= http://= http://u:p@a= http://a?b= http://a#b= =",
            ),
            (&ValueType::Number(0..=9), "0=0 9=9 10= -1= ="),
            (&ValueType::AutoOrNumber(0..=9), "Auto=auto 9=9 10="),
            (&ValueType::Size(1..=1 << 30), "1=1 1KB=1000 100KiB=100KiB 1024=1KiB 1GiB=1GiB 2GiB= 0= 1T= ="),
            (&ValueType::ZeroOrSize(1024..=4096), "0=0 1= 1KiB=1KiB 5KiB="),
            (&ValueType::Path, "./a=./a none=none ="),
            (
                &ValueType::NoneOrUrl,
                "none=none https://a/x?y=https://a/x?y http://a=http://a ftp://a= https://u@a= a=",
            ),
            (
                &ValueType::NoneOrPostgres,
                "none=none postgres://u:p@h/d=postgres://u:p@h/d mysql://h/d= postgres://= h=",
            ),
            (&ValueType::NoneOrPointer, "none=none /a/0/~1b=/a/0/~1b a= /a~2= /a~= ="),
            (&ValueType::SomeOf(&["a", "bc"]), "BC,a=bc,a d= ="),
            (&ValueType::ListOfHosts, "A.example,10.0.0.1,::1=a.example,10.0.0.1,::1 a:1= a/= a..b= ="),
            (&ValueType::HeaderName, "X-Real-IP=X-Real-IP a:b= ="),
        ] {
            for (text, meaning) in table.split(' ').filter_map(|pair| pair.split_once('=')) {
                let parsed = value_type.parse(&format!(" {text} ")).map(|value| value.text);
                assert_eq!(parsed.unwrap_or_default(), meaning, "`{text}` for {value_type}");
            }
        }
    }
}
