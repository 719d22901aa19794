//! `pilotlight runner`: jobs executed by real commands, most of which mean no good.

mod ends;
mod kept;
mod killed;
mod remains;
mod stops;
