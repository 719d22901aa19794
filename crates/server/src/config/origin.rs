//! Where a value of the configuration was set, as errors and `pilotlight config` name it.

use std::fmt;
use std::path::PathBuf;

/// Where a value was set. Errors are reported in the order of this type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Not set anywhere: the default applies.
    Default,
    /// A command-line flag, such as `--config`.
    Flag(&'static str),
    /// A line of the configuration file: the path as given, and the line number, counted from 1.
    File(PathBuf, usize),
    /// The environment variable of this name.
    Env(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Flag(name) => f.write_str(name),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Env(name) => f.write_str(name),
        }
    }
}
