//! Random histories of jobs, played to the embedded store and to the reference model.

use std::thread;

use pilotlight_sim::jobs::attack::attack;
use pilotlight_sim::jobs::ledger::Tally;
use pilotlight_sim::soak::either;

const THREADS: usize = 2;

/// A step costs a transaction, so there are fewer of them in every run of the tests than in a soak.
#[test]
fn the_store_and_the_model_agree_on_every_step_of_every_seed() {
    let (seeds, steps) = (either(4, 1000), either(10_000, 100_000));
    let mut tally = Tally::default();
    thread::scope(|threads| {
        let attacks: Vec<_> = (0..THREADS as u64)
            .map(|first| threads.spawn(move || attack_from(first, seeds, steps)))
            .collect();
        attacks.into_iter().for_each(|attack| tally += attack.join().expect("an attack that holds"));
    });
    assert!(is_an_attack(&tally, seeds * steps), "little happened in {seeds} seeds: {tally:?}");
}

fn attack_from(first: u64, seeds: u64, steps: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in (first..seeds).step_by(THREADS) {
        tally += attack(seed, steps).unwrap_or_else(|failure| panic!("{failure}"));
    }
    tally
}

/// On average; one seed may be a quiet one.
const fn is_an_attack(tally: &Tally, steps: u64) -> bool {
    tally.new > steps / 50
        && tally.joined > steps / 200
        && tally.known > steps / 1000
        && tally.conflicts > steps / 2000
        && tally.full > steps / 2000
        && tally.leases > steps / 50
        && tally.completed > steps / 100
        && tally.failed > steps / 200
        && tally.queued_again > steps / 200
        && tally.expired > steps / 2000
        && tally.repeated > steps / 200
        && tally.refused > steps / 20
        && tally.forgotten > steps / 100
        && tally.restarts > steps / 5000
}
