//! Random histories compared with the reference model, and the tables of histories that failed once.

use std::thread;

use pilotlight_core::delivery::AckMode::{Kernel, Written};
use pilotlight_core::pool::Order;
use pilotlight_sim::matching::event::Event::{
    Clear, Drain, Expire, FinishOffer, Leave, Observe, Offer, Park, Retire, SelectPoll, Unread,
};
use pilotlight_sim::matching::event::Observation::Acknowledged;
use pilotlight_sim::matching::event::{Observation, RetireTarget, Settings, TimedEvent};
use pilotlight_sim::matching::invariants::Coverage;
use pilotlight_sim::matching::simulation::{replay, simulate};
use pilotlight_sim::soak::iterations;

const STEPS: u64 = 100_000;
const THREADS: usize = 2;

#[test]
fn core_and_the_model_agree_on_every_step_of_every_seed() {
    let seeds = iterations(8, 5000);
    let mut coverage = Coverage::default();
    thread::scope(|threads| {
        let simulations: Vec<_> =
            (0..THREADS).map(|first| threads.spawn(move || simulate_seeds(first as u64, seeds))).collect();
        simulations
            .into_iter()
            .for_each(|simulation| coverage += simulation.join().expect("the simulation finds no violation"));
    });
    assert!(covers_enough(&coverage, seeds), "too few events were covered in {seeds} seeds: {coverage:?}");
}

fn simulate_seeds(first: u64, seeds: u64) -> Coverage {
    let mut coverage = Coverage::default();
    for seed in (first..seeds).step_by(THREADS) {
        coverage += simulate(seed, STEPS).unwrap_or_else(|failure| panic!("{failure}"));
    }
    coverage
}

/// Checks the average, because a single seed may cover little.
const fn covers_enough(coverage: &Coverage, seeds: u64) -> bool {
    coverage.selected > 1000 * seeds
        && coverage.left > 1000 * seeds
        && coverage.acknowledged > 300 * seeds
        && coverage.unconfirmed > 200 * seeds
        && coverage.cold > 1000 * seeds
        && coverage.cold_after_three > 20 * seeds
}

const SETTINGS: Settings =
    Settings { order: Order::Newest, timeout_ms: 30_000, max_polls: 100, silence_ms: 250 };

#[track_caller]
fn assert_holds(table: &[TimedEvent]) {
    if let Err(violation) = replay(SETTINGS, table) {
        panic!("{violation:?}");
    }
}

const fn park(poll: u32, runner: u16) -> pilotlight_sim::matching::event::Event {
    Park { poll, runner, pool: 0, number_format: 0 }
}

const fn offer(run: u32) -> pilotlight_sim::matching::event::Event {
    Offer { run, pool: 0, number_format: 1, ack_mode: Kernel, bytes: 1000 }
}

const HOUR_US: u64 = 3_600_000_000;

#[test]
fn a_runner_that_polled_and_left_before_the_offer_is_finished_is_not_active() {
    assert_holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, Observe { run: 1, observation: Acknowledged }),
        (3, park(2, 1)),
        (4, Leave { poll: 2 }),
        (5, FinishOffer { run: 1 }),
    ]);
}

#[test]
fn a_runner_that_was_refused_before_the_offer_is_finished_is_not_active() {
    assert_holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, Observe { run: 1, observation: Acknowledged }),
        (3, Drain),
        (4, park(2, 1)),
        (5, FinishOffer { run: 1 }),
    ]);
}

#[test]
fn an_unread_run_is_not_active_after_the_history_was_cleared() {
    assert_holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, Observe { run: 1, observation: Acknowledged }),
        (3, FinishOffer { run: 1 }),
        (4, Clear),
        (5, Unread { run: 1 }),
    ]);
}

/// Offers 1 and 6 are for the same run: it is offered a second time, and the runner gets it then.
#[test]
fn marking_a_run_unread_keeps_a_newer_active_run() {
    assert_holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, Observe { run: 1, observation: Acknowledged }),
        (3, FinishOffer { run: 1 }),
        (4, park(2, 1)),
        (5, offer(6)),
        (5, SelectPoll { run: 6 }),
        (6, Observe { run: 6, observation: Acknowledged }),
        (7, FinishOffer { run: 6 }),
        (8, Unread { run: 1 }),
    ]);
}

/// The runner of offer 1 has polled again, and the runner of offer 2 has executed for two hours only.
#[test]
fn an_active_run_does_not_expire_by_the_age_of_another() {
    assert_holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, Observe { run: 1, observation: Acknowledged }),
        (3, FinishOffer { run: 1 }),
        (22 * HOUR_US, park(2, 1)),
        (22 * HOUR_US + 1, park(3, 2)),
        (22 * HOUR_US + 2, offer(2)),
        (22 * HOUR_US + 2, SelectPoll { run: 2 }),
        (22 * HOUR_US + 3, Observe { run: 2, observation: Acknowledged }),
        (22 * HOUR_US + 4, FinishOffer { run: 2 }),
        (24 * HOUR_US + 4, Expire),
    ]);
}

#[test]
fn ended_retirements_do_not_evict_an_active_one() {
    let target = |runner| RetireTarget { deployment_of: None, version_of: None, runner: Some(runner) };
    let ended = (1000..2000).map(|runner| (1, Retire { target: target(runner), within_ms: 0 }));
    let mut table = vec![(0, Retire { target: target(1), within_ms: 1000 })];
    table.extend(ended);
    table.push((2, park(1, 1)));
    assert_holds(&table);
}

#[test]
fn a_run_is_offered_three_times_at_most_and_each_poll_has_one() {
    assert_holds(&[
        (0, park(1, 1)),
        (0, park(2, 2)),
        (0, park(3, 3)),
        (0, park(4, 4)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, Observe { run: 1, observation: Observation::ConnectionEnded }),
        (2, SelectPoll { run: 1 }),
        (3, Observe { run: 1, observation: Observation::Written }),
        (50_002, Observe { run: 1, observation: Observation::Check }),
        (260_000, Observe { run: 1, observation: Observation::Check }),
        (260_000, SelectPoll { run: 1 }),
        (260_001, Observe { run: 1, observation: Observation::ConnectionEnded }),
        (260_002, SelectPoll { run: 1 }),
        (260_002, FinishOffer { run: 1 }),
        (260_003, Offer { run: 2, pool: 0, number_format: 5, ack_mode: Written, bytes: 1 }),
        (260_003, SelectPoll { run: 2 }),
        (260_004, Observe { run: 2, observation: Observation::Written }),
        (260_005, FinishOffer { run: 2 }),
    ]);
}
