//! Jobs: submitted, executed, remembered.

pub(crate) mod store;

mod checks;
mod document;
mod frames;
mod full;
mod hooks;
mod hostile;
mod killed;
mod leaving;
mod often;
mod once;
mod options;
mod outage;
mod retention;
mod runpack;
mod watched;
