//! Target: any bytes as a job's parameters. The expected result comes from docs/protocols/jobs.md, an independent
//! implementation of RFC 8785, and the value of the JSON text.

use fastrand::Rng;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::canonical::canonical;
use pilotlight_core::ids::JobType;
use pilotlight_core::limits::JSON_DEPTH;

use super::json::{self, Kind, Node, Not};
use super::meaning::Meaning;

/// Number of other spellings that are tested for each text.
const SPELLINGS: usize = 3;

/// Parses the bytes as parameters.
///
/// # Panics
/// When the canonical form has another value than the text, when another spelling has another canonical form, or when
/// the form differs from RFC 8785's although that form would lose nothing.
pub fn cache_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let meaning = match json::read(data) {
        Ok(node) => meaning(&node),
        Err(Not::Json) => None,
        Err(Not::Tried) => {
            return assert!(canonical(text).is_err(), "a text that is nested too deeply is accepted");
        }
    };
    let form = canonical(text).ok();
    assert_eq!(
        form.is_some(),
        meaning.is_some(),
        "a text without one value has a form, or a text with one value has none"
    );
    let (Some(form), Some(meaning)) = (form, meaning) else { return };
    let plain = unmarked(&form);
    let read = json::read(plain.as_bytes()).expect("a form without its marks is JSON");
    assert_eq!(Meaning::of(&read).as_ref(), Some(&meaning), "the form has another value: {form}");
    if plain == form {
        compare_with_other_implementation(text, &form);
    }
    if !form.contains('~') {
        check_spellings(text, &form, &meaning);
    }
}

fn meaning(node: &Node<'_>) -> Option<Meaning> {
    Meaning::of(node).filter(|meaning| meaning.depth() <= JSON_DEPTH)
}

/// Removes the marks before numbers from a form.
fn unmarked(form: &str) -> String {
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

/// Compares a form without marks with that of another implementation, because RFC 8785 would lose nothing of it. Texts
/// that serde refuses cannot be compared.
fn compare_with_other_implementation(text: &str, form: &str) {
    let Ok(tree) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let other = serde_json_canonicalizer::to_string(&tree).expect("a JSON value has a form");
    assert_eq!(form, other, "the form differs from RFC 8785's");
}

fn check_spellings(text: &str, form: &str, meaning: &Meaning) {
    let mut rng = Rng::with_seed(text.len() as u64);
    for _ in 0..SPELLINGS {
        let spelled = meaning.spell(&mut rng);
        assert_eq!(canonical(&spelled).as_deref(), Ok(form), "{spelled} has another form");
        assert_eq!(key(&spelled), key(text), "{spelled} has another key");
    }
    let is_params =
        matches!(json::read(text.as_bytes()), Ok(Node { kind: Kind::List(_) | Kind::Object(_), .. }));
    assert_eq!(key(text).is_some(), is_params, "only objects and lists have a key");
}

fn key(text: &str) -> Option<CacheKey> {
    let job_type = JobType::parse("any").expect("it is a job's type");
    CacheKey::of(&job_type, None, text).ok()
}
