//! Parses and formats durations and sizes: a whole number and a unit.

use std::time::Duration;

use pilotlight_core::time::millis;

/// Units of durations with their length in milliseconds, longest first; a bare number has the empty unit.
const DURATIONS: [(&str, u64); 6] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1), ("", 1)];

/// Units in which sizes are parsed and printed, with their length in bytes, largest first; a bare number has the empty
/// unit.
const SIZES: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

/// Further units that are parsed but never printed.
const OTHER_SIZES: [(&str, u64); 5] =
    [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1)];

/// Parses a duration such as `90s` or `5m`; a bare number is in milliseconds. `None` if the text is not a duration.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    let units = DURATIONS.into_iter();
    amount(text, |unit| units.clone().find(|(name, _)| *name == unit)).map(Duration::from_millis)
}

/// Formats in the largest unit that divides the duration evenly, so that parsing it gives the same duration.
pub(super) fn format_duration(duration: &Duration) -> String {
    in_units(millis(*duration), &DURATIONS)
}

/// Parses a size such as `1MiB` into bytes; a bare number is in bytes. `None` if the text is not a size.
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let units = SIZES.into_iter().chain(OTHER_SIZES);
    amount(text, |unit| units.clone().find(|(name, _)| name.eq_ignore_ascii_case(unit)))
}

/// Formats in the largest unit that divides the size evenly.
pub(super) fn format_size(bytes: u64) -> String {
    in_units(bytes, &SIZES)
}

fn amount(text: &str, unit: impl Fn(&str) -> Option<(&'static str, u64)>) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, name) = text.split_at(digits);
    let (_, length) = unit(name.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(length)
}

fn in_units(amount: u64, units: &[(&str, u64)]) -> String {
    match units.iter().find(|(_, length)| amount.is_multiple_of(*length)) {
        Some((name, length)) if amount > 0 => format!("{}{name}", amount / length),
        Some(_) | None => "0".to_owned(),
    }
}
