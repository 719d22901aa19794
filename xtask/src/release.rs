//! `cargo xtask release`: builds the files of a release into one folder. For each target there is an archive and a
//! software bill of materials (`.cdx.json`). Beside them are `install.sh`, the checksums of all these files, and the
//! release notes.
//!
//! A binary that does not start is not released. The same sources give the same archive: each file in it has the time
//! of the commit, and root as its owner.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::setup::{self, InstallMode};
use crate::static_binary::Target;
use crate::{changelog, child, requirements, sbom, start_check};

const VERSION: &str = env!("CARGO_PKG_VERSION");
const CHECKSUMS: &str = "SHA256SUMS";
const NOTES: &str = "RELEASE_NOTES.md";
const INSTALL_SCRIPT: &str = "install.sh";
/// The line of `install.sh` that a release replaces, so that the script downloads from `Release::address`.
const DEFAULT_ADDRESS_LINE: &str = "default_releases_url=''";
/// The files in an archive beside the binary.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT"];

/// What to build, and where to.
pub(crate) struct Release {
    pub(crate) targets: Vec<Target>,
    pub(crate) folder: PathBuf,
    /// The URL that the files will be downloaded from. Without it, `install.sh` has no default URL.
    pub(crate) address: Option<String>,
    /// The Git tag that is released: `v` and the version in Cargo.toml. Any other tag is an error.
    pub(crate) tag: Option<String>,
}

/// The time of the commit that is built.
struct CommitTime {
    /// Seconds since 1970.
    seconds: String,
    iso_8601: String,
}

/// Builds the files of the release.
pub(crate) fn run(release: &Release, mode: InstallMode) -> anyhow::Result<()> {
    check_tag(release.tag.as_deref())?;
    let notes = changelog::section(VERSION)?;
    let time = CommitTime::read()?;
    let tools: Vec<_> =
        release.targets.iter().flat_map(|target| requirements::for_binary(*target)).copied().collect();
    provide_tools(&tools, mode)?;
    fs::create_dir_all(&release.folder)
        .with_context(|| format!("failed to create {}", release.folder.display()))?;
    for target in &release.targets {
        let binary = target.build()?;
        start_check::run(*target, &binary)?;
        write_archive(&release.folder, *target, &binary, &time)?;
        let document = sbom::document(target.triple, &time.iso_8601)?;
        let path = release.folder.join(format!("{}.cdx.json", base_name(*target)));
        write(&path, &format!("{document:#}\n"))?;
    }
    write_install_script(&release.folder, release.address.as_deref())?;
    write(&release.folder.join(NOTES), &format!("{notes}\n"))?;
    write_checksums(&release.folder)
}

/// Installs these requirements (rows of the table in `requirements`). Fails when one is unavailable.
pub(crate) fn provide_tools(names: &[&str], mode: InstallMode) -> anyhow::Result<()> {
    match setup::provide_named(names, mode)?.names() {
        [] => Ok(()),
        missing => bail!("failed to build static binaries: {} is missing", missing.join(", ")),
    }
}

/// The beginning of the file names of one target: name, version and target.
fn base_name(target: Target) -> String {
    format!("pilotlight-{VERSION}-{}", target.triple)
}

fn check_tag(tag: Option<&str>) -> anyhow::Result<()> {
    match tag {
        Some(tag) if tag != concat!("v", env!("CARGO_PKG_VERSION")) => {
            bail!("the tag is {tag}, and the version in Cargo.toml is {VERSION}")
        }
        Some(_) | None => Ok(()),
    }
}

impl CommitTime {
    fn read() -> anyhow::Result<Self> {
        let format = |format: &str| {
            child::output(child::command("git").args(["log", "-1", format])).map_err(anyhow::Error::msg)
        };
        Ok(Self { seconds: format("--format=%ct")?, iso_8601: format("--format=%cI")? })
    }
}

/// Writes `pilotlight-0.1.0-x86_64-unknown-linux-musl.tar.gz` (for example). It contains one folder, which has the same
/// name without `.tar.gz`.
fn write_archive(folder: &Path, target: Target, binary: &Path, time: &CommitTime) -> anyhow::Result<()> {
    let name = base_name(target);
    let staging = child::target_folder()?.join("release-archive");
    let content = staging.join(&name);
    // An earlier build may have left files.
    _ = fs::remove_dir_all(&content);
    fs::create_dir_all(&content).with_context(|| format!("failed to create {}", content.display()))?;
    copy(binary, &content.join("pilotlight"))?;
    for document in DOCUMENTS {
        copy(&child::root().join(document), &content.join(document))?;
    }
    child::run(
        child::command("tar")
            .args(["--create", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"])
            .args(["--mode=u=rwX,go=rX", "--use-compress-program=gzip -9 -n"])
            .arg(format!("--mtime=@{}", time.seconds))
            .arg("--file")
            .arg(absolute(&folder.join(format!("{name}.tar.gz")))?)
            .arg("--directory")
            .arg(&staging)
            .arg(&name),
    )
}

fn write_install_script(folder: &Path, address: Option<&str>) -> anyhow::Result<()> {
    let source = child::root().join(INSTALL_SCRIPT);
    let script =
        fs::read_to_string(&source).with_context(|| format!("failed to read {}", source.display()))?;
    let path = folder.join(INSTALL_SCRIPT);
    write(&path, &with_address(&script, address)?)?;
    fs::set_permissions(&path, fs::metadata(&source)?.permissions())
        .with_context(|| format!("failed to make {} executable", path.display()))
}

fn with_address(script: &str, address: Option<&str>) -> anyhow::Result<String> {
    let Some(address) = address else { return Ok(script.to_owned()) };
    if address.contains(['\'', '\n']) {
        bail!("the address of the releases has a quotation mark or a line break in it: {address:?}");
    }
    if !script.contains(DEFAULT_ADDRESS_LINE) {
        bail!("{INSTALL_SCRIPT} has no line `{DEFAULT_ADDRESS_LINE}`");
    }
    Ok(script.replacen(DEFAULT_ADDRESS_LINE, &format!("default_releases_url='{address}'"), 1))
}

/// `SHA256SUMS`, as `sha256sum --check` reads it.
fn write_checksums(folder: &Path) -> anyhow::Result<()> {
    let names = names_of_files(folder)?;
    let sums = child::output(child::command("sha256sum").current_dir(folder).arg("--").args(&names))
        .map_err(anyhow::Error::msg)?;
    write(&folder.join(CHECKSUMS), &format!("{sums}\n"))?;
    println!("{}:\n{sums}", folder.display());
    Ok(())
}

/// The sorted names of the files that get a checksum: those of this version, because the folder may also contain files
/// of an earlier version.
fn names_of_files(folder: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let start = format!("pilotlight-{VERSION}-");
    for entry in fs::read_dir(folder).with_context(|| format!("failed to list {}", folder.display()))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with(&start) || name == INSTALL_SCRIPT {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("failed to copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("failed to write {}", path.display()))
}

/// Makes a path from the command line absolute. It is relative to the folder that this command was started in, but
/// child processes such as `tar` start in the root of the workspace.
fn absolute(path: &Path) -> anyhow::Result<PathBuf> {
    std::path::absolute(path).with_context(|| format!("failed to make {} absolute", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_the_version_of_the_workspace() {
        assert!(check_tag(None).is_ok());
        assert!(check_tag(Some(concat!("v", env!("CARGO_PKG_VERSION")))).is_ok());
        assert!(check_tag(Some("v99.0.0")).is_err());
    }

    #[test]
    fn a_release_writes_its_address_into_the_install_script() {
        let script = fs::read_to_string(child::root().join(INSTALL_SCRIPT)).unwrap();
        let released = with_address(&script, Some("https://forge.example/releases")).unwrap();
        assert!(released.contains("\ndefault_releases_url='https://forge.example/releases'\n"));
        assert_eq!(with_address(&script, None).unwrap(), script);
        assert!(with_address(&script, Some("it's")).is_err());
        assert!(with_address("#!/bin/sh\n", Some("https://forge.example/releases")).is_err());
    }
}
