//! Target: any bytes as a job's parameters. The expected result comes from docs/protocols/jobs.md, an independent
//! implementation of RFC 8785, and the value of the JSON text.

use fastrand::Rng;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::canonical::canonical;
use pilotlight_core::ids::JobType;
use pilotlight_core::limits::JSON_DEPTH;

use super::exact_value::ExactValue;
use super::json::{self, Kind, Node, ParseError};

/// Number of other texts with the same value that are tested for each text.
const OTHER_TEXTS: usize = 3;

/// Tests the bytes as the parameters of a job.
///
/// # Panics
/// When the canonical form has another value than the text, when another text with the same value has another canonical
/// form, or when the form differs from the form of RFC 8785 although that form is exact.
pub fn cache_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let value = match json::read(data) {
        Ok(node) => value_of(&node),
        Err(ParseError::NotJson) => None,
        Err(ParseError::TooDeep) => {
            return assert!(canonical(text).is_err(), "a text that is nested too deeply is accepted");
        }
    };
    let form = canonical(text).ok();
    assert_eq!(
        form.is_some(),
        value.is_some(),
        "a text without one value has a form, or a text with one value has none"
    );
    let (Some(form), Some(value)) = (form, value) else { return };
    let plain = without_marks(&form);
    let read = json::read(plain.as_bytes()).expect("a form without marks is JSON");
    assert_eq!(ExactValue::of(&read).as_ref(), Some(&value), "the form has another value: {form}");
    if plain == form {
        compare_with_other_implementation(text, &form);
    }
    if !form.contains('~') {
        check_other_texts(text, &form, &value);
    }
}

fn value_of(node: &Node<'_>) -> Option<ExactValue> {
    ExactValue::of(node).filter(|value| value.depth() <= JSON_DEPTH)
}

/// Removes the marks before numbers from a form.
fn without_marks(form: &str) -> String {
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

/// Compares a form without marks with the form of another implementation of RFC 8785: the two must be equal, because
/// RFC 8785 is exact for such values. Texts that serde rejects cannot be compared.
fn compare_with_other_implementation(text: &str, form: &str) {
    let Ok(tree) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let other = serde_json_canonicalizer::to_string(&tree).expect("a JSON value has a form");
    assert_eq!(form, other, "the form differs from the form of RFC 8785");
}

fn check_other_texts(text: &str, form: &str, value: &ExactValue) {
    let mut rng = Rng::with_seed(text.len() as u64);
    for _ in 0..OTHER_TEXTS {
        let other_text = value.to_random_text(&mut rng);
        assert_eq!(canonical(&other_text).as_deref(), Ok(form), "{other_text} has another form");
        assert_eq!(key(&other_text), key(text), "{other_text} has another key");
    }
    let is_params =
        matches!(json::read(text.as_bytes()), Ok(Node { kind: Kind::List(_) | Kind::Object(_), .. }));
    assert_eq!(key(text).is_some(), is_params, "only objects and lists have a key");
}

fn key(text: &str) -> Option<CacheKey> {
    let job_type = JobType::parse("any").expect("a valid job type");
    CacheKey::of(&job_type, None, text).ok()
}
