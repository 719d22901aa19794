//! Any bytes on a connection: known ones, and many changes of each.

use pilotlight_sim::corpus::Corpus;
use pilotlight_sim::soak::either;
use pilotlight_sim::targets::edge;

#[test]
fn nothing_is_left_of_any_known_connection() {
    Corpus::of("edge", edge).replay();
}

#[test]
fn nothing_is_left_of_any_changed_connection() {
    Corpus::of("edge", edge).mutate(1, either(25, 3000));
}
