//! The jobs scene: the same job cold, warm and cached, and a new job that a hundred callers submit at once.
//!
//! It uses the service with a store on disk, `pilotlight runner` in a separate process, and a program that counts its
//! own executions.
//!
//! In reading order:

pub mod scene;

mod callers;
mod folder;
mod program;
pub use folder::TempFolder;

pub mod report;
