//! A real container engine for the tests, in its own namespaces (`container_engine.sh`). It does not affect an engine
//! that the machine may already run, and nothing of it remains, even when the tests are killed.
//!
//! It has no network to the outside, so every image is built here: the image under test from the static binary, and an
//! empty image for the clients, which run the machine's installed Node.js from read-only mounts.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::process::ChildProcess;
use crate::shared::SharedFolder;
use crate::wait;

/// The image under test.
pub const IMAGE: &str = "pilotlight:e2e";
/// An image without files; the programs that its containers run are mounted.
const EMPTY: &str = "empty:e2e";
/// The network that all containers share, as in `docker-compose.yml`.
const NETWORK: &str = "warm-start";
/// Signal 0 of `kill`: it only checks whether the process exists.
const NO_SIGNAL: &str = "0";
/// The Dockerfile of an image without files. An engine rejects a Dockerfile with `FROM scratch` alone.
const EMPTY_DOCKERFILE: &str = "FROM scratch\nLABEL empty=yes\n";

/// The running engine, which all tests of a run share, one at a time. Its containers and volumes are removed on drop.
pub struct ContainerEngine {
    folder: SharedFolder,
}

/// The binary in the image, built by `cargo xtask test`.
pub fn static_binary() -> PathBuf {
    std::env::var_os("PILOTLIGHT_STATIC").map(PathBuf::from).expect("the requirement `static-binary` is met")
}

impl ContainerEngine {
    /// Starts the engine with the image under test and the network, unless it is already running.
    pub fn start() -> Self {
        let (folder, _) = SharedFolder::find_or_start("engine", |folder| {
            launch(folder);
            wait_until_ready(folder);
            docker(folder, &["network", "create", NETWORK]);
            build_images(folder);
            String::new()
        });
        Self { folder }
    }

    /// Runs `docker ..`, which must succeed, and returns its output.
    pub fn docker(&self, arguments: &[&str]) -> String {
        docker(&self.folder, arguments)
    }

    /// Runs `docker ..`, which may fail.
    pub fn try_docker(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the requirement `docker` is met")
    }

    /// Starts `docker ..`; its stdout is a pipe that the caller reads.
    pub fn docker_piped(&self, arguments: &[&str]) -> ChildProcess {
        ChildProcess::start(self.command(arguments).stdout(Stdio::piped()))
    }

    /// Runs the image as `docker-compose.yml` does: only the data folder is writable, and the container has no
    /// capabilities. Its name is `pilotlight`.
    pub fn serve(&self, options: &[&str]) {
        let restrictions = ["--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges"];
        let network = ["--network", NETWORK, "--name", "pilotlight", "--health-interval=1s"];
        self.docker(&[&["run", "--detach"], &restrictions[..], &network, options, &[IMAGE]].concat());
    }

    /// The answer of the service that the container's health check uses.
    pub fn health(&self) -> Value {
        let output = self.docker(&["exec", "pilotlight", "/pilotlight", "health", "--json"]);
        serde_json::from_str(&output).expect("JSON")
    }

    /// The output of `docker inspect` for a container or an image.
    pub fn inspect(&self, name: &str) -> Value {
        let mut found: Value = serde_json::from_str(&self.docker(&["inspect", name])).expect("JSON");
        found[0].take()
    }

    /// Waits until the container's health check reports this status.
    pub fn wait_for_health(&self, status: &str) {
        wait::wait_until(&format!("the container is {status}"), || {
            self.inspect("pilotlight")["State"]["Health"]["Status"] == status
        });
    }

    /// A command that runs Node.js with the real clients in its own container. `network` is the value of `--network`;
    /// `None` means the shared network.
    pub fn node(&self, network: Option<&str>, arguments: &[&str]) -> Command {
        let clients = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../pilotlight/tests/clients"));
        let clients = clients.canonicalize().expect("it is in the repository");
        let mut command = self.command(&["run", "--rm", "--interactive", "--network"]);
        command.arg(network.unwrap_or(NETWORK));
        for folder in ["/usr", "/lib", "/lib64"].into_iter().filter(|folder| Path::new(folder).exists()) {
            command.arg(format!("--volume={folder}:{folder}:ro"));
        }
        command.arg(format!("--volume={}:/node:ro", node().display()));
        command.arg(format!("--volume={}:/clients:ro", clients.display())).args([
            "--workdir=/clients",
            EMPTY,
            "/node",
        ]);
        command.args(arguments);
        command
    }

    /// Runs a script in Node.js and returns the JSON that it prints.
    pub fn run_script(&self, network: Option<&str>, script: &str) -> Value {
        let output = self.node(network, &["--input-type=module", "--eval", script]).output();
        let Output { status, stdout, stderr } = output.expect("the requirement `docker` is met");
        assert!(status.success(), "failed to run {script}: {}", String::from_utf8_lossy(&stderr));
        serde_json::from_slice(&stdout).expect("the script prints JSON")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.folder, arguments)
    }

    /// Removes everything that the command `list` prints with the command `remove`, and repeats this until nothing is
    /// listed: a removal fails while the engine itself removes the same container (`--rm`).
    fn remove_all(&self, list: &[&str], remove: &[&str]) {
        wait::wait_until(&format!("`docker {}` lists nothing", list.join(" ")), || {
            let listed = String::from_utf8_lossy(&self.try_docker(list).stdout).into_owned();
            let names: Vec<_> = listed.split_whitespace().collect();
            if !names.is_empty() {
                self.try_docker(&[remove, &names[..]].concat());
            }
            names.is_empty()
        });
    }
}

impl Drop for ContainerEngine {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.try_docker(&["logs", "pilotlight"]);
            eprintln!("the container's log:\n{}", String::from_utf8_lossy(&log.stderr));
        }
        self.remove_all(&["ps", "-aq"], &["rm", "--force", "--volumes"]);
        self.remove_all(&["volume", "ls", "-q"], &["volume", "rm", "--force"]);
    }
}

fn launch(folder: &SharedFolder) {
    let path = folder.path();
    std::fs::create_dir(path.join("data")).expect("the engine's folder is writable");
    std::fs::write(path.join("daemon.json"), "{}").expect("the engine's folder is writable");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/src/container_engine.sh");
    let mut command = Command::new("unshare");
    command.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", script]);
    command.arg(path).arg(format!("pilotlight-test-{}", std::process::id()));
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    // The script shuts down cleanly when its stdin ends; a signal would stop it without a cleanup.
    folder.spawn(&command, NO_SIGNAL);
}

fn wait_until_ready(folder: &SharedFolder) {
    let ready = wait::try_wait_for(|| {
        let output = command(folder, &["version"]).output().expect("the requirement `docker` is met");
        output.status.success().then_some(())
    });
    assert!(ready.is_some(), "the engine does not respond:\n{}", folder.log());
}

fn build_images(folder: &SharedFolder) {
    let context = folder.path().join("image");
    std::fs::create_dir(&context).expect("the engine's folder is writable");
    let empty = folder.path().join("Dockerfile");
    std::fs::write(&empty, EMPTY_DOCKERFILE).expect("the engine's folder is writable");
    build(folder, EMPTY, &empty, &context);
    std::fs::copy(static_binary(), context.join("pilotlight")).expect("the static binary was built");
    std::fs::create_dir(context.join("data")).expect("the engine's folder is writable");
    let dockerfile = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/prebuilt.Dockerfile");
    build(folder, IMAGE, Path::new(dockerfile), &context);
}

fn build(folder: &SharedFolder, tag: &str, dockerfile: &Path, context: &Path) {
    let [dockerfile, context] = [dockerfile, context].map(|path| path.to_str().expect("the path is UTF-8"));
    docker(folder, &["build", "--quiet", "--tag", tag, "--file", dockerfile, context]);
}

fn docker(folder: &SharedFolder, arguments: &[&str]) -> String {
    let output = command(folder, arguments).output().expect("the requirement `docker` is met");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    let stderr = text(&output.stderr);
    assert!(
        output.status.success(),
        "failed to run `docker {}`: {stderr}\n{}\n{}",
        arguments.join(" "),
        folder.log(),
        std::fs::read_to_string(folder.path().join("engine.log")).unwrap_or_default()
    );
    text(&output.stdout)
}

fn command(folder: &SharedFolder, arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    // The engine's built-in builder: BuildKit is a plugin that not every machine has.
    command.env("DOCKER_BUILDKIT", "0").env("DOCKER_CONFIG", folder.path());
    command.arg(format!("--host=unix://{}", folder.path().join("docker.sock").display()));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// The path of the machine's Node.js; a version manager may have installed it anywhere.
fn node() -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).find_map(|folder| folder.join("node").canonicalize().ok());
    found.expect("the requirement `node` is met")
}
