//! Holds the house's rules: who may use whom, and what a file may hold. A crate's manifest and the compiler hold most
//! of them already; here is what they cannot see.
//!
//! Each rule stands in `layers/rules.rs` with its reason, and with small sources that break it and that keep it, so
//! that a rule which no longer catches anything fails too. The truth about the house is its sources, read from disk.

#[path = "layers/house.rs"]
mod house;
#[path = "layers/names.rs"]
mod names;
#[path = "layers/rules.rs"]
mod rules;

use house::{File, House};
use rules::RULES;

#[test]
fn every_rule_holds_in_the_whole_house() {
    let house = House::read();
    let mut broken = String::new();
    for rule in RULES {
        for breach in rule.breaches(&house) {
            broken += &format!("{breach}\n    rule: {}\n    because {}\n", rule.name, rule.because);
        }
    }
    assert!(broken.is_empty(), "the house's rules are broken:\n{broken}");
}

#[test]
fn every_rule_catches_what_it_forbids() {
    for rule in RULES {
        assert!(!rule.breaks.is_empty(), "no example breaks: {}", rule.name);
        for (path, text) in rule.breaks {
            let house = House::of(vec![File::new(path, text)]);
            assert_eq!(rule.breaches(&house).len(), 1, "{}: {path}: {text:?}", rule.name);
        }
    }
}

#[test]
fn every_rule_spares_what_it_allows() {
    for rule in RULES {
        assert!(!rule.keeps.is_empty(), "no example keeps: {}", rule.name);
        for (path, text) in rule.keeps {
            let house = House::of(vec![File::new(path, text)]);
            let breaches: Vec<_> = rule.breaches(&house).iter().map(ToString::to_string).collect();
            assert!(breaches.is_empty(), "{}: {path}: {text:?}: {breaches:?}", rule.name);
        }
    }
}

#[test]
fn the_house_that_is_read_is_this_one() {
    let house = House::read();
    for path in [
        "Cargo.toml",
        "crates/core/Cargo.toml",
        "crates/core/src/lib.rs",
        "crates/pilotlight/tests/layers.rs",
        "xtask/src/main.rs",
    ] {
        assert!(house.files().any(|file| file.path() == path), "{path} was not read");
    }
    assert!(house.files().all(|file| !file.path().contains("node_modules")));
}
