//! The service: one folder for each capability, and what they share: the HTTP layer, telemetry, the configuration. The
//! decisions are in `pilotlight-core`, the sockets in `pilotlight-net`, the data in `pilotlight-store`.
//!
//! In reading order:

mod composition;
pub use composition::{App, CAPABILITIES};

mod background;
mod capability;
pub use capability::Builder;

mod dashboard;
mod jobs;
mod warm_start;

mod http;

pub mod config;
mod https_client;
mod store;
pub use https_client::https_client_builder;
pub use store::open_store;

mod telemetry;
pub use telemetry::logs;

/// What the fuzz targets call.
pub mod parsing {
    pub use crate::http::error::ApiError;
    pub use crate::warm_start::http::convert::{OfferBody, offer_body, poll_params};
    pub use crate::warm_start::run::Run;
}
