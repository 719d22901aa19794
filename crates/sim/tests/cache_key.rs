//! The cache key: known parameters, many mutations of each, and pairs of values that are equal or almost equal.

use std::collections::BTreeMap;

use fastrand::Rng;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::JobType;
use pilotlight_sim::corpus::Corpus;
use pilotlight_sim::soak::iterations;
use pilotlight_sim::targets::cache_key;
use pilotlight_sim::targets::exact_value::{ExactNumber, ExactValue};
use proptest::prelude::*;

#[test]
fn known_parameters_have_the_documented_form() {
    Corpus::of("cache_key", cache_key).replay();
}

#[test]
fn every_mutation_of_known_parameters_has_the_documented_form() {
    Corpus::of("cache_key", cache_key).mutate(1, iterations(2000, 500_000));
}

/// Every double has the form of RFC 8785, and its neighbours have other keys.
#[test]
fn neighbouring_numbers_have_different_keys() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..iterations(50_000, 50_000_000) {
        let number = random_number(&mut rng);
        cache_key(format!("[{number}]").as_bytes());
        cache_key(format!("[{number:e}]").as_bytes());
        let (down, up) = (number.next_down(), number.next_up());
        for neighbour in [down, up].into_iter().filter(|neighbour| neighbour.is_finite()) {
            assert_ne!(key(&format!("[{number:e}]")), key(&format!("[{neighbour:e}]")), "{number:e}");
        }
    }
}

fn random_number(rng: &mut Rng) -> f64 {
    let number = match rng.u8(..4) {
        0 => f64::from_bits(rng.u64(..)),
        1 => rng.f64() * 64.0 - 32.0,
        2 => rng.i64(..) as f64,
        _ => f64::from(rng.i32(-100_000..100_000)) / 1000.0,
    };
    if number.is_finite() { number } else { 0.0 }
}

fn key(input: &str) -> CacheKey {
    let job_type = JobType::parse("any").expect("a valid job type");
    CacheKey::of(&job_type, None, input).unwrap_or_else(|error| panic!("{input}: {error}"))
}

/// Numbers of few digits around the limit of exact integers in doubles, so that many are close to each other.
fn numbers() -> impl Strategy<Value = ExactNumber> {
    let around = |center: u128| (0..5_u128).prop_map(move |distance| (center + distance).to_string());
    let digits = prop_oneof![
        (0..30_u128).prop_map(|number| number.to_string()),
        around(9_007_199_254_740_990),
        around(18_446_744_073_709_551_613),
        around(999_999_999_999_999_999_998),
        "[0-9]{1,40}",
    ];
    let powers = prop_oneof![Just(0), -3..4_i32, -350..-300_i32, 290..320_i32, any::<i32>()];
    (any::<bool>(), digits, powers).prop_map(|(is_negative, digits, power)| {
        ExactNumber::of(&format!("{}{digits}e{power}", if is_negative { "-" } else { "" }))
    })
}

fn values() -> impl Strategy<Value = ExactValue> {
    let names = || prop_oneof!["[ab]{0,2}", "\\PC{0,3}", Just("\u{fb33}".to_owned()), Just("😀".to_owned())];
    let leaves = prop_oneof![
        4 => numbers().prop_map(ExactValue::Number),
        1 => names().prop_map(ExactValue::Text),
        1 => any::<String>().prop_map(ExactValue::Text),
        1 => any::<bool>().prop_map(ExactValue::Bool),
        1 => Just(ExactValue::Null),
    ];
    leaves.prop_recursive(3, 12, 3, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(ExactValue::List),
            prop::collection::btree_map(names(), inner, 0..4).prop_map(ExactValue::Object),
        ]
    })
}

/// Wraps the value in an object, because parameters are objects.
fn params(value: &ExactValue) -> ExactValue {
    ExactValue::Object(BTreeMap::from([("value".to_owned(), value.clone())]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: iterations(2000, 1_000_000) as u32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn values_share_a_key_only_when_they_are_equal(a in values(), b in values(), seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let (a, b) = (params(&a), params(&b));
        let key_of = |value: &ExactValue, rng: &mut Rng| key(&value.to_random_text(rng));
        prop_assert_eq!(key_of(&a, &mut rng), key_of(&a, &mut rng));
        prop_assert_eq!(key_of(&a, &mut rng) == key_of(&b, &mut rng), a == b);
    }

    #[test]
    fn numbers_share_a_key_only_when_they_are_equal(a in numbers(), b in numbers(), seed: u64) {
        let mut rng = Rng::with_seed(seed);
        let mut key_of = |number: &ExactNumber| key(&format!("[{}]", number.to_random_text(&mut rng)));
        prop_assert_eq!(key_of(&a) == key_of(&b), a == b);
    }

    #[test]
    fn every_value_has_the_documented_form(value in values(), seed: u64) {
        cache_key(value.to_random_text(&mut Rng::with_seed(seed)).as_bytes());
    }
}
