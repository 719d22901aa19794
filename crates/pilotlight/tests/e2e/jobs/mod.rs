//! Jobs: submitted, executed, remembered.

mod store;

mod document;
mod killed;
mod once;
mod runpack;
