//! Jobs: submitted, executed, remembered.

mod runpack;
