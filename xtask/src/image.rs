//! `cargo xtask image`: builds the static binary, and the container image around it. With nothing but Docker, the same
//! image is built by `docker build .`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::child;
use crate::requirements::FOR_NATIVE_BINARY;
use crate::setup::{self, InstallMode};
use crate::static_binary::{self, Profile};

/// The image's recipe for a binary that exists.
const RECIPE: &str = "deploy/prebuilt.Dockerfile";

/// Builds the image under this name.
pub(crate) fn build(tag: &str, mode: InstallMode) -> anyhow::Result<()> {
    let unavailable = setup::provide_named(FOR_NATIVE_BINARY, mode)?;
    if let Some(missing) = unavailable.names().first() {
        bail!("failed to build an image: {missing} is missing");
    }
    let context = context(&static_binary::build_native(Profile::Release)?)?;
    let label = concat!("org.opencontainers.image.version=", env!("CARGO_PKG_VERSION"));
    child::run(
        child::command("docker")
            .args(["build", "--tag", tag, "--label", label, "--file", RECIPE])
            .arg(&context),
    )?;
    let size =
        child::output(child::command("docker").args(["image", "inspect", "--format", "{{.Size}}", tag]))
            .map_err(anyhow::Error::msg)?;
    println!("{tag}: {:.1} MB", size.parse::<f64>().unwrap_or(0.0) / 1e6);
    Ok(())
}

/// A folder with the binary and an empty folder for its data, and nothing else: all of it is sent to the engine.
fn context(binary: &Path) -> anyhow::Result<PathBuf> {
    let folder = child::target_folder()?.join("image");
    fs::create_dir_all(folder.join("data"))
        .and_then(|()| fs::copy(binary, folder.join("pilotlight")))
        .with_context(|| format!("failed to copy the binary to {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn final_stage(recipe: &str) -> Vec<String> {
        let text = fs::read_to_string(child::root().join(recipe)).expect("the recipe is in the repository");
        let (_, stage) =
            text.rsplit_once("FROM scratch\n").expect("the last stage starts from an empty image");
        let lines = stage.lines().filter(|line| !line.starts_with('#') && !line.starts_with("COPY "));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn both_recipes_make_the_same_image() {
        let prebuilt = final_stage(RECIPE);
        assert_eq!(final_stage("Dockerfile"), prebuilt);
        for instruction in ["USER ", "VOLUME "] {
            assert!(prebuilt.iter().any(|line| line.starts_with(instruction)), "{prebuilt:?}");
        }
    }
}
