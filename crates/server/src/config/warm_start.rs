//! `warm_start.*`: how long runners poll, which poll gets a run, when a dispatch counts as delivered, deployment
//! tokens.

use std::time::Duration;

use serde::Deserialize;

use crate::config::key::{self, KeySpec};
use crate::config::secret::Secret;
use crate::config::value_type::ValueType;

/// How long runners poll, which poll gets a run, when a dispatch counts as delivered, and deployment tokens.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WarmStartConfig {
    /// How long one poll waits. `/connect` sends this to runners; zero makes every runner exit.
    pub connection_timeout: Duration,
    /// How long a runner keeps polling before it exits. `/connect` sends this to runners; zero makes every runner exit.
    pub keepalive: Duration,
    /// Which waiting poll gets the next run.
    pub order: PollOrder,
    /// Whether a dispatch waits until the runner's kernel acknowledged all bytes.
    pub ack: AckSetting,
    /// How long the number of acknowledged bytes may stay the same before the poll counts as dead and the run is
    /// dispatched to the next poll.
    pub ack_deadline: Duration,
    /// How deployment tokens are checked.
    pub tokens: TokenMode,
    /// The secret that signs deployment tokens (HS256).
    pub token_secret: Option<Secret>,
}

/// How deployment tokens are checked. See `docs/protocols/deployment-tokens.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenMode {
    /// Tokens are not verified: the deployment id in the token is used as it is.
    Disabled,
    /// Tokens are verified. An invalid token is counted, and then used as in `Disabled`.
    Log,
    /// An invalid token is refused. A runner that sends a plain deployment id and no token is still accepted, so that
    /// runners can be changed to tokens one after the other.
    Enforce,
    /// Each request needs a valid token for the deployment version that the request names.
    Strict,
}

/// Which waiting poll gets the next run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PollOrder {
    /// The poll that came last: its runner is the most likely to be alive, and surplus runners reach their keepalive
    /// and exit.
    Newest,
    /// The poll that has waited longest.
    Oldest,
}

/// Whether a dispatch waits until the runner's kernel acknowledged all bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AckSetting {
    /// Wait, if the platform reports acknowledgements.
    Auto,
    /// Always wait; on a platform that does not report acknowledgements, the service fails to start.
    On,
    /// Never wait; dispatches stay `unconfirmed`.
    Off,
}

impl Default for WarmStartConfig {
    fn default() -> Self {
        key::defaults("warm_start", KEYS)
    }
}

pub(super) const KEYS: &[KeySpec] = &[
    KeySpec::new(
        "warm_start.connection_timeout",
        "30s",
        ValueType::ZeroOrDuration(Duration::from_millis(10)..=Duration::from_mins(10)),
        "how long one poll waits; sent to runners by `/connect`; 0 makes every runner exit",
    )
    .legacy("CONNECTION_TIMEOUT_MS"),
    KeySpec::new(
        "warm_start.keepalive",
        "5m",
        ValueType::Duration(Duration::ZERO..=Duration::from_hours(24)),
        "how long a runner keeps polling before it exits; sent to runners by `/connect`; 0 makes every runner exit",
    )
    .legacy("KEEPALIVE_MS"),
    KeySpec::new(
        "warm_start.order",
        "newest",
        ValueType::OneOf(&["newest", "oldest"]),
        "which waiting poll gets the next run",
    ),
    KeySpec::new(
        "warm_start.ack",
        "auto",
        ValueType::OneOf(&["auto", "on", "off"]),
        "whether a dispatch waits for the acknowledgement of the runner's kernel; `auto`: if the platform reports it",
    ),
    KeySpec::new(
        "warm_start.ack_deadline",
        "250ms",
        ValueType::Duration(Duration::from_millis(50)..=Duration::from_secs(5)),
        "how long the number of acknowledged bytes may stay the same before the poll counts as dead",
    ),
    KeySpec::new(
        "warm_start.tokens",
        "disabled",
        ValueType::OneOf(&["disabled", "log", "enforce", "strict"]),
        "how deployment tokens are checked: not at all (`disabled`); invalid ones are counted but accepted (`log`); invalid ones are refused, plain ids accepted (`enforce`); a valid token for the runner's version is required (`strict`)",
    )
    .legacy("WORKLOAD_TOKEN_ENFORCEMENT"),
    KeySpec::new(
        "warm_start.token_secret",
        "none",
        ValueType::NoneOrSecret,
        "secret that signs deployment tokens (HS256)",
    )
    .legacy("WORKLOAD_TOKEN_SECRET")
    .secret(),
];
