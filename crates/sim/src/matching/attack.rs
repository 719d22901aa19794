//! Plays whole histories from a seed, and shrinks the one that breaks something to a table.

use std::fmt;
use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;

use super::driver::Driver;
use super::event::{Event, Settings, Table, Timed};
use super::ledger::Tally;
use super::world::{Broken, World};
use crate::panics::quietly;
use crate::shrink::shrink;

/// Something that does not hold, with the shortest table found that shows it.
#[derive(Debug)]
pub struct Failure {
    seed: u64,
    step: u64,
    broken: Broken,
    settings: Settings,
    table: Vec<Timed>,
    broken_by_table: Option<Broken>,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Broken(what) = &self.broken;
        writeln!(out, "seed {}, step {}: {what}", self.seed, self.step)?;
        writeln!(out, "shrunken to {} events:", self.table.len())?;
        write!(out, "{}", Table(&self.settings, &self.table))?;
        match &self.broken_by_table {
            Some(Broken(what)) => writeln!(out, "which ends in: {what}"),
            None => writeln!(out, "which holds by itself: it needs what came before"),
        }
    }
}

/// Plays so many steps drawn from the seed: one history after the other, each with settings of its own. Says what
/// came about in them.
///
/// # Errors
/// The first thing that does not hold.
pub fn attack(seed: u64, steps: u64) -> Result<Tally, Box<Failure>> {
    let mut rng = Rng::with_seed(seed);
    let mut tally = Tally::default();
    let mut played = 0;
    while played < steps {
        let mut life = Life::new(rng.fork(), rng.u64(100..30_000).min(steps - played));
        while life.left > 0 {
            life.step().map_err(|broken| life.failure(seed, played, broken))?;
            played += 1;
        }
        tally.add_assign(life.world.tally());
    }
    Ok(tally)
}

/// A service that stops has little to do any more.
const AFTER_A_DRAIN: u64 = 200;

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

/// One history under way, and how many of its steps are left.
struct Life {
    driver: Driver,
    world: World,
    events: Vec<Timed>,
    left: u64,
}

impl Life {
    fn new(rng: Rng, length: u64) -> Self {
        let driver = Driver::new(rng);
        let world = World::new(driver.settings());
        Self { driver, world, events: Vec::new(), left: length }
    }

    fn step(&mut self) -> Result<(), Broken> {
        let event = self.driver.draw(&self.world);
        self.events.push(event);
        self.left -= 1;
        if event.1 == Event::Drain {
            self.left = self.left.min(AFTER_A_DRAIN);
        }
        play(&mut self.world, event)
    }

    fn failure(&self, seed: u64, step: u64, broken: Broken) -> Box<Failure> {
        let settings = self.driver.settings();
        let table = quietly(|| shrink(&self.events, |events| replay(settings, events).is_err()));
        let broken_by_table = replay(settings, &table).err();
        Box::new(Failure { seed, step, broken, settings, table, broken_by_table })
    }
}
