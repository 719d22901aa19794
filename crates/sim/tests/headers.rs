//! The headers of a poll: known headers, and many mutations of each.

use pilotlight_sim::corpus::Corpus;
use pilotlight_sim::soak::iterations;
use pilotlight_sim::targets::headers;

#[test]
fn known_headers_are_parsed_as_documented() {
    Corpus::of("headers", headers).replay();
}

#[test]
fn every_mutation_of_known_headers_is_parsed_as_documented() {
    Corpus::of("headers", headers).mutate(1, iterations(2000, 300_000));
}
