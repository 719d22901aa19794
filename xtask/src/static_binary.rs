//! The binary that needs no library of the system: what the container image holds. It is built for this machine's
//! processor, with musl in place of the system's C library.

use std::path::PathBuf;

use crate::child;

/// The profile of cargo that the binary is built with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// For tests: quick to build.
    Dev,
    /// For users.
    Release,
}

impl Profile {
    const fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
        }
    }

    /// Cargo's folder for it.
    const fn folder(self) -> &'static str {
        match self {
            Self::Dev => "debug",
            Self::Release => "release",
        }
    }
}

/// Rust's name of this machine's processor with musl.
pub(crate) fn native_triple() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Builds the binary for this machine's processor and returns its path.
pub(crate) fn build_native(profile: Profile) -> anyhow::Result<PathBuf> {
    let triple = native_triple();
    child::run(
        child::cargo().args(["build", "--locked", "-p", "pilotlight", "--bin", "pilotlight"]).args([
            "--target",
            &triple,
            "--profile",
            profile.name(),
        ]),
    )?;
    Ok(child::target_folder()?.join(triple).join(profile.folder()).join("pilotlight"))
}
