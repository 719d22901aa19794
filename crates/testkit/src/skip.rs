//! Skips tests that this machine cannot run, and logs each skipped test with the reason. Requirements have the names
//! that `xtask` uses: `cargo xtask test` lists the unavailable ones in `PILOTLIGHT_MISSING`, and reads the skip log at
//! the path in `PILOTLIGHT_SKIP_LOG`.

use std::fs::OpenOptions;
use std::io::Write;

/// A requirement that the machine does not have to provide: `cargo xtask test` builds the static binary where it can,
/// and sets its path in `PILOTLIGHT_STATIC`.
const STATIC_BINARY: &str = "static-binary";

/// Returns from the test, with a line in the skip log, when the machine lacks one of these.
#[macro_export]
macro_rules! need {
    ($($requirement:literal),+) => {
        if $crate::skip::is_skipped(&[$($requirement),+], &|| ()) {
            return;
        }
    };
}
pub use need;

/// Whether one of the requirements is not met; in this case the test is logged as skipped. `location` is any closure of
/// the test: the name of its type contains the test's name.
pub fn is_skipped<T>(requirements: &[&str], location: &T) -> bool {
    let unavailable = std::env::var("PILOTLIGHT_MISSING").unwrap_or_default();
    let not_built = std::env::var_os("PILOTLIGHT_STATIC").is_none().then_some(STATIC_BINARY);
    let missing: Vec<_> =
        unavailable.split(',').chain(not_built).filter(|name| requirements.contains(name)).collect();
    if missing.is_empty() {
        return false;
    }
    skipped(location, &format!("lacking {}", missing.join(" and ")));
    true
}

/// Logs a test as skipped for a reason that only the test itself can detect.
pub fn skipped<T>(location: &T, reason: &str) {
    log(&format!("{}: {reason}", test_name(location)));
}

fn test_name<T>(_location: &T) -> String {
    let name = std::any::type_name::<T>().replace("::{{closure}}", "");
    name.split_once("::").map_or(name.clone(), |(_, name)| name.to_owned())
}

/// Writes the line with one system call, so that lines of concurrent tests do not mix.
fn log(line: &str) {
    println!("skipped: {line}");
    let Some(path) = std::env::var_os("PILOTLIGHT_SKIP_LOG") else { return };
    let mut log =
        OpenOptions::new().append(true).create(true).open(path).expect("the skip log can be written");
    log.write_all(format!("{line}\n").as_bytes()).expect("the skip log can be written");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skipped_test_is_logged_under_its_own_name() {
        let name = test_name(&|| ());
        assert_eq!(name, "skip::tests::a_skipped_test_is_logged_under_its_own_name");
    }
}
