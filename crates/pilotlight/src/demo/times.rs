//! Formats a time in µs, ms or s, whichever is easiest to read.

/// Formats `us` microseconds.
pub(super) fn format_time(us: u64) -> String {
    match us {
        0..1000 => format!("{us} µs"),
        1000..1_000_000 => format!("{:.1} ms", us as f64 / 1000.0),
        _ => format!("{:.2} s", us as f64 / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_of_a_time_depends_on_its_length() {
        assert_eq!(
            [format_time(90), format_time(1500), format_time(2_500_000)],
            ["90 µs", "1.5 ms", "2.50 s"]
        );
    }
}
