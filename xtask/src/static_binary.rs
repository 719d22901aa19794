//! The binary without any library of the system: what the container image holds. Built for this machine's own
//! processor, with musl in place of the system's C library.

use std::path::PathBuf;

use crate::child;

/// How it is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Quick to build: what tests run.
    Dev,
    /// What is shipped.
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

/// The target as rustc names it.
pub(crate) fn target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Builds it and says where it lies.
pub(crate) fn build(profile: Profile) -> anyhow::Result<PathBuf> {
    let target = target();
    child::run(
        child::cargo().args(["build", "--locked", "-p", "pilotlight", "--bin", "pilotlight"]).args([
            "--target",
            &target,
            "--profile",
            profile.name(),
        ]),
    )?;
    Ok(child::target_folder()?.join(target).join(profile.folder()).join("pilotlight"))
}
