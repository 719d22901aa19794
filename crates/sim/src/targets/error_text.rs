//! Checks that an error text has a known subject and a known reason, and no other number than a limit or a position.
//! Any other text could be a payload, a prompt or a token.

use hyper::StatusCode;
use pilotlight_server::parsing::ApiError;

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

const NOT_PARSED: [&str; 2] = ["is not an offer", "is not a run"];

const PARSE_ERRORS: [&str; 4] = [
    "it is not JSON",
    "it ends early",
    "a field is given twice or has the wrong type",
    "it could not be read",
];

/// Checks the status and the text of an error.
///
/// # Panics
/// When the status or the text is not a known one.
pub fn check(error: ApiError) {
    assert!(STATUSES.contains(&error.status()), "the status is {}", error.status());
    let text = error.into_text();
    assert!(is_known(&without_numbers(&text)), "unknown words in an error text: {text:?}");
}

fn is_known(text: &str) -> bool {
    SUBJECTS.iter().filter_map(|subject| text.strip_prefix(subject)?.strip_prefix(' ')).any(is_reason)
}

fn is_reason(text: &str) -> bool {
    let is_parse_error =
        |text: &str| PARSE_ERRORS.iter().any(|error| text == format!("({error}, line 0 column 0)"));
    REASONS.iter().any(|reason| without_numbers(reason) == text)
        || NOT_PARSED
            .iter()
            .filter_map(|start| text.strip_prefix(start)?.strip_prefix(' '))
            .any(is_parse_error)
}

/// Replaces every group of digits by one `0`.
fn without_numbers(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    for letter in text.chars() {
        let letter = if letter.is_ascii_digit() { '0' } else { letter };
        if letter != '0' || !result.ends_with('0') {
            result.push(letter);
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_known_error_texts_are_accepted() {
        for text in [
            "the body is not an offer (it is not JSON, line 3 column 17)",
            "dequeuedMessage is missing",
            "deployment.friendlyId is longer than 4096 bytes",
        ] {
            assert!(is_known(&without_numbers(text)), "{text}");
        }
        for text in [
            "the body is not an offer (invalid type: string \"secret\", line 3 column 17)",
            "deployment.friendlyId is longer than 4096 bytes: aaaa",
            "dequeuedMessage secret is missing",
            "",
        ] {
            assert!(!is_known(&without_numbers(text)), "{text}");
        }
    }
}
