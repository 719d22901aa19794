//! Runs whole histories from a seed, and prints the end of a failing one as a table.

use std::fmt;
use std::ops::AddAssign;
use std::panic::{AssertUnwindSafe, catch_unwind};

use fastrand::Rng;

use super::event::{JobEventTable, Settings, TimedJobEvent};
use super::generator::JobEventGenerator;
use super::invariants::JobCoverage;
use super::violation::JobViolation;
use super::world::JobWorld;
use crate::panics::without_output;
use crate::shrink::shrink;

/// A violation, with the shortest table of events found that causes it, or with the last events of a long history.
#[derive(Debug)]
pub struct SimulationFailure {
    seed: u64,
    step: u64,
    violation: JobViolation,
    settings: Settings,
    table: Vec<TimedJobEvent>,
}

impl fmt::Display for SimulationFailure {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JobViolation(message) = &self.violation;
        writeln!(out, "seed {}, step {}: {message}", self.seed, self.step)?;
        write!(out, "{}", JobEventTable(&self.settings, &self.table))
    }
}

/// Runs `steps` steps that are generated from the seed: several histories, each with its own settings and store.
/// Returns their coverage.
///
/// # Errors
/// The first violation.
pub fn simulate(seed: u64, steps: u64) -> Result<JobCoverage, Box<SimulationFailure>> {
    let mut rng = Rng::with_seed(seed);
    let mut coverage = JobCoverage::default();
    let mut steps_done = 0;
    while steps_done < steps {
        let mut simulation = Simulation::new(rng.fork());
        for _ in 0..rng.u64(100..10_000).min(steps - steps_done) {
            simulation.step().map_err(|violation| simulation.failure(seed, steps_done, violation))?;
            steps_done += 1;
        }
        coverage.add_assign(simulation.world.coverage());
    }
    Ok(coverage)
}

/// Runs the events of a table.
///
/// # Errors
/// The violation; a panic counts as one.
pub fn replay(settings: Settings, events: &[TimedJobEvent]) -> Result<(), JobViolation> {
    let mut world = JobWorld::new(settings);
    events.iter().try_for_each(|event| step(&mut world, *event))
}

fn step(world: &mut JobWorld, event: TimedJobEvent) -> Result<(), JobViolation> {
    catch_unwind(AssertUnwindSafe(|| world.step(event)))
        .unwrap_or_else(|_| Err(JobViolation(format!("a panic at {event:?}"))))
}

/// Longer histories are not shrunk, because the store is too slow for that many runs.
const MAX_SHRUNK_EVENTS: usize = 3000;

/// A running history.
struct Simulation {
    generator: JobEventGenerator,
    world: JobWorld,
    events: Vec<TimedJobEvent>,
}

impl Simulation {
    fn new(rng: Rng) -> Self {
        let generator = JobEventGenerator::new(rng);
        let world = JobWorld::new(generator.settings());
        Self { generator, world, events: Vec::new() }
    }

    fn step(&mut self) -> Result<(), JobViolation> {
        let event = self.generator.generate(&self.world);
        self.events.push(event);
        step(&mut self.world, event)
    }

    fn failure(&self, seed: u64, step: u64, violation: JobViolation) -> Box<SimulationFailure> {
        let settings = self.generator.settings();
        let table = if self.events.len() <= MAX_SHRUNK_EVENTS {
            without_output(|| shrink(&self.events, |events| replay(settings, events).is_err()))
        } else {
            self.events.clone()
        };
        Box::new(SimulationFailure { seed, step, violation, settings, table })
    }
}
