//! What a machine cannot run says why and is counted as skipped. The names of needs are those of `xtask/src/needs.rs`;
//! `cargo xtask test` says in `PILOTLIGHT_LACKS` which are not met and reads the log named by `PILOTLIGHT_SKIP_LOG`.

use std::fs::OpenOptions;
use std::io::Write;

/// No need of the machine's: `cargo xtask test` builds it where it can, and names it in `PILOTLIGHT_STATIC`.
const STATIC_BINARY: &str = "static-binary";

/// Returns from the test, with a note in the skip log, when the machine lacks one of these.
macro_rules! need {
    ($($need:literal),+) => {
        if $crate::support::skip::is_skipped(&[$($need),+], &|| ()) {
            return;
        }
    };
}
pub(crate) use need;

/// Whether a need is not met; then it is noted. `place` is any closure of the test: its type carries the test's name.
pub(crate) fn is_skipped<T>(needs: &[&str], place: &T) -> bool {
    let lacks = std::env::var("PILOTLIGHT_LACKS").unwrap_or_default();
    let not_built = std::env::var_os("PILOTLIGHT_STATIC").is_none().then_some(STATIC_BINARY);
    let lacking: Vec<_> = lacks.split(',').chain(not_built).filter(|name| needs.contains(name)).collect();
    if lacking.is_empty() {
        return false;
    }
    note(&format!("{}: lacking {}", test_name(place), lacking.join(" and ")));
    true
}

fn test_name<T>(_place: &T) -> String {
    let name = std::any::type_name::<T>().replace("::{{closure}}", "");
    name.split_once("::").map_or(name.clone(), |(_, name)| name.to_owned())
}

/// One write of a whole line, so that lines of tests that run at the same time do not mix.
fn note(line: &str) {
    println!("skipped: {line}");
    let Some(path) = std::env::var_os("PILOTLIGHT_SKIP_LOG") else { return };
    let mut log =
        OpenOptions::new().append(true).create(true).open(path).expect("the skip log can be written");
    log.write_all(format!("{line}\n").as_bytes()).expect("the skip log can be written");
}

#[test]
fn a_skipped_test_is_noted_under_its_own_name() {
    assert_eq!(test_name(&|| ()), "support::skip::a_skipped_test_is_noted_under_its_own_name");
}
