//! The same job cold, warm and known already, and a new one for which a hundred callers ask at once: the service with a
//! store on disk, `pilotlight runner` in a process of its own, and a program that counts by itself how often it is asked.
//!
//! In reading order:

pub mod scene;

mod callers;
mod folder;
mod program;
pub use folder::TempFolder;

pub mod report;
