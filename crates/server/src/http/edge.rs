//! What all guarded routes share: who the callers are, how often they call, and how many bytes of bodies are in memory.

use pilotlight_net::clock::Clock;

use crate::config::Config;
use crate::http::auth::Auth;
use crate::http::body_budget::BodyBudget;
use crate::http::rate_limit::RateLimits;
use crate::telemetry::metrics::Count;

/// The state of the HTTP layer that does not belong to one capability.
#[derive(Debug)]
pub(crate) struct Edge {
    /// Keys, networks and sessions.
    pub auth: Auth,
    /// Recent requests per caller, for the rate limits of the job API.
    pub rate_limits: RateLimits,
    /// Limits the total size of the large request bodies in memory.
    pub body_budget: BodyBudget,
    /// Sign-ins refused because the key is not an admin key.
    pub refused_sign_ins: Count,
    /// The clock of the service.
    pub clock: Clock,
}

impl Edge {
    /// The keys, networks and rates of this configuration.
    #[must_use]
    pub(crate) fn new(config: &Config, clock: Clock, refused_sign_ins: Count) -> Self {
        Self {
            auth: Auth::new(&config.auth, &config.server),
            rate_limits: RateLimits::new(config.jobs.rates(), clock),
            body_budget: BodyBudget::default(),
            refused_sign_ins,
            clock,
        }
    }
}
