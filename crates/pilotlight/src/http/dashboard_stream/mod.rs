//! Tells the dashboard's page what happens, as it happens, at a cost that does not grow with those who watch.
//!
//! In reading order:

pub mod events;

pub mod broadcaster;

mod jobs;
mod sample;
pub mod state;
