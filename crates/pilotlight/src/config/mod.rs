//! Turns defaults, a TOML file and the environment into one [`Config`] that cannot be wrong.
//!
//! It decides which source wins (environment over file over default, our names over older ones), what a value may
//! be, and how mistakes are told: all of them at once. It never reads the process environment or a clock by itself,
//! never ends the process, and never shows a secret.
//!
//! Truth: the `KEYS` of each section file. Parsing, defaults, suggestions, `pilotlight config` and
//! `docs/configuration.md` all follow from them. To add a key, add a row to a section's `KEYS` and a field of the same
//! name to its struct; to add a section, add its file, its field in [`Config`] and its line in `SECTIONS`.

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

mod key;
mod takes;
mod units;

mod environment;
mod file;
mod secret_file;

mod mistakes;
mod resolved;
mod suggest;

mod reference;

#[cfg(test)]
mod tests;

pub use auth::Auth;
pub use job_types::{JobTypeSettings, WebhookEvent};
pub use jobs::{JobLimits, Jobs, Preset};
pub use key::{ENV_KEY, ENV_KEY_FILE, ENV_URL};
pub use load::{Config, Loaded, load};
pub use log::{Log, LogFormat, LogLevel, OfferLog};
pub use mistakes::Mistakes;
pub use network::Network;
pub use reference::reference;
pub use resolved::{Origin, Resolved};
pub use secret::Secret;
pub use secret_file::secret_in;
pub use server::{OnOff, Server};
pub use store::Store;
pub use telemetry::Telemetry;
pub use units::duration;
pub use warm_start::{Ack, Order, Tokens, WarmStart};
