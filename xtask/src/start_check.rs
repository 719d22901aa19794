//! Starts a binary that was just built, before it is released: it must name its version, serve, and be healthy.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::{env, fs};

use anyhow::{Context, bail};

use crate::child;
use crate::static_binary::Target;

/// Under qemu on a busy machine a start takes seconds.
const DEADLINE: Duration = Duration::from_secs(60);

/// Fails where the binary does not start.
pub(crate) fn run(target: Target, binary: &Path) -> anyhow::Result<()> {
    let version = child::output(target.command(binary)?.arg("--version")).map_err(anyhow::Error::msg)?;
    if version != concat!("pilotlight ", env!("CARGO_PKG_VERSION")) {
        bail!("`pilotlight --version` printed {version:?}");
    }
    let service = Service::start(target, binary)?;
    let health = child::output(target.command(binary)?.args(["health", "--url", &service.url]))
        .map_err(anyhow::Error::msg)?;
    println!("{} starts: {version}; {} answers: {health}", target.triple, service.url);
    Ok(())
}

/// `pilotlight serve` on a free port, with a folder of its own. It ends with this value.
struct Service {
    child: Child,
    url: String,
}

impl Service {
    fn start(target: Target, binary: &Path) -> anyhow::Result<Self> {
        let folder = child::target_folder()?.join("start-check").join(target.triple);
        // What an earlier check left.
        _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
        let mut command = target.command(binary)?;
        command.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped());
        set_environment(&mut command, &folder);
        let mut child = command.spawn().context("failed to start `pilotlight serve`")?;
        let stdout = child.stdout.take().expect("it is piped");
        // From here on the process is killed, whatever happens.
        let mut service = Self { child, url: String::new() };
        let line = first_line_within(stdout, DEADLINE)?;
        let (_, address) = line
            .split_once("http://")
            .with_context(|| format!("`pilotlight serve` printed no address: {line:?}"))?;
        service.url = format!("http://{}", address.trim());
        Ok(service)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Settings of the person who builds a release are not those of the check.
fn set_environment(command: &mut Command, data_folder: &Path) {
    command
        .env_clear()
        .env("PATH", env::var_os("PATH").unwrap_or_default())
        .env("HOST", "127.0.0.1")
        .env("PORT", "0")
        .env("PILOTLIGHT_SERVER_DATA_DIR", data_folder);
}

fn first_line_within(stdout: impl Read + Send + 'static, deadline: Duration) -> anyhow::Result<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut line = String::new();
        let read = BufReader::new(stdout).read_line(&mut line);
        // Nobody receives it after the deadline.
        _ = sender.send(read.map(|_| line));
    });
    let line = receiver.recv_timeout(deadline).context("`pilotlight serve` printed nothing in time")??;
    if line.is_empty() {
        bail!("`pilotlight serve` ended before it listened");
    }
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_ends_early_is_reported() {
        let error = first_line_within(&b""[..], DEADLINE).unwrap_err();
        assert_eq!(error.to_string(), "`pilotlight serve` ended before it listened");
        assert_eq!(first_line_within(&b"one\ntwo\n"[..], DEADLINE).unwrap(), "one\n");
    }
}
