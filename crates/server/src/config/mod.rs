//! Merges defaults, a TOML file and the environment into one validated [`Config`].
//!
//! It decides which source wins (environment over file over default, our names over legacy names), which values are
//! allowed, and how errors are reported: all of them together. It must never read the process environment or a clock
//! itself, end the process, or print a secret.
//!
//! Source of truth: the `KEYS` table of each section file. Parsing, defaults, suggestions, `pilotlight config` and
//! `docs/configuration.md` are derived from these tables. To add a key, add a row to the section's `KEYS` and a field
//! of the same name to its struct. To add a section, add its file, its field in [`Config`] and its row in `SECTIONS`.

mod load;

mod auth;
mod job_types;
mod jobs;
mod log;
mod server;
mod store;
mod telemetry;
mod warm_start;

mod network;
mod secret;

mod sections;

mod key;
mod units;
mod value_type;

mod environment;
mod file;
mod secret_file;
mod sources;

mod errors;
mod origin;
mod resolved;
mod suggest;

mod reference;

#[cfg(test)]
mod tests;

pub use auth::AuthConfig;
pub use errors::ConfigErrors;
pub use job_types::{JobTypeSettings, WebhookEvent};
pub use jobs::{JobLimits, JobsConfig, Preset};
pub use key::{ENV_KEY, ENV_KEY_FILE, ENV_URL};
pub use load::{Config, Loaded, load};
pub use log::{LogConfig, LogFormat, LogLevel, OfferLogTarget};
pub use network::Network;
pub use origin::Origin;
pub use reference::reference;
pub use resolved::Resolved;
pub use secret::Secret;
pub use secret_file::read_secret;
pub use server::{OnOff, ServerConfig};
pub use store::StoreConfig;
pub use telemetry::TelemetryConfig;
pub use units::{parse_duration, parse_size};
pub use warm_start::{AckSetting, PollOrder, TokenMode, WarmStartConfig};
