//! The binary that needs no library of the system, with musl in place of the system's C library: what the container
//! image and the release archives hold.
//!
//! For this machine's processor it is built with `musl-gcc`. For the other one the C compiler is zig's (`xtask/cross`),
//! the linker is the one that comes with Rust, and the binary is started by qemu.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child;

/// A target that is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Rust's name.
    pub(crate) triple: &'static str,
    /// Rust's and qemu's name of the processor.
    architecture: &'static str,
    /// The name of the processor in container images.
    pub(crate) container_architecture: &'static str,
    /// zig's name of the target.
    zig: &'static str,
}

pub(crate) const RELEASED: [Target; 2] = [
    Target {
        triple: "x86_64-unknown-linux-musl",
        architecture: "x86_64",
        container_architecture: "amd64",
        zig: "x86_64-linux-musl",
    },
    Target {
        triple: "aarch64-unknown-linux-musl",
        architecture: "aarch64",
        container_architecture: "arm64",
        zig: "aarch64-linux-musl",
    },
];

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

impl Target {
    /// Finds a released target by Rust's name.
    pub(crate) fn parse(triple: &str) -> Result<Self, String> {
        RELEASED.into_iter().find(|target| target.triple == triple).ok_or_else(|| {
            let triples: Vec<_> = RELEASED.iter().map(|target| target.triple).collect();
            format!("possible values: {}", triples.join(", "))
        })
    }

    /// Builds the binary with the release profile and returns its path.
    pub(crate) fn build(self) -> anyhow::Result<PathBuf> {
        if self.is_native() {
            return build_native(Profile::Release);
        }
        let mut command = cargo_build(self.triple, Profile::Release);
        for (name, value) in self.cross_environment() {
            command.env(name, value);
        }
        child::run(&mut command)?;
        binary_path(self.triple, Profile::Release)
    }

    /// A command that starts the binary, under qemu where it is for the other processor.
    pub(crate) fn command(self, binary: &Path) -> anyhow::Result<Command> {
        if self.is_native() {
            return Ok(child::command(binary));
        }
        let mut command = child::command(emulator().map_err(anyhow::Error::msg)?);
        command.arg(binary);
        Ok(command)
    }

    /// Whether the target is for this machine's processor.
    pub(crate) fn is_native(self) -> bool {
        self.architecture == std::env::consts::ARCH
    }

    /// What tells build scripts and cargo which compiler, archiver and linker to use.
    fn cross_environment(self) -> [(String, String); 4] {
        let tool = |name| child::root().join("xtask/cross").join(name).display().to_string();
        let triple = self.triple.replace('-', "_");
        let linker = format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase());
        [
            (format!("CC_{triple}"), tool("cc")),
            (format!("AR_{triple}"), tool("ar")),
            ("PILOTLIGHT_ZIG_TARGET".to_owned(), self.zig.to_owned()),
            (linker, "rust-lld".to_owned()),
        ]
    }
}

/// Rust's name of this machine's processor with musl.
pub(crate) fn native_triple() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// The released target that is not this machine's.
pub(crate) fn foreign_triple() -> String {
    foreign().triple.to_owned()
}

fn foreign() -> Target {
    RELEASED.into_iter().find(|target| !target.is_native()).expect("two targets have two architectures")
}

/// The program that starts binaries of the other processor. The error is one line: why there is none.
pub(crate) fn emulator() -> Result<String, String> {
    let name = format!("qemu-{}", foreign().architecture);
    // Debian has two packages of qemu; the names in one of them end like this.
    let names = [name.clone(), format!("{name}-static")];
    let found = names.into_iter().find(|name| child::output(child::command(name).arg("--version")).is_ok());
    found.ok_or_else(|| format!("`{name}` is not installed"))
}

/// Builds the binary for this machine's processor and returns its path.
pub(crate) fn build_native(profile: Profile) -> anyhow::Result<PathBuf> {
    let triple = native_triple();
    child::run(&mut cargo_build(&triple, profile))?;
    binary_path(&triple, profile)
}

fn cargo_build(triple: &str, profile: Profile) -> Command {
    let mut command = child::cargo();
    command.args(["build", "--locked", "-p", "pilotlight", "--bin", "pilotlight"]).args([
        "--target",
        triple,
        "--profile",
        profile.name(),
    ]);
    command
}

fn binary_path(triple: &str, profile: Profile) -> anyhow::Result<PathBuf> {
    Ok(child::target_folder()?.join(triple).join(profile.folder()).join("pilotlight"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_found_by_its_name() {
        for target in RELEASED {
            assert_eq!(Target::parse(target.triple), Ok(target));
        }
        let error = Target::parse("riscv64gc-unknown-linux-musl").unwrap_err();
        assert_eq!(error, "possible values: x86_64-unknown-linux-musl, aarch64-unknown-linux-musl");
    }

    #[test]
    fn the_cross_compiler_is_named_as_build_scripts_look_for_it() {
        let names = RELEASED[1].cross_environment().map(|(name, _)| name);
        assert_eq!(
            names,
            [
                "CC_aarch64_unknown_linux_musl",
                "AR_aarch64_unknown_linux_musl",
                "PILOTLIGHT_ZIG_TARGET",
                "CARGO_TARGET_AARCH64_UNKNOWN_LINUX_MUSL_LINKER"
            ]
        );
    }
}
