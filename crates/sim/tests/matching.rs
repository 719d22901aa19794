//! Random histories against the reference model, and the tables that came of those that failed once.

use std::thread;

use pilotlight_core::delivery::AckMode::{Kernel, Written};
use pilotlight_core::pool::Order;
use pilotlight_sim::matching::attack::{attack, replay};
use pilotlight_sim::matching::event::Event::{
    Clear, Drain, Expire, FinishOffer, Leave, Offer, Park, Retire, See, SelectPoll, Unread,
};
use pilotlight_sim::matching::event::Seen::Acknowledged;
use pilotlight_sim::matching::event::{Names, Seen, Settings, Timed};
use pilotlight_sim::matching::ledger::Tally;
use pilotlight_sim::soak::either;

const STEPS: u64 = 100_000;
const THREADS: usize = 2;

#[test]
fn core_and_the_model_agree_on_every_step_of_every_seed() {
    let seeds = either(8, 5000);
    let mut tally = Tally::default();
    thread::scope(|threads| {
        let attacks: Vec<_> =
            (0..THREADS).map(|first| threads.spawn(move || attack_from(first as u64, seeds))).collect();
        attacks.into_iter().for_each(|attack| tally += attack.join().expect("an attack that holds"));
    });
    assert!(is_an_attack(&tally, seeds), "little happened in {seeds} seeds: {tally:?}");
}

fn attack_from(first: u64, seeds: u64) -> Tally {
    let mut tally = Tally::default();
    for seed in (first..seeds).step_by(THREADS) {
        tally += attack(seed, STEPS).unwrap_or_else(|failure| panic!("{failure}"));
    }
    tally
}

/// On average; one seed may be a quiet one.
const fn is_an_attack(tally: &Tally, seeds: u64) -> bool {
    tally.chosen > 1000 * seeds
        && tally.left > 1000 * seeds
        && tally.acknowledged > 300 * seeds
        && tally.unconfirmed > 200 * seeds
        && tally.cold > 1000 * seeds
        && tally.cold_after_three > 20 * seeds
}

const SETTINGS: Settings =
    Settings { order: Order::Newest, timeout_ms: 30_000, max_polls: 100, silence_ms: 250 };

#[track_caller]
fn holds(table: &[Timed]) {
    if let Err(broken) = replay(SETTINGS, table) {
        panic!("{broken:?}");
    }
}

const fn park(poll: u32, runner: u16) -> pilotlight_sim::matching::event::Event {
    Park { poll, runner, pool: 0, spelling: 0 }
}

const fn offer(run: u32) -> pilotlight_sim::matching::event::Event {
    Offer { run, pool: 0, spelling: 1, ack_mode: Kernel, bytes: 1000 }
}

const HOUR_US: u64 = 3_600_000_000;

#[test]
fn a_runner_that_polled_and_left_before_the_offer_settles_does_not_execute() {
    holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, See { run: 1, seen: Acknowledged }),
        (3, park(2, 1)),
        (4, Leave { poll: 2 }),
        (5, FinishOffer { run: 1 }),
    ]);
}

#[test]
fn a_runner_that_is_turned_away_before_the_offer_settles_does_not_execute() {
    holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, See { run: 1, seen: Acknowledged }),
        (3, Drain),
        (4, park(2, 1)),
        (5, FinishOffer { run: 1 }),
    ]);
}

#[test]
fn an_unread_run_is_not_executed_though_the_history_was_cleared() {
    holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, See { run: 1, seen: Acknowledged }),
        (3, FinishOffer { run: 1 }),
        (4, Clear),
        (5, Unread { run: 1 }),
    ]);
}

/// Offers 1 and 6 are of one run: it is offered again, and the runner takes it this time.
#[test]
fn an_unread_run_that_is_executed_by_now_stays_so() {
    holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, See { run: 1, seen: Acknowledged }),
        (3, FinishOffer { run: 1 }),
        (4, park(2, 1)),
        (5, offer(6)),
        (5, SelectPoll { run: 6 }),
        (6, See { run: 6, seen: Acknowledged }),
        (7, FinishOffer { run: 6 }),
        (8, Unread { run: 1 }),
    ]);
}

/// The runner of offer 1 came back, and that of offer 2 has worked for two hours only.
#[test]
fn a_runner_is_not_forgotten_for_the_age_of_another() {
    holds(&[
        (0, park(1, 1)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, See { run: 1, seen: Acknowledged }),
        (3, FinishOffer { run: 1 }),
        (22 * HOUR_US, park(2, 1)),
        (22 * HOUR_US + 1, park(3, 2)),
        (22 * HOUR_US + 2, offer(2)),
        (22 * HOUR_US + 2, SelectPoll { run: 2 }),
        (22 * HOUR_US + 3, See { run: 2, seen: Acknowledged }),
        (22 * HOUR_US + 4, FinishOffer { run: 2 }),
        (24 * HOUR_US + 4, Expire),
    ]);
}

#[test]
fn retirements_that_ended_do_not_push_out_one_in_force() {
    let who = |runner| Names { deployment_of: None, version_of: None, runner: Some(runner) };
    let ended = (1000..2000).map(|runner| (1, Retire { who: who(runner), within_ms: 0 }));
    let mut table = vec![(0, Retire { who: who(1), within_ms: 1000 })];
    table.extend(ended);
    table.push((2, park(1, 1)));
    holds(&table);
}

#[test]
fn a_run_is_offered_three_times_at_most_and_each_poll_has_one() {
    holds(&[
        (0, park(1, 1)),
        (0, park(2, 2)),
        (0, park(3, 3)),
        (0, park(4, 4)),
        (1, offer(1)),
        (1, SelectPoll { run: 1 }),
        (2, See { run: 1, seen: Seen::Ended }),
        (2, SelectPoll { run: 1 }),
        (3, See { run: 1, seen: Seen::Written }),
        (50_002, See { run: 1, seen: Seen::Look }),
        (260_000, See { run: 1, seen: Seen::Look }),
        (260_000, SelectPoll { run: 1 }),
        (260_001, See { run: 1, seen: Seen::Ended }),
        (260_002, SelectPoll { run: 1 }),
        (260_002, FinishOffer { run: 1 }),
        (260_003, Offer { run: 2, pool: 0, spelling: 5, ack_mode: Written, bytes: 1 }),
        (260_003, SelectPoll { run: 2 }),
        (260_004, See { run: 2, seen: Seen::Written }),
        (260_005, FinishOffer { run: 2 }),
    ]);
}
