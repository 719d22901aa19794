//! Any bytes as a job's parameters. Its truth is the contract, "Numbers in the cache key", RFC 8785 by another hand, and
//! what JSON means.

use fastrand::Rng;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::canonical::canonical;
use pilotlight_core::ids::JobType;
use pilotlight_core::limits::JSON_DEPTH;

use super::json::{self, Kind, Node, Not};
use super::meaning::Meaning;

/// Other spellings that are tried of each text.
const SPELLINGS: usize = 3;

/// Reads the bytes as parameters.
///
/// # Panics
/// When the canonical form means something else than the text, when another spelling has another one, or when it is not
/// RFC 8785's although that would lose nothing.
pub fn cache_key(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let meaning = match json::read(data) {
        Ok(node) => meaning(&node),
        Err(Not::Json) => None,
        Err(Not::Tried) => return assert!(canonical(text).is_err(), "accepted what is too deep"),
    };
    let form = canonical(text).ok();
    assert_eq!(form.is_some(), meaning.is_some(), "a form for what has no meaning, or none for what has");
    let (Some(form), Some(meaning)) = (form, meaning) else { return };
    let plain = unmarked(&form);
    let read = json::read(plain.as_bytes()).expect("without its marks a form is JSON");
    assert_eq!(Meaning::of(&read).as_ref(), Some(&meaning), "the form means something else: {form}");
    if plain == form {
        check_by_another_hand(text, &form);
    }
    if !form.contains('~') {
        check_spellings(text, &form, &meaning);
    }
}

fn meaning(node: &Node<'_>) -> Option<Meaning> {
    Meaning::of(node).filter(|meaning| meaning.depth() <= JSON_DEPTH)
}

/// The form without the marks before numbers.
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

/// Without marks nothing would be lost by RFC 8785. It can say nothing of what serde refuses.
fn check_by_another_hand(text: &str, form: &str) {
    let Ok(tree) = serde_json::from_str::<serde_json::Value>(text) else { return };
    let other = serde_json_canonicalizer::to_string(&tree).expect("a tree of JSON has a form");
    assert_eq!(form, other, "not as RFC 8785 says");
}

fn check_spellings(text: &str, form: &str, meaning: &Meaning) {
    let mut rng = Rng::with_seed(text.len() as u64);
    for _ in 0..SPELLINGS {
        let spelled = meaning.spell(&mut rng);
        assert_eq!(canonical(&spelled).as_deref(), Ok(form), "another form of {spelled}");
        assert_eq!(key(&spelled), key(text), "another key of {spelled}");
    }
    let is_params =
        matches!(json::read(text.as_bytes()), Ok(Node { kind: Kind::List(_) | Kind::Object(_), .. }));
    assert_eq!(key(text).is_some(), is_params, "parameters are objects and lists");
}

fn key(text: &str) -> Option<CacheKey> {
    let job_type = JobType::parse("any").expect("it is a job's type");
    CacheKey::of(&job_type, None, text).ok()
}
