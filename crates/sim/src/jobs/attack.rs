//! Plays whole histories from a seed, and prints the end of the one that breaks something as a table.

use std::fmt;
use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;

use super::driver::Driver;
use super::event::{Settings, Table, Timed};
use super::ledger::Tally;
use super::world::{Broken, World};
use crate::panics::quietly;
use crate::shrink::shrink;

/// Something that does not hold, with the last events, or the shortest table found that shows it.
#[derive(Debug)]
pub struct Failure {
    seed: u64,
    step: u64,
    broken: Broken,
    settings: Settings,
    table: Vec<Timed>,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken(what) = &self.broken;
        writeln!(out, "seed {}, step {}: {what}", self.seed, self.step)?;
        write!(out, "{}", Table(&self.settings, &self.table))
    }
}

/// Plays so many steps drawn from the seed: one history after the other, each with settings and a store of its own.
/// Says what came about in them.
///
/// # Errors
/// The first thing that does not hold.
pub fn attack(seed: u64, steps: u64) -> Result<Tally, Box<Failure>> {
    let mut rng = Rng::with_seed(seed);
    let mut tally = Tally::default();
    let mut played = 0;
    while played < steps {
        let mut life = Life::new(rng.fork());
        for _ in 0..rng.u64(100..10_000).min(steps - played) {
            life.step().map_err(|broken| life.failure(seed, played, broken))?;
            played += 1;
        }
        tally.add_assign(life.world.tally());
    }
    Ok(tally)
}

/// Plays a table.
///
/// # Errors
/// What does not hold; a panic is told as such.
pub fn replay(settings: Settings, events: &[Timed]) -> Result<(), Broken> {
    let mut world = World::new(settings);
    events.iter().try_for_each(|event| play(&mut world, *event))
}

fn play(world: &mut World, event: Timed) -> Result<(), Broken> {
    catch_unwind(AssertUnwindSafe(|| world.play(event)))
        .unwrap_or_else(|_| Err(Broken(format!("a panic at {event:?}"))))
}

/// Longer histories are not made shorter: a store is not quick enough to be asked so often.
const SHRUNK_UP_TO: usize = 3000;

/// One history under way.
struct Life {
    driver: Driver,
    world: World,
    events: Vec<Timed>,
}

impl Life {
    fn new(rng: Rng) -> Self {
        let driver = Driver::new(rng);
        let world = World::new(driver.settings());
        Self { driver, world, events: Vec::new() }
    }

    fn step(&mut self) -> Result<(), Broken> {
        let event = self.driver.draw(&self.world);
        self.events.push(event);
        play(&mut self.world, event)
    }

    fn failure(&self, seed: u64, step: u64, broken: Broken) -> Box<Failure> {
        let settings = self.driver.settings();
        let table = if self.events.len() <= SHRUNK_UP_TO {
            quietly(|| shrink(&self.events, |events| replay(settings, events).is_err()))
        } else {
            self.events.clone()
        };
        Box::new(Failure { seed, step, broken, settings, table })
    }
}
