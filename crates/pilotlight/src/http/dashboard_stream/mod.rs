//! The dashboard's live event stream. All open streams share one sample and one serialized update, so the cost of
//! sampling does not grow with their number.
//!
//! In reading order:

pub mod events;

pub mod broadcaster;

mod jobs;
mod sample;
pub mod state;
