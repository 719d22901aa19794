//! `warm_start.*`: how runners wait, and what counts as a run handed over.

use std::time::Duration;

use serde::Deserialize;

use super::key::{self, KeySpec};
use super::secret::Secret;
use super::value_type::ValueType;

/// How runners wait, and what counts as a run handed over.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmStartConfig {
    /// How long one poll waits, as told to runners; zero retires the fleet.
    pub connection_timeout: Duration,
    /// How long a runner goes on polling before it exits, as told to runners; zero retires the fleet.
    pub keepalive: Duration,
    /// Which waiting poll takes the next run.
    pub order: PollOrder,
    /// Whether a dispatch waits for the acknowledgement of the runner's kernel.
    pub ack: AckSetting,
    /// Time without progress of the acknowledged bytes before a poll counts as dead.
    pub ack_deadline: Duration,
    /// What is asked of deployment tokens.
    pub tokens: TokenMode,
    /// What signs them.
    pub token_secret: Option<Secret>,
}

/// What is asked of deployment tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenMode {
    /// Nothing: what they claim is read without trusting it.
    Disabled,
    /// That they verify; one that does not is counted, and passes.
    Log,
    /// That they verify; plain ids pass, because runners are being moved over.
    Enforce,
    /// That there is one, that it verifies, and that it is for the version that the runner names.
    Strict,
}

/// Which waiting poll takes the next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PollOrder {
    /// The one that came last: the likeliest to be alive, and surplus runners can retire.
    Newest,
    /// The one that has waited longest.
    Oldest,
}

/// Whether a dispatch waits for the acknowledgement of the runner's kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckSetting {
    /// Where the platform can tell.
    Auto,
    /// Always; a platform that cannot tell is an error at start.
    On,
    /// Never; a dispatch stays unconfirmed.
    Off,
}

impl Default for WarmStartConfig {
    fn default() -> Self {
        key::defaults("warm_start")
    }
}

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "warm_start.connection_timeout",
        "30s",
        ValueType::ZeroOrDuration(Duration::from_millis(10)..=Duration::from_mins(10)),
        "how long one poll waits, as told to runners; 0 retires the fleet",
    )
    .legacy("CONNECTION_TIMEOUT_MS"),
    KeySpec::new(
        "warm_start.keepalive",
        "5m",
        ValueType::Duration(Duration::ZERO..=Duration::from_hours(24)),
        "how long a runner goes on polling, as told to runners; 0 retires the fleet",
    )
    .legacy("KEEPALIVE_MS"),
    KeySpec::new(
        "warm_start.order",
        "newest",
        ValueType::OneOf(&["newest", "oldest"]),
        "which waiting poll takes the next run",
    ),
    KeySpec::new(
        "warm_start.ack",
        "auto",
        ValueType::OneOf(&["auto", "on", "off"]),
        "whether a dispatch waits for the runner's kernel; `auto`: where it can be asked",
    ),
    KeySpec::new(
        "warm_start.ack_deadline",
        "250ms",
        ValueType::Duration(Duration::from_millis(50)..=Duration::from_secs(5)),
        "time without progress of the acknowledged bytes before a poll counts as dead",
    ),
    KeySpec::new(
        "warm_start.tokens",
        "disabled",
        ValueType::OneOf(&["disabled", "log", "enforce", "strict"]),
        "what is asked of deployment tokens: nothing, to verify (`log` only counts; `enforce` lets plain ids pass), or to be there and fit (`strict`)",
    )
    .legacy("WORKLOAD_TOKEN_ENFORCEMENT"),
    KeySpec::new(
        "warm_start.token_secret",
        "none",
        ValueType::NoneOrSecret,
        "what signs deployment tokens (HS256)",
    )
    .legacy("WORKLOAD_TOKEN_SECRET")
    .secret(),
];
