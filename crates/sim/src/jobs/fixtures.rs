//! The runners, types, keys and results of the simulation, by number. Only this module defines what a number stands
//! for.

use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::{JobType, RunnerId};
use pilotlight_core::job::{Fingerprint, JobId};
use pilotlight_core::time::Timestamp;

/// Number of job types.
pub const TYPES: u8 = 3;

/// The type of every job of this key.
#[must_use]
pub const fn type_of(key: u8) -> u8 {
    key % TYPES
}

/// The cache key with this number.
#[must_use]
pub const fn cache_key(key: u8) -> CacheKey {
    CacheKey::from_bytes([key; 32])
}

/// The job type with this number.
#[must_use]
pub fn job_type(number: u8) -> JobType {
    JobType::parse(&format!("type_{number}")).expect("fixture names are valid ids")
}

/// The types whose bits are set.
#[must_use]
pub fn types(bits: u8) -> Vec<JobType> {
    (0..TYPES).filter(|number| has(bits, *number)).map(job_type).collect()
}

/// Whether this type's bit is set.
#[must_use]
pub const fn has(bits: u8, number: u8) -> bool {
    bits & (1 << number) != 0
}

/// The runner with this number.
#[must_use]
pub fn runner(number: u8) -> RunnerId {
    RunnerId::parse(&format!("runner_{number}")).expect("fixture names are valid ids")
}

/// The number of a runner of the simulation.
#[must_use]
pub fn runner_number(runner: &RunnerId) -> u8 {
    let digits = runner.as_str().rsplit('_').next().unwrap_or_default();
    digits.parse().expect("every runner is a fixture")
}

/// The id of the job that this submission becomes. Later ids sort after earlier ones.
#[must_use]
pub fn job_id(submission: u32, at: Timestamp) -> JobId {
    let mut random = [0; 10];
    random[6..].copy_from_slice(&submission.to_be_bytes());
    JobId::new(at, random)
}

/// The number of the submission that a job id was made for.
#[must_use]
pub fn submission_of(id: JobId) -> u32 {
    let bytes = id.as_bytes();
    u32::from_be_bytes([bytes[12], bytes[13], bytes[14], bytes[15]])
}

/// The fingerprint of the result or report with this number.
#[must_use]
pub const fn fingerprint(number: u8) -> Fingerprint {
    Fingerprint([number; 32])
}

/// The result with this number as JSON.
#[must_use]
pub fn text(number: u8) -> String {
    format!("{{\"number\":{number}}}")
}
