//! `jobs.*`: how long jobs may be silent, what is kept of them, and how much one may bring along.

use std::collections::BTreeMap;
use std::time::Duration;

use pilotlight_core::ids::JobType;
use pilotlight_core::rate_limit::Rates;
use serde::Deserialize;

use super::job_types::{self, JobTypeSettings};
use super::key::{self, KeySpec};
use super::value_type::ValueType;

/// How long jobs may be silent, what is kept of them, and how much one may bring along.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsConfig {
    /// What holds where nothing is said.
    pub preset: Preset,
    /// A job whose runner is not heard of for this long is lost.
    pub heartbeat_timeout: Duration,
    /// A dispatched job that is not started within this is given to somebody else.
    pub dispatch_timeout: Duration,
    /// How often a lost job is queued again; `None` as the preset says. See [`JobsConfig::lost_retries`].
    pub lost_retries: Option<u32>,
    /// How long a failure is remembered.
    pub failed_ttl: Duration,
    /// How long ended jobs are kept.
    pub keep_for: Duration,
    /// Bytes of ended jobs that are kept; 0 is without bound.
    pub max_bytes: u64,
    /// Jobs that may wait for runners; 0 is without bound.
    pub max_waiting: u64,
    /// Bytes that they may have together; 0 is without bound.
    pub max_waiting_bytes: u64,
    /// How much one may bring along, and how often one may ask.
    pub limits: JobLimits,
    /// What is special about jobs of one type.
    #[serde(default, deserialize_with = "job_types::by_type")]
    pub types: BTreeMap<JobType, JobTypeSettings>,
}

/// What holds where nothing is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Our own defaults.
    None,
    /// What clients of Runpack know: its limits of rates, and lost jobs fail at once.
    Runpack,
}

/// How much a job may bring along, in bytes as serialized, and how often one may ask, in a minute; 0 is without limit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobLimits {
    /// Bytes of parameters.
    pub input_bytes: usize,
    /// Bytes of a result.
    pub output_bytes: usize,
    /// Bytes of console output, of all pieces together.
    pub console_bytes: usize,
    /// Bytes of a failure's message.
    pub error_bytes: usize,
    /// Requests of one kind by one key.
    pub requests_per_minute: u32,
    /// Submissions from one address; `None` as the preset says, like those below. See [`JobsConfig::rates`].
    pub submit_per_minute: Option<u32>,
    /// Checks from one address.
    pub check_per_minute: Option<u32>,
    /// Questions after one job from one address.
    pub status_per_minute: Option<u32>,
    /// Questions after available jobs by one runner.
    pub available_per_minute: Option<u32>,
    /// Heartbeats of one runner.
    pub heartbeat_per_minute: Option<u32>,
}

impl JobsConfig {
    /// How often a lost job is queued again.
    #[must_use]
    pub fn lost_retries(&self) -> u32 {
        self.lost_retries.unwrap_or(match self.preset {
            Preset::None => 3,
            Preset::Runpack => 0,
        })
    }

    /// How often one may ask.
    #[must_use]
    pub fn rates(&self) -> Rates {
        let limits = &self.limits;
        let or = |set_value: Option<u32>, runpack: u32| match (set_value, self.preset) {
            (Some(set_value), _) => set_value,
            (None, Preset::None) => 0,
            (None, Preset::Runpack) => runpack,
        };
        Rates {
            requests: limits.requests_per_minute,
            submit: or(limits.submit_per_minute, 10),
            check: or(limits.check_per_minute, 10),
            status: or(limits.status_per_minute, 60),
            available: or(limits.available_per_minute, 120),
            heartbeat: or(limits.heartbeat_per_minute, 120),
        }
    }
}

impl Default for JobsConfig {
    fn default() -> Self {
        key::defaults("jobs")
    }
}

const DAY: Duration = Duration::from_hours(24);
const YEARS: Duration = Duration::from_hours(24 * 3650);

/// What one job brings along is held in memory while it is looked at.
const SIZE: ValueType = ValueType::Size(1..=64 << 20);

/// A minute's requests; more cannot come.
const RATE: u32 = 60_000_000;

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "jobs.preset",
        "none",
        ValueType::OneOf(&["none", "runpack"]),
        "what `auto` means below: our own defaults, or Runpack's, for clients that know those",
    ),
    KeySpec::new(
        "jobs.heartbeat_timeout",
        "90s",
        ValueType::Duration(Duration::from_secs(1)..=DAY),
        "a job whose runner is not heard of for this long is lost",
    ),
    KeySpec::new(
        "jobs.dispatch_timeout",
        "2s",
        ValueType::Duration(Duration::from_millis(100)..=Duration::from_mins(1)),
        "a job that was sent to a polling runner and is not started within this is given to another",
    ),
    KeySpec::new(
        "jobs.lost_retries",
        "auto",
        ValueType::AutoOrNumber(0..=1000),
        "how often a lost job is queued again; `auto` is 3, with the preset `runpack` 0",
    ),
    KeySpec::new(
        "jobs.failed_ttl",
        "10m",
        ValueType::Duration(Duration::ZERO..=YEARS),
        "how long a failure is remembered; a submission after that runs the job again",
    ),
    KeySpec::new(
        "jobs.keep_for",
        "30d",
        ValueType::Duration(Duration::from_secs(1)..=YEARS),
        "how long ended jobs and their results are kept",
    ),
    KeySpec::new(
        "jobs.max_bytes",
        "10GiB",
        ValueType::ZeroOrSize(1 << 20..=1 << 50),
        "bytes of parameters, results and consoles that are kept of ended jobs; those that ended first go first; 0 is without bound",
    ),
    KeySpec::new(
        "jobs.max_waiting",
        "1000000",
        ValueType::Number(0..=1_000_000_000),
        "jobs that may wait for runners, of all types; at that, new ones are refused with 503; 0 is without bound",
    ),
    KeySpec::new(
        "jobs.max_waiting_bytes",
        "4GiB",
        ValueType::ZeroOrSize(1 << 20..=1 << 50),
        "bytes of jobs that may wait for runners; at that, new ones are refused with 503; 0 is without bound",
    ),
];

pub(super) const LIMITS: &[KeySpec] = &[
    KeySpec::new("jobs.limits.input_bytes", "100KiB", SIZE, "bytes of a job's parameters, as JSON"),
    KeySpec::new("jobs.limits.output_bytes", "500KiB", SIZE, "bytes of a job's result, as JSON"),
    KeySpec::new("jobs.limits.console_bytes", "1MiB", SIZE, "bytes of a job's console output"),
    KeySpec::new("jobs.limits.error_bytes", "10KiB", SIZE, "bytes of the message of a job that failed"),
    KeySpec::new(
        "jobs.limits.requests_per_minute",
        "6000",
        ValueType::Number(0..=RATE),
        "requests of one kind by one key, or from one address where none is shown; this machine is exempt; 0 is without limit",
    ),
    KeySpec::new(
        "jobs.limits.submit_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "submissions from one address; 0 is without limit; `auto` is 0, with the preset `runpack` 10",
    ),
    KeySpec::new(
        "jobs.limits.check_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "checks from one address; 0 is without limit; `auto` is 0, with the preset `runpack` 10",
    ),
    KeySpec::new(
        "jobs.limits.status_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "questions after a job from one address; 0 is without limit; `auto` is 0, with the preset `runpack` 60",
    ),
    KeySpec::new(
        "jobs.limits.available_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "questions after available jobs by one runner; 0 is without limit; `auto` is 0, with the preset `runpack` 120",
    ),
    KeySpec::new(
        "jobs.limits.heartbeat_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "heartbeats of one runner; 0 is without limit; `auto` is 0, with the preset `runpack` 120",
    ),
];
