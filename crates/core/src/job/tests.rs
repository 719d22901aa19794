//! Lives of jobs as tables.
