//! Jobs: submitted, executed, remembered.

mod store;

mod killed;
mod once;
mod runpack;
