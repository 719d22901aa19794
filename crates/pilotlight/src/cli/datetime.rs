//! Parses times (RFC 3339), and formats times (UTC) and ages.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pilotlight_core::time::{Timestamp, millis};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// This machine's wall clock.
pub(super) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(millis(since))
}

/// Parses `2026-11-23T04:00:00Z`, optionally with a fraction and another offset, or milliseconds since 1970.
pub(super) fn parse(text: &str) -> Result<Timestamp, String> {
    let millis_since_1970 = text.parse().ok().or_else(|| rfc3339(text));
    let millis_since_1970 = millis_since_1970.filter(|millis| *millis <= Timestamp::LAST.as_millis());
    millis_since_1970
        .map(Timestamp::from_millis)
        .ok_or_else(|| "expected a time such as 2026-11-23T04:00:00Z, or milliseconds since 1970".to_owned())
}

fn rfc3339(text: &str) -> Option<u64> {
    // The parser accepts any character between the date and the time.
    let has_separator = matches!(text.as_bytes().get(10), Some(b'T' | b't' | b' '));
    let time = OffsetDateTime::parse(text, &Rfc3339).ok().filter(|_| has_separator)?;
    u64::try_from(time.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// Formats a time as `2026-11-23 04:00:00 UTC`.
pub(super) fn format_utc(time: Timestamp) -> String {
    let seconds = i64::try_from(time.as_millis() / 1000).unwrap_or(i64::MAX);
    let Ok(time) = OffsetDateTime::from_unix_timestamp(seconds) else {
        return "after the year 9999".to_owned();
    };
    let (hour, minute, second) = time.to_hms();
    format!("{} {hour:02}:{minute:02}:{second:02} UTC", time.date())
}

/// Formats a duration in its largest whole unit: `3s`, `5m`, `2h`, `4d`.
pub(super) fn format_age(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        ..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_times_are_parsed() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:30:05.25Z", 951_827_405_250),
            ("2026-11-23T04:00:00+01:30", 1_795_401_000_000),
            ("2026-11-23 04:00:00-00:00", 1_795_406_400_000),
            ("1795406400000", 1_795_406_400_000),
        ] {
            assert_eq!(parse(text), Ok(Timestamp::from_millis(millis)), "{text}");
        }
        for wrong in [
            "",
            "soon",
            "2026-11-23",
            "2026-11-23T04:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-23T24:00:00Z",
            "1969-12-31T23:59:59Z",
            "2026-11-23T04:00:00+1:x",
            "2026-11-23T04:00:00.Z",
            "-5",
            "99999999999999999",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_formatted_time_is_the_parsed_time() {
        for text in
            ["1970-01-01 00:00:00", "2000-02-29 12:30:05", "2026-12-31 23:59:59", "2100-03-01 00:00:00"]
        {
            assert_eq!(format_utc(parse(&format!("{text}Z")).unwrap()), format!("{text} UTC"));
        }
        assert_eq!(format_utc(Timestamp::LAST), "after the year 9999");
    }

    #[test]
    fn an_age_is_formatted_in_one_unit() {
        for (seconds, text) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (7199, "1h"), (90_000, "25h"), (172_800, "2d")]
        {
            assert_eq!(format_age(Duration::from_secs(seconds)), text);
        }
    }
}
