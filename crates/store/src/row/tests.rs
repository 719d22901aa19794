//! Rows and back.
