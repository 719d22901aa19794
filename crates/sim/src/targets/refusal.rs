//! Checks error texts: they have a fixed subject and a fixed reason, and no number except a limit or a position.
//! Anything else could be a payload, a prompt or a token.

use hyper::StatusCode;
use pilotlight::http::error::ApiError;

const STATUSES: [StatusCode; 2] = [StatusCode::BAD_REQUEST, StatusCode::PAYLOAD_TOO_LARGE];

const SUBJECTS: [&str; 13] = [
    "the body",
    "dequeuedMessage",
    "deployment.friendlyId",
    "backgroundWorker.version",
    "run.friendlyId",
    "run.machine.cpu",
    "run.machine.memory",
    "x-trigger-deployment-id",
    "x-trigger-deployment-version",
    "x-trigger-workload-controller-id",
    "x-trigger-machine-cpu",
    "x-trigger-machine-memory",
    "x-trigger-worker-instance-name",
];

const REASONS: [&str; 9] = [
    "is missing",
    "is empty",
    "is longer than 0 bytes",
    "is larger than 0 bytes",
    "is not a finite number of at least 0",
    "is given twice",
    "is not printable ASCII",
    "is not UTF-8",
    "is no object",
];

const NO_OFFER: [&str; 2] = ["is not an offer", "is not a run"];

const PLACES: [&str; 4] = [
    "it is not JSON",
    "it ends early",
    "a field is given twice or has the wrong type",
    "it could not be read",
];

/// Compares an error text with the vocabulary.
///
/// # Panics
/// When the text has anything else.
pub fn check(refusal: ApiError) {
    assert!(STATUSES.contains(&refusal.status()), "refused with {}", refusal.status());
    let text = refusal.into_text();
    assert!(is_ours(&without_numbers(&text)), "an error text has more than its vocabulary: {text:?}");
}

fn is_ours(text: &str) -> bool {
    SUBJECTS.iter().filter_map(|subject| text.strip_prefix(subject)?.strip_prefix(' ')).any(is_reason)
}

fn is_reason(text: &str) -> bool {
    let is_place = |text: &str| PLACES.iter().any(|place| text == format!("({place}, line 0 column 0)"));
    REASONS.iter().any(|reason| without_numbers(reason) == text)
        || NO_OFFER.iter().filter_map(|what| text.strip_prefix(what)?.strip_prefix(' ')).any(is_place)
}

/// Replaces every group of digits by one `0`.
fn without_numbers(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    for letter in text.chars() {
        let letter = if letter.is_ascii_digit() { '0' } else { letter };
        if letter != '0' || !short.ends_with('0') {
            short.push(letter);
        }
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_texts_of_the_vocabulary_pass() {
        for text in [
            "the body is not an offer (it is not JSON, line 3 column 17)",
            "dequeuedMessage is missing",
            "deployment.friendlyId is longer than 4096 bytes",
        ] {
            assert!(is_ours(&without_numbers(text)), "{text}");
        }
        for text in [
            "the body is not an offer (invalid type: string \"secret\", line 3 column 17)",
            "deployment.friendlyId is longer than 4096 bytes: aaaa",
            "dequeuedMessage secret is missing",
            "",
        ] {
            assert!(!is_ours(&without_numbers(text)), "{text}");
        }
    }
}
