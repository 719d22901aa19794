//! Tells the dashboard's page what happens, as it happens, at a cost that does not grow with those who watch.
//!
//! In reading order:

pub mod events;

pub mod feed;

pub mod board;
mod jobs;
mod look;
