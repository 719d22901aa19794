//! Generates the next event from a seed and the current state. The mix of events changes over time: many polls,
//! silence, retirements, jumps of several hours. Many events are at a deadline, or one microsecond before or after it.

use fastrand::Rng;
use pilotlight_core::delivery::{AckMode, Next};
use pilotlight_core::pool::Order;
use pilotlight_core::time::Moment;

use super::event::{Event, Observation, RetireTarget, Settings, TimedEvent};
use super::fixtures::{NUMBER_FORMATS, POOLS};
use super::world::World;

/// Generates one history.
#[derive(Debug)]
pub struct EventGenerator {
    rng: Rng,
    settings: Settings,
    now_us: u64,
    runners: u16,
    pools: u8,
    polls: u32,
    runs: u32,
    mix: EventMix,
}

/// The current weight of each kind of event, and the current speed of time.
#[derive(Debug)]
struct EventMix {
    weights: [u32; EVENT_KINDS.len()],
    steps_left: u32,
    max_step_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EventKind {
    Park,
    Leave,
    Die,
    Offer,
    Advance,
    Unread,
    Retire,
    Expire,
    Clear,
    Drain,
}

/// Each kind of event and its maximum weight.
const EVENT_KINDS: [(EventKind, u32); 10] = [
    (EventKind::Park, 400),
    (EventKind::Leave, 100),
    (EventKind::Die, 40),
    (EventKind::Offer, 250),
    (EventKind::Advance, 600),
    (EventKind::Unread, 40),
    (EventKind::Retire, 20),
    (EventKind::Expire, 60),
    (EventKind::Clear, 4),
    (EventKind::Drain, 1),
];

/// Maximum number of open offers; beyond it the generator only advances them.
const MAX_OFFERS: usize = 24;

const MS: u64 = 1000;
const SECOND: u64 = 1000 * MS;
const HOUR: u64 = 3600 * SECOND;

impl EventGenerator {
    /// A generator with random settings.
    #[must_use]
    pub fn new(mut rng: Rng) -> Self {
        let settings = Settings {
            order: pick(&mut rng, &[Order::Newest, Order::Oldest]),
            timeout_ms: pick(&mut rng, &[0, 7, 100, 4000, 30_000, 30_000, 30_000, 60_000]),
            max_polls: pick(&mut rng, &[1, 5, 20, 1000, 1000]),
            silence_ms: pick(&mut rng, &[50, 250, 1000]),
        };
        let runners = pick(&mut rng, &[1, 3, 12, 40, 40, 200]);
        let pools = rng.u8(1..=POOLS.len() as u8);
        let mix = EventMix::generate(&mut rng, &settings);
        Self { rng, settings, now_us: 0, runners, pools, polls: 0, runs: 0, mix }
    }

    /// The settings of the history.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// The next event and its time.
    pub fn generate(&mut self, world: &World) -> TimedEvent {
        self.mix.steps_left -= 1;
        if self.mix.steps_left == 0 {
            self.mix = EventMix::generate(&mut self.rng, &self.settings);
        }
        self.advance_clock(world);
        let event = match self.mix.pick_kind(&mut self.rng) {
            EventKind::Park => self.park(),
            EventKind::Offer if world.offers().len() < MAX_OFFERS => self.offer(world),
            EventKind::Offer | EventKind::Advance => self.advance(world),
            EventKind::Leave => Event::Leave { poll: self.pick_poll(world) },
            EventKind::Die => Event::Die { poll: self.pick_poll(world) },
            EventKind::Unread => Event::Unread { run: self.pick_warm_run(world) },
            EventKind::Retire => self.retire(),
            EventKind::Expire => Event::Expire,
            EventKind::Clear => Event::Clear,
            EventKind::Drain => Event::Drain,
        };
        (self.moment(), event)
    }

    /// The time of the next event. It may be slightly late, as a caller reads the clock before it gets the lock.
    fn moment(&mut self) -> u64 {
        let late = if self.rng.u8(..) < 16 { self.rng.u64(..2 * MS) } else { 0 };
        self.now_us.saturating_sub(late)
    }

    fn advance_clock(&mut self, world: &World) {
        self.now_us += self.rng.u64(..=self.mix.max_step_us);
        if self.rng.u8(..) < 24
            && let Some(moment) = self.pick_deadline(world)
            && (self.now_us..self.now_us + 1000 * self.mix.max_step_us + SECOND).contains(&moment)
        {
            self.now_us = moment;
        }
    }

    /// The time of a deadline, or one microsecond before or after it.
    fn pick_deadline(&mut self, world: &World) -> Option<u64> {
        let end = match self.rng.u8(..5) {
            0 => match self.pick_offer(world).map(|(_, next)| next)? {
                Next::Wait { until } => until.as_micros(),
                Next::SelectPoll | Next::Finish(_) => return None,
            },
            1 => self.pick_active_since(world)? + 24 * HOUR,
            2 => self.pick_retirement_end(world)?,
            3 => self.pick_parked_since(world)? + micros(world.model().selectable_for()),
            _ => self.pick_parked_since(world)? + micros(self.settings.timeout()) + 5 * SECOND,
        };
        Some((end + self.rng.u64(..=2)).saturating_sub(1))
    }

    fn park(&mut self) -> Event {
        self.polls += 1;
        Event::Park {
            poll: self.polls,
            runner: self.rng.u16(..self.runners),
            pool: self.rng.u8(..self.pools),
            number_format: self.rng.u8(..NUMBER_FORMATS),
        }
    }

    fn offer(&mut self, world: &World) -> Event {
        self.runs += 1;
        Event::Offer {
            run: self.runs,
            pool: self.pick_pool(world),
            number_format: self.rng.u8(..NUMBER_FORMATS),
            ack_mode: pick(&mut self.rng, &[AckMode::Kernel, AckMode::Kernel, AckMode::Written]),
            bytes: pick(&mut self.rng, &[1, 700, 20_000, 1_000_000, 10 << 20]),
        }
    }

    /// The next event of some offer.
    fn advance(&mut self, world: &World) -> Event {
        match self.pick_offer(world) {
            None => self.offer(world),
            Some((run, Next::SelectPoll)) => Event::SelectPoll { run },
            Some((run, Next::Finish(_))) => Event::FinishOffer { run },
            Some((run, Next::Wait { until })) => {
                let observation = self.observation();
                if observation == Observation::Check {
                    self.now_us = self.now_us.max(until.as_micros());
                }
                Event::Observe { run, observation }
            }
        }
    }

    fn observation(&mut self) -> Observation {
        match self.rng.u8(..10) {
            0..3 => Observation::Written,
            3..5 => Observation::Acknowledged,
            5 => Observation::ConnectionEnded,
            6 => Observation::Progress(pick(&mut self.rng, &[1, 1000, 100_000, u32::MAX])),
            _ => Observation::Check,
        }
    }

    fn retire(&mut self) -> Event {
        let is_long = self.rng.u8(..) == 0;
        let within_ms =
            if is_long { pick(&mut self.rng, &[HOUR / MS, 40 * 24 * HOUR / MS]) } else { self.rng.u64(..60) };
        let target = RetireTarget {
            deployment_of: self.rng.bool().then(|| self.rng.u8(..self.pools)),
            version_of: self.rng.bool().then(|| self.rng.u8(..self.pools)),
            runner: self.rng.bool().then(|| self.rng.u16(..50 * self.runners)),
        };
        Event::Retire { target, within_ms }
    }

    /// A random pool, usually one with a selectable poll.
    fn pick_pool(&mut self, world: &World) -> u8 {
        let any = self.rng.u8(..self.pools);
        let selectable = world.model().selectable_pools();
        let index = self.rng.usize(..4 * selectable.len() / 3 + 1);
        let pool = selectable.get(index).and_then(|pool| POOLS.iter().position(|other| other == pool));
        pool.and_then(|index| u8::try_from(index).ok()).unwrap_or(any)
    }

    fn pick_offer(&mut self, world: &World) -> Option<(u32, Next)> {
        let offers = world.offers();
        let index = self.rng.usize(..offers.len().max(1));
        offers.iter().nth(index).map(|(run, offer)| (*run, offer.next()))
    }

    fn pick_parked_since(&mut self, world: &World) -> Option<u64> {
        let parked = world.model().parked();
        let index = self.rng.usize(..parked.len().max(1));
        parked.get(index).map(|parked| parked.since.as_micros())
    }

    fn pick_retirement_end(&mut self, world: &World) -> Option<u64> {
        let mut ends = world.model().retired_until();
        let index = self.rng.usize(..ends.len().max(1));
        ends.nth(index).map(Moment::as_micros)
    }

    fn pick_active_since(&mut self, world: &World) -> Option<u64> {
        let active_runs = world.model().active_runs();
        let index = self.rng.usize(..active_runs.len().max(1));
        active_runs.get(index).map(|active| active.since.as_micros())
    }

    /// A random poll: a parked one, one that a run is dispatched to, or any.
    fn pick_poll(&mut self, world: &World) -> u32 {
        let parked = world.model().parked();
        match self.rng.u8(..4) {
            0 => self.rng.u32(..=self.polls),
            1 => {
                let index = self.rng.usize(..world.offers().len().max(1));
                world.offers().values().nth(index).and_then(|offer| offer.poll()).unwrap_or_default()
            }
            _ => {
                let index = self.rng.usize(..parked.len().max(1));
                parked.get(index).map_or(0, |parked| parked.poll)
            }
        }
    }

    /// A random warm run. Half of them are among the latest four, because a reset is detected within seconds.
    fn pick_warm_run(&mut self, world: &World) -> u32 {
        let index = if self.rng.bool() {
            self.rng.usize(..4)
        } else {
            self.rng.usize(..world.warm_offers().len().max(1))
        };
        world.warm_offers().rev().nth(index).unwrap_or_default()
    }
}

impl EventMix {
    fn generate(rng: &mut Rng, settings: &Settings) -> Self {
        let max_step_us = match rng.u8(..) {
            0..100 => 200,
            100..160 => 5 * MS,
            160..236 => settings.timeout_ms * MS / 20,
            236..246 => SECOND,
            246.. => HOUR,
        };
        let only_retirements = rng.u8(..) < 3;
        let weights = EVENT_KINDS.map(|(kind, max_weight)| match (only_retirements, kind) {
            (true, EventKind::Retire) => max_weight,
            (true, _) => 0,
            (false, EventKind::Drain) if rng.u8(..) > 8 => 0,
            (false, _) => rng.u32(..=max_weight),
        });
        let steps_left = if only_retirements { 5000 } else { rng.u32(1..1500) };
        Self { weights, steps_left, max_step_us }
    }

    fn pick_kind(&self, rng: &mut Rng) -> EventKind {
        let mut at = rng.u32(..self.weights.iter().sum::<u32>().max(1));
        for ((kind, _), weight) in EVENT_KINDS.iter().zip(self.weights) {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return *kind,
            }
        }
        EventKind::Advance
    }
}

fn pick<T: Copy>(rng: &mut Rng, choice: &[T]) -> T {
    choice[rng.usize(..choice.len())]
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
