//! Executes jobs as commands: waits for jobs, starts a command or hands the job to one that is kept, tells how it goes,
//! and reports its end until the service has taken it. What an end means is `core::command`'s to say; what is true about
//! a job is the service's: a lease that it does not honour ends the command.
//!
//! In reading order:

mod settings;
pub use settings::{Keeping, Kind, Settings};

mod crew;
pub use crew::{Crew, Phase};

mod slot;
mod voice;

mod kept;
mod once;
mod result;
mod turn;

mod child;
mod guards;

pub mod guard;
mod processes;
mod sys;

mod apart;
pub use apart::Apart;
