//! The `pilotlight` binary: the command line, and the demo. The service is in `pilotlight-server`.

mod cli;

mod shutdown;

mod memory;

mod demo;

use std::process::ExitCode;

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::run()
}
