//! Any bytes on a connection: known connections, and many mutations of each.

use pilotlight_sim::corpus::Corpus;
use pilotlight_sim::soak::iterations;
use pilotlight_sim::targets::edge;

#[test]
fn known_connections_leave_nothing_open() {
    Corpus::of("edge", edge).replay();
}

#[test]
fn mutated_connections_leave_nothing_open() {
    Corpus::of("edge", edge).mutate(1, iterations(25, 3000));
}
