//! `pilotlight demo`

use super::command::Failure;

pub(super) fn run(_runs: u32, _json: bool) -> Result<(), Failure> {
    Ok(())
}
