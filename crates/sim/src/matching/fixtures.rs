//! The runners and pools of the simulation. Each pool differs from another in one field only, so that a confusion of
//! two pools is detected. Numbers have several text formats; their values are defined here without `core`.

use pilotlight_core::ids::{Amount, DeploymentId, RunId, Runner, RunnerId, Version, WorkerName};
use pilotlight_core::pool::PoolKey;

/// A pool. The model compares its names as texts and its amounts as numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pool {
    /// The deployment.
    pub deployment: &'static str,
    /// Its version.
    pub version: &'static str,
    cpu: f64,
    memory: f64,
}

const fn pool(deployment: &'static str, version: &'static str, cpu: f64, memory: f64) -> Pool {
    Pool { deployment, version, cpu, memory }
}

/// All pools; an event refers to a pool by its index.
pub const POOLS: [Pool; 9] = [
    pool("dep_a", "20240101.1", 0.5, 1.0),
    pool("dep_a", "20240101.2", 0.5, 1.0),
    pool("dep_b", "20240101.1", 0.5, 1.0),
    pool("dep_a", "20240101.1", 1.0, 0.5),
    pool("dep_a", "20240101.1", 0.25, 1.0),
    pool("dep_a", "20240101.1", 0.5, 0.25),
    pool("dep_a", "20240101.1", 0.0, 0.0),
    pool("dep_a", "20240101.1", 1e21, 0.000_000_1),
    pool("dep_A", "20240101.1", 0.5, 1.0),
];

/// Number of text formats of a number.
pub const NUMBER_FORMATS: u8 = 8;

/// The pool with this number.
#[must_use]
pub fn pool_number(number: u8) -> Pool {
    POOLS[usize::from(number) % POOLS.len()]
}

/// The pool's key, with its numbers in this text format.
#[must_use]
pub fn key(number: u8, number_format: u8) -> PoolKey {
    let pool = pool_number(number);
    PoolKey {
        deployment: deployment(pool),
        version: version(pool),
        cpu: amount(pool.cpu, number_format),
        memory: amount(pool.memory, number_format.wrapping_add(1)),
    }
}

/// The pool's deployment.
#[must_use]
pub fn deployment(pool: Pool) -> DeploymentId {
    DeploymentId::parse(pool.deployment).expect("fixture names are valid ids")
}

/// The pool's version.
#[must_use]
pub fn version(pool: Pool) -> Version {
    Version::parse(pool.version).expect("fixture names are valid ids")
}

/// The runner with this number.
#[must_use]
pub fn runner(number: u16) -> Runner {
    let worker = WorkerName::parse("node").expect("fixture names are valid ids");
    Runner { id: runner_id(number), worker }
}

/// The id of the runner with this number.
#[must_use]
pub fn runner_id(number: u16) -> RunnerId {
    RunnerId::parse(&format!("runner_{number}")).expect("fixture names are valid ids")
}

/// The id of an offer's run. Different offers may be for one run: a run is offered again when it was not read, and runs
/// without a name share an id.
#[must_use]
pub fn run_id(offer: u32) -> RunId {
    RunId::parse(&format!("run_{}", offer % 5)).expect("fixture names are valid ids")
}

fn amount(value: f64, number_format: u8) -> Amount {
    match number_format % NUMBER_FORMATS {
        0 => Amount::new(if value == 0.0 { -0.0 } else { value }),
        1 => Amount::parse(&format!("{value}")),
        2 => Amount::parse(&format!("{value:.9}")),
        3 => Amount::parse(&format!("{value:e}")),
        4 => Amount::parse(&format!("{value:E}")),
        5 => Amount::parse(&format!(" {value} ")),
        6 => Amount::parse(&format!("000{value}")),
        _ => Amount::parse(&format!("+{value}")),
    }
    .expect("fixture numbers are valid amounts")
}

impl Pool {
    /// Whether `core`'s key has the same values.
    #[must_use]
    #[expect(clippy::float_cmp, reason = "only equal numbers are the same pool")]
    pub fn is(&self, key: &PoolKey) -> bool {
        key.deployment.as_str() == self.deployment
            && key.version.as_str() == self.version
            && key.cpu.value() == self.cpu
            && key.memory.value() == self.memory
    }
}

/// The number at the end of a name that this module created.
#[must_use]
pub fn trailing_number(name: &str) -> Option<u32> {
    name.rsplit_once('_')?.1.parse().ok()
}
