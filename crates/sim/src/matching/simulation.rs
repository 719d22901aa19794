//! Runs whole histories from a seed, and shrinks a failing one to a table.

use std::fmt;
use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;

use super::event::{Event, EventTable, Settings, TimedEvent};
use super::generator::EventGenerator;
use super::invariants::Coverage;
use super::violation::Violation;
use super::world::World;
use crate::panics::without_output;
use crate::shrink::shrink;

/// A violation, with the shortest table of events found that causes it.
#[derive(Debug)]
pub struct Failure {
    seed: u64,
    step: u64,
    violation: Violation,
    settings: Settings,
    table: Vec<TimedEvent>,
    table_violation: Option<Violation>,
}

impl fmt::Display for Failure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation(message) = &self.violation;
        writeln!(out, "seed {}, step {}: {message}", self.seed, self.step)?;
        writeln!(out, "shrunk to {} events:", self.table.len())?;
        write!(out, "{}", EventTable(&self.settings, &self.table))?;
        match &self.table_violation {
            Some(Violation(message)) => writeln!(out, "the violation of the table: {message}"),
            None => writeln!(out, "the table alone causes no violation: it needs the events before it"),
        }
    }
}

/// Runs `steps` steps that are generated from the seed: several histories, each with its own settings. Returns their
/// coverage.
///
/// # Errors
/// The first violation.
pub fn simulate(seed: u64, steps: u64) -> Result<Coverage, Box<Failure>> {
    let mut rng = Rng::with_seed(seed);
    let mut coverage = Coverage::default();
    let mut completed = 0;
    while completed < steps {
        let mut simulation = Simulation::new(rng.fork(), rng.u64(100..30_000).min(steps - completed));
        while simulation.steps_left > 0 {
            simulation.step().map_err(|violation| simulation.failure(seed, completed, violation))?;
            completed += 1;
        }
        coverage.add_assign(simulation.world.coverage());
    }
    Ok(coverage)
}

/// Number of steps after the shutdown began: a stopping service has few different states.
const STEPS_AFTER_DRAIN: u64 = 200;

/// Runs the events of a table.
///
/// # Errors
/// The violation; a panic counts as one.
pub fn replay(settings: Settings, events: &[TimedEvent]) -> Result<(), Violation> {
    let mut world = World::new(settings);
    events.iter().try_for_each(|event| apply(&mut world, *event))
}

fn apply(world: &mut World, event: TimedEvent) -> Result<(), Violation> {
    catch_unwind(AssertUnwindSafe(|| world.apply(event)))
        .unwrap_or_else(|_| Err(Violation(format!("a panic at {event:?}"))))
}

/// A running history, and the number of its remaining steps.
struct Simulation {
    generator: EventGenerator,
    world: World,
    events: Vec<TimedEvent>,
    steps_left: u64,
}

impl Simulation {
    fn new(rng: Rng, length: u64) -> Self {
        let generator = EventGenerator::new(rng);
        let world = World::new(generator.settings());
        Self { generator, world, events: Vec::new(), steps_left: length }
    }

    fn step(&mut self) -> Result<(), Violation> {
        let event = self.generator.generate(&self.world);
        self.events.push(event);
        self.steps_left -= 1;
        if event.1 == Event::Drain {
            self.steps_left = self.steps_left.min(STEPS_AFTER_DRAIN);
        }
        apply(&mut self.world, event)
    }

    fn failure(&self, seed: u64, step: u64, violation: Violation) -> Box<Failure> {
        let settings = self.generator.settings();
        let table = without_output(|| shrink(&self.events, |events| replay(settings, events).is_err()));
        let table_violation = replay(settings, &table).err();
        Box::new(Failure { seed, step, violation, settings, table, table_violation })
    }
}
