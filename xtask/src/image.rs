//! `cargo xtask image`: builds static binaries, and the container image around them. With nothing but Docker, the same
//! image is built by `docker build .`.
//!
//! One image for this machine is built by its container engine. Images for several processors are built and pushed by
//! buildah, which needs no engine: an engine's own builder gives every image the processor of its machine.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::child;
use crate::release;
use crate::requirements::{self, FOR_IMAGE_LIST, FOR_NATIVE_BINARY};
use crate::setup::InstallMode;
use crate::static_binary::{self, Profile, RELEASED, Target};

/// The image's recipe for a binary that exists.
const RECIPE: &str = "deploy/prebuilt.Dockerfile";
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Builds the image for this machine's processor under this name.
pub(crate) fn build(tag: &str, mode: InstallMode) -> anyhow::Result<()> {
    release::provide_tools(FOR_NATIVE_BINARY, mode)?;
    let context = context("native", &static_binary::build_native(Profile::Release)?)?;
    let mut docker = child::command("docker");
    docker.args(["build", "--tag", tag, "--label", &version_label(), "--file", RECIPE]);
    child::run(docker.arg(&context))?;
    let size =
        child::output(child::command("docker").args(["image", "inspect", "--format", "{{.Size}}", tag]))
            .map_err(anyhow::Error::msg)?;
    println!("{tag}: {:.1} MB", size.parse::<f64>().unwrap_or(0.0) / 1e6);
    Ok(())
}

/// Pushes the list of the images for every released processor to a repository (`registry/name`), with the tag of the
/// version and with `latest`.
pub(crate) fn push(repository: &str, mode: InstallMode) -> anyhow::Result<()> {
    let mut tools: Vec<_> =
        RELEASED.iter().flat_map(|target| requirements::for_binary(*target)).copied().collect();
    tools.extend(FOR_IMAGE_LIST);
    release::provide_tools(&tools, mode)?;
    // What an earlier call left: images would be added to its list.
    child::run(buildah()?.args(["rmi", "--all", "--force"]))?;
    let list = format!("{repository}:{VERSION}");
    for target in RELEASED {
        add_image(&list, target)?;
    }
    for tag in [VERSION, "latest"] {
        let mut push = buildah()?;
        push.args(["manifest", "push", "--all"]);
        if is_on_this_machine(repository) {
            push.arg("--tls-verify=false");
        }
        child::run(push.arg(&list).arg(format!("docker://{repository}:{tag}")))?;
        println!("pushed {repository}:{tag}");
    }
    Ok(())
}

fn add_image(list: &str, target: Target) -> anyhow::Result<()> {
    let context = context(target.container_architecture, &target.build()?)?;
    let platform = format!("linux/{}", target.container_architecture);
    child::run(
        buildah()?
            // Health checks are no part of the other format.
            .args(["build", "--format", "docker", "--isolation", "chroot"])
            .args([
                "--platform",
                &platform,
                "--manifest",
                list,
                "--label",
                &version_label(),
                "--file",
                RECIPE,
            ])
            .arg(&context),
    )
}

/// With a storage of its own, so that no image of the machine is touched.
fn buildah() -> anyhow::Result<Command> {
    let folder = child::target_folder()?.join("image");
    let mut command = child::command("buildah");
    command.arg("--root").arg(folder.join("storage")).arg("--runroot").arg(folder.join("run"));
    command.args(["--storage-driver", "vfs"]);
    Ok(command)
}

/// Such a registry has no TLS.
fn is_on_this_machine(repository: &str) -> bool {
    ["localhost:", "127.0.0.1:"].iter().any(|host| repository.starts_with(host))
}

fn version_label() -> String {
    format!("org.opencontainers.image.version={VERSION}")
}

/// A folder with the binary and an empty folder for its data, and nothing else: all of it is sent to the engine.
fn context(name: &str, binary: &Path) -> anyhow::Result<PathBuf> {
    let folder = child::target_folder()?.join("image").join(name);
    fs::create_dir_all(folder.join("data"))
        .and_then(|()| fs::copy(binary, folder.join("pilotlight")))
        .with_context(|| format!("failed to copy the binary to {}", folder.display()))?;
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_registry_on_this_machine_is_used_without_tls() {
        assert!(is_on_this_machine("localhost:5000/pilotlight"));
        assert!(is_on_this_machine("127.0.0.1:5000/pilotlight"));
        assert!(!is_on_this_machine("registry.example/localhost:5000/pilotlight"));
        assert!(!is_on_this_machine("127.0.0.1.example/pilotlight"));
    }

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
