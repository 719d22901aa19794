//! `cargo xtask bench [SCENE] [OPTIONS]`: builds the server and the load generator with the release profile, and runs
//! one scene of the load generator. What a scene measures, and against which floor, is defined in `crates/bench`.

use std::ffi::OsString;

use crate::child;

const DEFAULT_SCENE: &str = "match";

/// Builds with `--release` and runs one scene.
pub(crate) fn run(args: Vec<OsString>) -> anyhow::Result<()> {
    let (scene, options) = split(args);
    child::run(child::cargo().args(["build", "--release", "-p", "pilotlight", "-p", "pilotlight-bench"]))?;
    let folder = child::target_folder()?.join("release");
    child::run(
        child::command(folder.join("pilotlight-bench"))
            .arg(scene)
            .arg("--server")
            .arg(folder.join("pilotlight"))
            .args(options),
    )
}

/// The first word is the scene, unless it is an option.
fn split(mut args: Vec<OsString>) -> (OsString, Vec<OsString>) {
    let names_scene = args.first().is_some_and(|word| !word.to_string_lossy().starts_with('-'));
    let scene = if names_scene { args.remove(0) } else { DEFAULT_SCENE.into() };
    (scene, args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_scene_the_default_one_is_run() {
        for (arguments, scene, options) in [
            (&[] as &[&str], "match", &[] as &[&str]),
            (&["match"], "match", &[]),
            (&["parked", "--count", "5"], "parked", &["--count", "5"]),
            (&["--count", "5"], "match", &["--count", "5"]),
        ] {
            let (got_scene, got_options) = split(arguments.iter().map(OsString::from).collect());
            assert_eq!(got_scene, scene, "{arguments:?}");
            assert_eq!(got_options, options, "{arguments:?}");
        }
    }
}
