//! The headers of a poll: known ones, and many changes of each.

use pilotlight_sim::corpus::Corpus;
use pilotlight_sim::soak::iterations;
use pilotlight_sim::targets::headers;

#[test]
fn all_known_headers_are_read_as_the_contract_says() {
    Corpus::of("headers", headers).replay();
}

#[test]
fn every_change_of_known_headers_is_read_as_the_contract_says() {
    Corpus::of("headers", headers).mutate(1, iterations(2000, 300_000));
}
