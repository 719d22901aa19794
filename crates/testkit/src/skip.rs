//! Skips tests that this machine cannot run, and logs each skipped test with the reason. Requirements have the names
//! that `xtask` uses: `cargo xtask test` lists the unavailable ones in `PILOTLIGHT_MISSING`, and reads the skip log at the
//! path in `PILOTLIGHT_SKIP_LOG`.

use std::fs::OpenOptions;
use std::io::Write;

/// No requirement of the machine's: `cargo xtask test` builds it where it can, and names it in `PILOTLIGHT_STATIC`.
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

/// Whether a requirement is not met; then it is logged. `location` is any closure of the test: its type carries the
/// test's name.
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

/// Logs a test as skipped for a reason that only the test itself could find out.
pub fn skipped<T>(location: &T, why: &str) {
    log(&format!("{}: {why}", test_name(location)));
}

fn test_name<T>(_location: &T) -> String {
    let name = std::any::type_name::<T>().replace("::{{closure}}", "");
    name.split_once("::").map_or(name.clone(), |(_, name)| name.to_owned())
}

/// One write of a whole line, so that lines of tests that run at the same time do not mix.
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
