//! The body of an offer: known bodies, and many mutations of each.

use bytes::Bytes;
use fastrand::Rng;
use hyper::header::HeaderMap;
use pilotlight_core::pool::PoolKey;
use pilotlight_server::parsing::{self, OfferBody};
use pilotlight_sim::corpus::Corpus;
use pilotlight_sim::soak::iterations;
use pilotlight_sim::targets::message;

#[test]
fn known_bodies_are_parsed_as_documented() {
    Corpus::of("message", message).replay();
}

#[test]
fn every_mutation_of_a_known_body_is_parsed_as_documented() {
    Corpus::of("message", message).mutate(1, iterations(400, 100_000));
}

/// A runner sends its numbers in headers, a supervisor sends the same numbers in JSON.
#[test]
fn every_number_has_the_same_value_in_a_header_and_in_a_message() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..iterations(100_000, 100_000_000) {
        let number = random_number(&mut rng);
        for text in [format!("{number}"), format!("{number:e}")] {
            assert_eq!(key_in_message(&text), key_in_headers(&text), "{text}");
        }
    }
}

fn random_number(rng: &mut Rng) -> f64 {
    match rng.u8(..3) {
        0 => f64::from_bits(rng.u64(..)).abs(),
        1 => rng.f64() * 64.0,
        _ => f64::from(rng.u32(..100_000)) / 1000.0,
    }
}

fn key_in_message(number: &str) -> Option<PoolKey> {
    let body = format!(
        r#"{{"dequeuedMessage":{{"deployment":{{"friendlyId":"d"}},"backgroundWorker":{{"version":"1"}},
        "run":{{"machine":{{"cpu":{number},"memory":{number}}}}}}}}}"#
    );
    match parsing::offer_body(&Bytes::from(body)) {
        Ok(OfferBody::Run(run)) => Some(run.key),
        Ok(OfferBody::Undeployed) | Err(_) => None,
    }
}

fn key_in_headers(number: &str) -> Option<PoolKey> {
    let mut headers = HeaderMap::new();
    let fields = [
        ("x-trigger-deployment-id", "d"),
        ("x-trigger-deployment-version", "1"),
        ("x-trigger-workload-controller-id", "r"),
        ("x-trigger-machine-cpu", number),
        ("x-trigger-machine-memory", number),
    ];
    for (name, value) in fields {
        headers.insert(name, value.parse().ok()?);
    }
    parsing::poll_params(&headers).ok().map(|(key, _)| key)
}
