//! `jobs.*`: timeouts, retries, retention, queue limits, and limits on sizes and rates of requests.

use std::collections::BTreeMap;
use std::time::Duration;

use pilotlight_core::ids::JobType;
use pilotlight_core::rate_limit::Rates;
use serde::Deserialize;

use crate::config::job_types::{self, JobTypeSettings};
use crate::config::key::{self, KeySpec};
use crate::config::value_type::ValueType;

/// Timeouts, retries, retention, queue limits, and limits on sizes and rates of requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsConfig {
    /// The set of defaults for keys that are `auto`.
    pub preset: Preset,
    /// An attempt whose runner sends nothing for this long is lost.
    pub heartbeat_timeout: Duration,
    /// A dispatched job that its runner does not start within this time is dispatched to another runner.
    pub dispatch_timeout: Duration,
    /// How often a lost job is queued again; `None` means the preset's value. See [`JobsConfig::lost_retries`].
    pub lost_retries: Option<u32>,
    /// How long a failed job answers equal submissions; after that, a submission runs the job again.
    pub failed_ttl: Duration,
    /// How long ended jobs are kept.
    pub keep_for: Duration,
    /// Bytes of ended jobs that are kept; 0 means no limit.
    pub max_bytes: u64,
    /// How many jobs may wait for runners; 0 means no limit.
    pub max_waiting: u64,
    /// Total bytes of the jobs that may wait for runners; 0 means no limit.
    pub max_waiting_bytes: u64,
    /// Size limits of requests, and rate limits.
    pub limits: JobLimits,
    /// Settings of single job types.
    #[serde(default, deserialize_with = "job_types::by_type")]
    pub types: BTreeMap<JobType, JobTypeSettings>,
}

/// A set of defaults for keys that are `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Our own defaults.
    None,
    /// Runpack's defaults, for its clients: its rate limits, and a lost job fails at once.
    Runpack,
}

/// Size limits in bytes of serialized JSON, and rate limits in requests per minute, where 0 means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobLimits {
    /// Bytes of parameters.
    pub input_bytes: usize,
    /// Bytes of a result.
    pub output_bytes: usize,
    /// Bytes of console output, all chunks together.
    pub console_bytes: usize,
    /// Bytes of the error message of a failed job.
    pub error_bytes: usize,
    /// Requests of one kind with one API key.
    pub requests_per_minute: u32,
    /// Submissions from one address. `None` means the preset's value, here and below. See [`JobsConfig::rates`].
    pub submit_per_minute: Option<u32>,
    /// Cache checks from one address.
    pub check_per_minute: Option<u32>,
    /// Status requests from one address.
    pub status_per_minute: Option<u32>,
    /// Requests for available jobs by one runner.
    pub available_per_minute: Option<u32>,
    /// Heartbeats by one runner.
    pub heartbeat_per_minute: Option<u32>,
}

impl JobsConfig {
    /// How often a lost job is queued again: the setting, or the preset's value.
    #[must_use]
    pub fn lost_retries(&self) -> u32 {
        self.lost_retries.unwrap_or(match self.preset {
            Preset::None => 3,
            Preset::Runpack => 0,
        })
    }

    /// The rate limits: the settings, or the preset's values.
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
        key::defaults("jobs", KEYS.iter().chain(LIMITS))
    }
}

const DAY: Duration = Duration::from_hours(24);
const YEARS: Duration = Duration::from_hours(24 * 3650);

/// At most 64 MiB, because a request's body is in memory while it is processed.
const SIZE: ValueType = ValueType::Size(1..=64 << 20);

/// The highest rate limit, in requests per minute; real traffic stays below it.
const RATE: u32 = 60_000_000;

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "jobs.preset",
        "none",
        ValueType::OneOf(&["none", "runpack"]),
        "what `auto` means for the keys below: our own defaults (`none`), or Runpack's, for clients that expect those",
    ),
    KeySpec::new(
        "jobs.heartbeat_timeout",
        "90s",
        ValueType::Duration(Duration::from_secs(1)..=DAY),
        "a job whose runner sends nothing for this long is lost",
    ),
    KeySpec::new(
        "jobs.dispatch_timeout",
        "2s",
        ValueType::Duration(Duration::from_millis(100)..=Duration::from_mins(1)),
        "a job that was sent to a polling runner and is not started within this time is dispatched to another runner",
    ),
    KeySpec::new(
        "jobs.lost_retries",
        "auto",
        ValueType::AutoOrNumber(0..=1000),
        "how often a lost job is queued again; `auto` means 3, or 0 with the preset `runpack`",
    ),
    KeySpec::new(
        "jobs.failed_ttl",
        "10m",
        ValueType::Duration(Duration::ZERO..=YEARS),
        "how long a failed job answers equal submissions; after that, a submission runs the job again",
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
        "bytes of parameters, results and console output that are kept of ended jobs; the jobs that ended first are deleted first; 0 means no limit",
    ),
    KeySpec::new(
        "jobs.max_waiting",
        "1000000",
        ValueType::Number(0..=1_000_000_000),
        "how many jobs of all types may wait for runners; at this limit, new jobs are refused with 503; 0 means no limit",
    ),
    KeySpec::new(
        "jobs.max_waiting_bytes",
        "4GiB",
        ValueType::ZeroOrSize(1 << 20..=1 << 50),
        "total bytes of the jobs that may wait for runners; at this limit, new jobs are refused with 503; 0 means no limit",
    ),
];

pub(super) const LIMITS: &[KeySpec] = &[
    KeySpec::new("jobs.limits.input_bytes", "100KiB", SIZE, "most bytes of a job's parameters, as JSON"),
    KeySpec::new("jobs.limits.output_bytes", "500KiB", SIZE, "most bytes of a job's result, as JSON"),
    KeySpec::new("jobs.limits.console_bytes", "1MiB", SIZE, "most bytes of a job's console output"),
    KeySpec::new("jobs.limits.error_bytes", "10KiB", SIZE, "most bytes of a failed job's error message"),
    KeySpec::new(
        "jobs.limits.requests_per_minute",
        "6000",
        ValueType::Number(0..=RATE),
        "requests of one kind with one API key, or from one address if the request has no key; requests from this machine are exempt; 0 means no limit",
    ),
    KeySpec::new(
        "jobs.limits.submit_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "submissions from one address; 0 means no limit; `auto` means 0, or 10 with the preset `runpack`",
    ),
    KeySpec::new(
        "jobs.limits.check_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "cache checks from one address; 0 means no limit; `auto` means 0, or 10 with the preset `runpack`",
    ),
    KeySpec::new(
        "jobs.limits.status_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "status requests from one address; 0 means no limit; `auto` means 0, or 60 with the preset `runpack`",
    ),
    KeySpec::new(
        "jobs.limits.available_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "requests for available jobs by one runner; 0 means no limit; `auto` means 0, or 120 with the preset `runpack`",
    ),
    KeySpec::new(
        "jobs.limits.heartbeat_per_minute",
        "auto",
        ValueType::AutoOrNumber(0..=RATE),
        "heartbeats by one runner; 0 means no limit; `auto` means 0, or 120 with the preset `runpack`",
    ),
];
