//! The command line of callers, over the real binary: what it answers, where it writes it, how it ends.

mod codes;
mod interrupted;
mod jobs;
mod on_a_terminal;
mod status;
mod submit;
