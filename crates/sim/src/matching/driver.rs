//! Draws what happens next from a seed and from what is there. The weather changes: crowds, silence, purges, hours
//! that pass at once. It prefers the moments at which something ends, and those right beside them.

use fastrand::Rng;
use pilotlight_core::delivery::{AckMode, Next};
use pilotlight_core::pool::Order;
use pilotlight_core::time::Moment;

use super::cast::{POOLS, SPELLINGS};
use super::event::{Event, Names, Seen, Settings, Timed};
use super::world::World;

/// Draws one history.
#[derive(Debug)]
pub struct Driver {
    rng: Rng,
    settings: Settings,
    now_us: u64,
    runners: u16,
    pools: u8,
    polls: u32,
    runs: u32,
    weather: Weather,
}

/// How likely each kind of event is at the moment, and how fast time passes.
#[derive(Debug)]
struct Weather {
    weights: [u32; KINDS.len()],
    lasts: u32,
    pace_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
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

/// Each kind and how likely it is at most.
const KINDS: [(Kind, u32); 10] = [
    (Kind::Park, 400),
    (Kind::Leave, 100),
    (Kind::Die, 40),
    (Kind::Offer, 250),
    (Kind::Advance, 600),
    (Kind::Unread, 40),
    (Kind::Retire, 20),
    (Kind::Expire, 60),
    (Kind::Clear, 4),
    (Kind::Drain, 1),
];

/// More offers under way than this wait for their turn.
const UNDER_WAY: usize = 24;

const MS: u64 = 1000;
const SECOND: u64 = 1000 * MS;
const HOUR: u64 = 3600 * SECOND;

impl Driver {
    /// A driver with settings of its own choice.
    #[must_use]
    pub fn new(mut rng: Rng) -> Self {
        let settings = Settings {
            order: one_of(&mut rng, &[Order::Newest, Order::Oldest]),
            timeout_ms: one_of(&mut rng, &[0, 7, 100, 4000, 30_000, 30_000, 30_000, 60_000]),
            max_polls: one_of(&mut rng, &[1, 5, 20, 1000, 1000]),
            silence_ms: one_of(&mut rng, &[50, 250, 1000]),
        };
        let runners = one_of(&mut rng, &[1, 3, 12, 40, 40, 200]);
        let pools = rng.u8(1..=POOLS.len() as u8);
        let weather = Weather::draw(&mut rng, &settings);
        Self { rng, settings, now_us: 0, runners, pools, polls: 0, runs: 0, weather }
    }

    /// What holds for the whole history.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// What happens next, and when.
    pub fn draw(&mut self, world: &World) -> Timed {
        self.weather.lasts -= 1;
        if self.weather.lasts == 0 {
            self.weather = Weather::draw(&mut self.rng, &self.settings);
        }
        self.pass_time(world);
        let event = match self.weather.kind(&mut self.rng) {
            Kind::Park => self.park(),
            Kind::Offer if world.courses().len() < UNDER_WAY => self.offer(world),
            Kind::Offer | Kind::Advance => self.advance(world),
            Kind::Leave => Event::Leave { poll: self.some_poll(world) },
            Kind::Die => Event::Die { poll: self.some_poll(world) },
            Kind::Unread => Event::Unread { run: self.some_warm_run(world) },
            Kind::Retire => self.retire(),
            Kind::Expire => Event::Expire,
            Kind::Clear => Event::Clear,
            Kind::Drain => Event::Drain,
        };
        (self.moment(), event)
    }

    /// A caller may have read the clock a little before it got its turn.
    fn moment(&mut self) -> u64 {
        let late = if self.rng.u8(..) < 16 { self.rng.u64(..2 * MS) } else { 0 };
        self.now_us.saturating_sub(late)
    }

    fn pass_time(&mut self, world: &World) {
        self.now_us += self.rng.u64(..=self.weather.pace_us);
        if self.rng.u8(..) < 24
            && let Some(moment) = self.some_end(world)
            && (self.now_us..self.now_us + 1000 * self.weather.pace_us + SECOND).contains(&moment)
        {
            self.now_us = moment;
        }
    }

    /// A moment at which something ends, or the one before or after.
    fn some_end(&mut self, world: &World) -> Option<u64> {
        let end = match self.rng.u8(..5) {
            0 => match self.some_course(world).map(|(_, next)| next)? {
                Next::Wait { until } => until.as_micros(),
                Next::SelectPoll | Next::Finish(_) => return None,
            },
            1 => self.some_executing_since(world)? + 24 * HOUR,
            2 => self.some_retirement_until(world)?,
            3 => self.some_waiting_since(world)? + micros(world.model().selectable_for()),
            _ => self.some_waiting_since(world)? + micros(self.settings.timeout()) + 5 * SECOND,
        };
        Some((end + self.rng.u64(..=2)).saturating_sub(1))
    }

    fn park(&mut self) -> Event {
        self.polls += 1;
        Event::Park {
            poll: self.polls,
            runner: self.rng.u16(..self.runners),
            pool: self.rng.u8(..self.pools),
            spelling: self.rng.u8(..SPELLINGS),
        }
    }

    fn offer(&mut self, world: &World) -> Event {
        self.runs += 1;
        Event::Offer {
            run: self.runs,
            pool: self.some_pool(world),
            spelling: self.rng.u8(..SPELLINGS),
            ack_mode: one_of(&mut self.rng, &[AckMode::Kernel, AckMode::Kernel, AckMode::Written]),
            bytes: one_of(&mut self.rng, &[1, 700, 20_000, 1_000_000, 10 << 20]),
        }
    }

    /// The next thing of some offer.
    fn advance(&mut self, world: &World) -> Event {
        match self.some_course(world) {
            None => self.offer(world),
            Some((run, Next::SelectPoll)) => Event::SelectPoll { run },
            Some((run, Next::Finish(_))) => Event::FinishOffer { run },
            Some((run, Next::Wait { until })) => {
                let seen = self.seen();
                if seen == Seen::Look {
                    self.now_us = self.now_us.max(until.as_micros());
                }
                Event::See { run, seen }
            }
        }
    }

    fn seen(&mut self) -> Seen {
        match self.rng.u8(..10) {
            0..3 => Seen::Written,
            3..5 => Seen::Acknowledged,
            5 => Seen::Ended,
            6 => Seen::Progress(one_of(&mut self.rng, &[1, 1000, 100_000, u32::MAX])),
            _ => Seen::Look,
        }
    }

    fn retire(&mut self) -> Event {
        let long = self.rng.u8(..) == 0;
        let within_ms =
            if long { one_of(&mut self.rng, &[HOUR / MS, 40 * 24 * HOUR / MS]) } else { self.rng.u64(..60) };
        let who = Names {
            deployment_of: self.rng.bool().then(|| self.rng.u8(..self.pools)),
            version_of: self.rng.bool().then(|| self.rng.u8(..self.pools)),
            runner: self.rng.bool().then(|| self.rng.u16(..50 * self.runners)),
        };
        Event::Retire { who, within_ms }
    }

    /// Mostly one that somebody waits for.
    fn some_pool(&mut self, world: &World) -> u8 {
        let any = self.rng.u8(..self.pools);
        let choosable = world.model().selectable_pools();
        let place = self.rng.usize(..4 * choosable.len() / 3 + 1);
        let waited_for = choosable.get(place).and_then(|pool| POOLS.iter().position(|known| known == pool));
        waited_for.and_then(|place| u8::try_from(place).ok()).unwrap_or(any)
    }

    fn some_course(&mut self, world: &World) -> Option<(u32, Next)> {
        let courses = world.courses();
        let place = self.rng.usize(..courses.len().max(1));
        courses.iter().nth(place).map(|(run, course)| (*run, course.next()))
    }

    fn some_waiting_since(&mut self, world: &World) -> Option<u64> {
        let waiting = world.model().waiting();
        let place = self.rng.usize(..waiting.len().max(1));
        waiting.get(place).map(|waiting| waiting.since.as_micros())
    }

    fn some_retirement_until(&mut self, world: &World) -> Option<u64> {
        let mut ends = world.model().retired_until();
        let place = self.rng.usize(..ends.len().max(1));
        ends.nth(place).map(Moment::as_micros)
    }

    fn some_executing_since(&mut self, world: &World) -> Option<u64> {
        let executing = world.model().executing();
        let place = self.rng.usize(..executing.len().max(1));
        executing.get(place).map(|working| working.since.as_micros())
    }

    /// One that waits, or one that a run is on its way to, or any.
    fn some_poll(&mut self, world: &World) -> u32 {
        let waiting = world.model().waiting();
        match self.rng.u8(..4) {
            0 => self.rng.u32(..=self.polls),
            1 => {
                let place = self.rng.usize(..world.courses().len().max(1));
                world.courses().values().nth(place).and_then(|course| course.poll()).unwrap_or_default()
            }
            _ => {
                let place = self.rng.usize(..waiting.len().max(1));
                waiting.get(place).map_or(0, |waiting| waiting.poll)
            }
        }
    }

    /// A late one mostly: a reset is told within seconds.
    fn some_warm_run(&mut self, world: &World) -> u32 {
        let back =
            if self.rng.bool() { self.rng.usize(..4) } else { self.rng.usize(..world.warm().len().max(1)) };
        world.warm().rev().nth(back).unwrap_or_default()
    }
}

impl Weather {
    fn draw(rng: &mut Rng, settings: &Settings) -> Self {
        let pace_us = match rng.u8(..) {
            0..100 => 200,
            100..160 => 5 * MS,
            160..236 => settings.timeout_ms * MS / 20,
            236..246 => SECOND,
            246.. => HOUR,
        };
        let purge = rng.u8(..) < 3;
        let weights = KINDS.map(|(kind, most)| match (purge, kind) {
            (true, Kind::Retire) => most,
            (true, _) => 0,
            (false, Kind::Drain) if rng.u8(..) > 8 => 0,
            (false, _) => rng.u32(..=most),
        });
        let lasts = if purge { 5000 } else { rng.u32(1..1500) };
        Self { weights, lasts, pace_us }
    }

    fn kind(&self, rng: &mut Rng) -> Kind {
        let mut at = rng.u32(..self.weights.iter().sum::<u32>().max(1));
        for ((kind, _), weight) in KINDS.iter().zip(self.weights) {
            match at.checked_sub(weight) {
                Some(rest) => at = rest,
                None => return *kind,
            }
        }
        Kind::Advance
    }
}

fn one_of<T: Copy>(rng: &mut Rng, choice: &[T]) -> T {
    choice[rng.usize(..choice.len())]
}

fn micros(time: std::time::Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
