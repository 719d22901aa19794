//! Decides what is made of a command that executes a job: what its end means, what its lines say, what of its console is
//! told, and when a process that is kept has done enough. Whoever starts processes does as told.
//!
//! In reading order:

mod end;
pub use end::{
    Ending, Exit, Killed, Stdout, cannot_start, ended_kept, judged, refused, said_error, spoke_unasked,
};

mod lines;
pub use lines::{Lines, Progress, Said};

mod console;
pub use console::{Console, Tell};

mod worn;
pub use worn::{Kept, Wear, Worn};
