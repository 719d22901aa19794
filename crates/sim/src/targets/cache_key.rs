//! Any bytes as a job's parameters. Its truth is the contract, "Numbers in the cache key", RFC 8785 by another hand, and
//! what JSON means.

use fastrand::Rng;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::canonical::canonical;
use pilotlight_core::ids::JobType;
use pilotlight_core::limits::JSON_DEPTH;

use super::json::{self, Kind, Node, ReadError};
use super::json_value::JsonValue;

/// Other spellings that are tried of each text.
const VARIANTS: usize = 3;

/// Reads the bytes as parameters.
///
/// # Panics
/// When the canonical form means something else than the text, when another spelling has another one, or when it is not
/// RFC 8785's although that would lose nothing.
pub fn cache_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let value = match json::read(data) {
        Ok(node) => value(&node),
        Err(ReadError::Invalid) => None,
        Err(ReadError::TooDeep) => return assert!(canonical(text).is_err(), "accepted what is too deep"),
    };
    let form = canonical(text).ok();
    assert_eq!(form.is_some(), value.is_some(), "a form for what has no meaning, or none for what has");
    let (Some(form), Some(value)) = (form, value) else { return };
    let plain = without_markers(&form);
    let read = json::read(plain.as_bytes()).expect("without its marks a form is JSON");
    assert_eq!(JsonValue::of(&read).as_ref(), Some(&value), "the form means something else: {form}");
    if plain == form {
        check_against_rfc8785(text, &form);
    }
    if !form.contains('~') {
        check_variants(text, &form, &value);
    }
}

fn value(node: &Node<'_>) -> Option<JsonValue> {
    JsonValue::of(node).filter(|value| value.depth() <= JSON_DEPTH)
}

/// The form without the marks before numbers.
fn without_markers(form: &str) -> String {
    let mut plain = String::new();
    let (mut is_text, mut is_escaped) = (false, false);
    for letter in form.chars() {
        if is_text || !matches!(letter, '#' | '~') {
            plain.push(letter);
        }
        is_text ^= letter == '"' && !is_escaped;
        is_escaped = letter == '\\' && !is_escaped;
    }
    plain
}

/// Without marks nothing would be lost by RFC 8785. It can say nothing of what serde refuses.
fn check_against_rfc8785(text: &str, form: &str) {
    let Ok(tree) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let other = serde_json_canonicalizer::to_string(&tree).expect("a tree of JSON has a form");
    assert_eq!(form, other, "not as RFC 8785 says");
}

fn check_variants(text: &str, form: &str, value: &JsonValue) {
    let mut rng = Rng::with_seed(text.len() as u64);
    for _ in 0..VARIANTS {
        let variant = value.write_variant(&mut rng);
        assert_eq!(canonical(&variant).as_deref(), Ok(form), "another form of {variant}");
        assert_eq!(key(&variant), key(text), "another key of {variant}");
    }
    let is_params =
        matches!(json::read(text.as_bytes()), Ok(Node { kind: Kind::Array(_) | Kind::Object(_), .. }));
    assert_eq!(key(text).is_some(), is_params, "parameters are objects and lists");
}

fn key(text: &str) -> Option<CacheKey> {
    let job_type = JobType::parse("any").expect("it is a job's type");
    CacheKey::of(&job_type, None, text).ok()
}
