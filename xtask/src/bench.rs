//! `cargo xtask bench [SCENE] [OPTIONS]`: builds the server and the load generator as they ship, and lets the one
//! measure the other. What is measured, and against which floor, is the load generator's own business.

use std::ffi::OsString;

use crate::child;

const USUAL_SCENE: &str = "match";

/// Builds with `--release` and runs one scene.
pub(crate) fn run(args: Vec<OsString>) -> anyhow::Result<()> {
    let (scene, options) = split(args);
    child::run(child::cargo().args(["build", "--release", "-p", "pilotlight", "-p", "pilotlight-bench"]))?;
    let built = child::target_folder()?.join("release");
    child::run(
        child::command(built.join("pilotlight-bench"))
            .arg(scene)
            .arg("--server")
            .arg(built.join("pilotlight"))
            .args(options),
    )
}

/// The first word is the scene, unless it is an option already.
fn split(mut args: Vec<OsString>) -> (OsString, Vec<OsString>) {
    let names_scene = args.first().is_some_and(|word| !word.to_string_lossy().starts_with('-'));
    let scene = if names_scene { args.remove(0) } else { USUAL_SCENE.into() };
    (scene, args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scene_may_be_left_out() {
        for (given, scene, options) in [
            (&[] as &[&str], "match", &[] as &[&str]),
            (&["match"], "match", &[]),
            (&["parked", "--count", "5"], "parked", &["--count", "5"]),
            (&["--count", "5"], "match", &["--count", "5"]),
        ] {
            let (got_scene, got_options) = split(given.iter().map(OsString::from).collect());
            assert_eq!(got_scene, scene, "{given:?}");
            assert_eq!(got_options, options, "{given:?}");
        }
    }
}
