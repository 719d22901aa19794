//! Random histories of jobs, applied to the SQLite store and to the reference model.

use std::thread;

use pilotlight_sim::jobs::invariants::JobCoverage;
use pilotlight_sim::jobs::simulation::simulate;
use pilotlight_sim::soak::iterations;

const THREADS: usize = 2;

/// A step costs a transaction, so a normal test run has far fewer steps than a soak test.
#[test]
fn the_store_and_the_model_agree_on_every_step_of_every_seed() {
    let (seeds, steps) = (iterations(4, 1000), iterations(10_000, 100_000));
    let mut coverage = JobCoverage::default();
    thread::scope(|threads| {
        let simulations: Vec<_> = (0..THREADS as u64)
            .map(|first| threads.spawn(move || simulate_seeds(first, seeds, steps)))
            .collect();
        simulations
            .into_iter()
            .for_each(|simulation| coverage += simulation.join().expect("the simulation finds no violation"));
    });
    assert!(
        covers_enough(&coverage, seeds * steps),
        "too few events were covered in {seeds} seeds: {coverage:?}"
    );
}

fn simulate_seeds(first: u64, seeds: u64, steps: u64) -> JobCoverage {
    let mut coverage = JobCoverage::default();
    for seed in (first..seeds).step_by(THREADS) {
        coverage += simulate(seed, steps).unwrap_or_else(|failure| panic!("{failure}"));
    }
    coverage
}

/// Checks the average, because a single seed may cover little.
const fn covers_enough(coverage: &JobCoverage, steps: u64) -> bool {
    coverage.new > steps / 50
        && coverage.joined > steps / 200
        && coverage.cached > steps / 1000
        && coverage.conflicts > steps / 2000
        && coverage.queue_full > steps / 2000
        && coverage.leases > steps / 50
        && coverage.completed > steps / 100
        && coverage.failed > steps / 200
        && coverage.queued_again > steps / 200
        && coverage.expired > steps / 2000
        && coverage.repeated > steps / 200
        && coverage.rejected > steps / 20
        && coverage.removed > steps / 100
        && coverage.restarts > steps / 5000
}
