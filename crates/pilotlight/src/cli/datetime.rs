//! Parses times (RFC 3339), and formats times (UTC) and ages.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use pilotlight_core::time::{Timestamp, millis};

const DAY_SECONDS: i64 = 86_400;

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
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let at = rest.find(['Z', 'z', '+', '-'])?;
    let (clock, zone) = rest.split_at(at);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let [year, month, day] = parse_three(date, '-')?;
    let [hour, minute, second] = parse_three(clock, ':')?;
    let is_real = (1..=12).contains(&month) && (1..=days_in_month(year, month)).contains(&day);
    if !is_real || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days_since_1970(year, month, day) * DAY_SECONDS + hour * 3600 + minute * 60 + second;
    let whole = (seconds - parse_offset(zone)?).checked_mul(1000)?;
    u64::try_from(whole + parse_millis(fraction)?).ok()
}

fn parse_three(text: &str, between: char) -> Option<[i64; 3]> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts: Vec<_> = text.split(between).collect();
    let [one, two, three] = parts[..] else { return None };
    if ![one, two, three].into_iter().all(is_number) || one.len() > 4 {
        return None;
    }
    Some([one.parse().ok()?, two.parse().ok()?, three.parse().ok()?])
}

fn parse_millis(fraction: &str) -> Option<i64> {
    if fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{fraction:0<3}")[..3].parse().ok()
}

/// The offset from UTC in seconds.
fn parse_offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'Z' | b'z' => return (zone.len() == 1).then_some(0),
        b'-' => -1,
        _ => 1,
    };
    let (hours, minutes) = zone[1..].split_once(':')?;
    let [hours, minutes, _] = parse_three(&format!("{hours}:{minutes}:0"), ':')?;
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: it counts years from March, so that a leap day is a year's last day.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Formats a time as `2026-11-23 04:00:00 UTC`.
pub(super) fn format_utc(time: Timestamp) -> String {
    let seconds = i64::try_from(time.as_millis() / 1000).unwrap_or(i64::MAX);
    let (days, of_day) = (seconds / DAY_SECONDS, seconds % DAY_SECONDS);
    let (year, month, day) = date_of_day(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02} UTC")
}

const fn date_of_day(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + if month <= 2 { 1 } else { 0 }, month, day)
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
