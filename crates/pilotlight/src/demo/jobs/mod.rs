//! The jobs scene: the same job cold, warm and cached, and a new job that a hundred callers submit at once.
//!
//! It uses the service with a store on disk, `pilotlight runner` in a separate process, and a program that counts its
//! own executions.
//!
//! In reading order:

pub(crate) mod scene;

mod callers;
mod error;
mod folder;
mod program;
pub(crate) use folder::TempFolder;

pub(crate) mod report;
