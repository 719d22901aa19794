//! `pilotlight completions`: prints a shell's completion script.

use clap_complete::{Shell, generate};

use super::failure::Failure;
use super::output;

pub(super) const EXAMPLES: &str = "\
Examples:
  pilotlight completions bash > /etc/bash_completion.d/pilotlight
  pilotlight completions zsh > \"${fpath[1]}/_pilotlight\"
  pilotlight completions fish > ~/.config/fish/completions/pilotlight.fish";

/// Options of `pilotlight completions`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell for which the script is printed.
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the script for the commands of this definition.
pub(super) fn run(args: &Args, mut definition: clap::Command) -> Result<(), Failure> {
    let mut script = Vec::new();
    generate(args.shell, &mut definition, "pilotlight", &mut script);
    output::write(&String::from_utf8_lossy(&script))
}
