//! The service as a process: the real binary on a free loopback port, in its own folder. When a [`TestServer`] is
//! dropped, its log must contain neither a panic nor an error.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::thread::JoinHandle;

use serde_json::Value;

use crate::http::Connection;
use crate::process::{ChildProcess, OutputLines};
use crate::run_message;
use crate::temp_dir::TempDir;
use crate::wait;
use crate::warm_start::{Poll, Supervisor};

/// The running service.
pub struct TestServer {
    process: ChildProcess,
    address: SocketAddr,
    stdout: OutputLines,
    log: OutputLines,
    log_reader: Option<JoinHandle<()>>,
    _folder: TempDir,
}

/// A command that runs the binary. Its environment has only `PATH` and these variables.
pub fn pilotlight_command(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(pilotlight_binary());
    set_environment(&mut command, settings);
    command
}

/// The binary that cargo built with the test: tests are in `deps/`, binaries in its parent folder.
pub fn pilotlight_binary() -> &'static Path {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(|| {
        let test = std::env::current_exe().expect("the path of the test binary is readable");
        let folder =
            test.parent().and_then(Path::parent).expect("cargo builds tests in `target/<profile>/deps`");
        folder.join("pilotlight")
    });
    &BINARY
}

fn set_environment(command: &mut Command, settings: &[(&str, &str)]) {
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(settings.iter().copied());
}

impl TestServer {
    /// Starts the service with its defaults.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// Starts the service with these variables in its environment.
    pub fn with(settings: &[(&str, &str)]) -> Self {
        Self::by_command(Command::new(pilotlight_binary()), settings)
    }

    /// Starts the service with these arguments after `serve`.
    pub fn with_arguments(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::launch(Command::new(pilotlight_binary()), arguments, settings, Stdio::null())
    }

    /// Starts the service with a command that ends in the binary, such as `ip netns exec x pilotlight`.
    pub fn by_command(command: Command, settings: &[(&str, &str)]) -> Self {
        Self::launch(command, &[], settings, Stdio::null())
    }

    /// Starts the service with this command, these arguments after `serve`, and this standard input.
    pub fn launch(mut command: Command, arguments: &[&str], settings: &[(&str, &str)], stdin: Stdio) -> Self {
        let folder = TempDir::new();
        set_environment(&mut command, &[("PILOTLIGHT_SERVER_PORT", "0")]);
        command.envs(settings.iter().copied()).arg("serve").args(arguments).current_dir(folder.path());
        let mut process =
            ChildProcess::start(command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()));
        let child = process.child();
        let (stdout, _) = OutputLines::read(child.stdout.take().expect("the pipe was requested"));
        let (log, log_reader) = OutputLines::read(child.stderr.take().expect("the pipe was requested"));
        let line = wait::wait_for("the service listens", || {
            let exited = process.child().try_wait().expect("our own child");
            assert!(exited.is_none(), "the service exited: {exited:?}\n{}", log.from(0).join("\n"));
            stdout.from(0).into_iter().next()
        });
        let address = line.strip_prefix("pilotlight listens on ").and_then(|url| url.split_once("://"));
        let address = address.and_then(|(_, address)| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the first line names no address: {line}"));
        Self { process, address, stdout, log, log_reader: Some(log_reader), _folder: folder }
    }

    /// From now on, connects to the service at another of its addresses.
    pub fn at_address(mut self, address: IpAddr) -> Self {
        self.address.set_ip(address);
        self
    }

    /// The address that tests connect to.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for operators. The test must configure one.
    pub fn control_address(&self) -> SocketAddr {
        let line = wait::wait_for("the service prints the address for operators", || {
            self.stdout.from(1).into_iter().next()
        });
        let address =
            line.strip_prefix("operators are answered on http://").and_then(|text| text.parse().ok());
        address.unwrap_or_else(|| panic!("the second line names no address: {line}"))
    }

    /// The lines on stdout, from this index on.
    pub fn stdout(&self, first: usize) -> Vec<String> {
        self.stdout.from(first)
    }

    /// The service's URL, without a path.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Opens a connection.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// A supervisor on a new connection.
    pub fn supervisor(&self) -> Supervisor {
        Supervisor::at(self.address)
    }

    /// The body of the response to `GET /health`.
    pub fn health(&self) -> Value {
        self.connect().get("/health").json()
    }

    /// Waits until exactly `polls` polls are parked.
    pub fn wait_for_parked(&self, polls: u64) {
        let mut supervisor = self.supervisor();
        wait::wait_until(&format!("{polls} polls are parked"), || supervisor.parked() == polls);
    }

    /// Sends a poll and waits until it is parked.
    pub fn park(&self, poll: &Poll) -> Connection {
        let connection = poll.send_to(self.address);
        wait::wait_until(&format!("the poll of {} is parked", poll.runner), || {
            let parked = self.dashboard("")["runners"].as_array().expect("a list").clone();
            parked.iter().any(|runner| runner["controllerId"] == poll.runner.as_str())
        });
        connection
    }

    /// The dashboard's data; `query` is empty or begins with `?`.
    pub fn dashboard(&self, query: &str) -> Value {
        self.connect().get(&format!("/api/dashboard{query}")).json()
    }

    /// All offers in the history, the newest first.
    pub fn offers(&self) -> Vec<Value> {
        let mut offers = Vec::new();
        for page in 1.. {
            let mut dashboard = self.dashboard(&format!("?page={page}"));
            offers.append(dashboard["recentMatches"].as_array_mut().expect("a list"));
            if dashboard["pagination"]["hasNextPage"] == false {
                break;
            }
        }
        offers
    }

    /// Ids of the runs that were reported warm and later found to be unread.
    pub fn unread_runs(&self) -> Vec<String> {
        let unread = self.offers().into_iter().filter(|offer| offer["delivery"] == "unread");
        unread.map(|offer| offer["runId"].as_str().expect("an id").to_owned()).collect()
    }

    /// The value of a metric. `name` includes the labels, as in `pilotlight_offers_total{outcome="warm"}`.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.connect().get("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in\n{text}"))
    }

    /// Resident memory of the service's process, in KiB.
    pub fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("the process exists");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
            .expect("the kernel reports the resident memory")
    }

    /// Sends a signal by its name.
    pub fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits until the service has exited.
    pub fn wait_for_exit(&mut self) -> ExitStatus {
        self.process.wait_for_exit()
    }

    /// The service's log so far.
    pub fn log(&self) -> String {
        self.log.from(0).join("\n")
    }

    /// Asserts that the service responds, has no parked poll, and matches a run with a runner.
    pub fn assert_healthy(&self) {
        wait::wait_until("no poll is parked", || self.health()["waitingRunners"] == 0);
        let health = self.health();
        assert_eq!(health["status"], "ok", "{health}");
        let run = run_message::run("run_of_the_health_check");
        let mut runner = self.park(&Poll::by("runner-of-the-health-check"));
        assert!(self.supervisor().offer(&run), "the run was not matched with the runner");
        assert_eq!(runner.response().expect("the run").json(), run);
        self.assert_no_errors_logged();
    }

    fn assert_no_errors_logged(&self) {
        let is_error = |line: &&String| line.contains("panicked") || line.contains("ERROR");
        let lines = self.log.from(0);
        let errors: Vec<_> = lines.iter().filter(is_error).collect();
        assert!(errors.is_empty(), "the service logged {errors:?}");
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.process.kill();
        _ = self.log_reader.take().map(JoinHandle::join);
        if std::thread::panicking() {
            eprintln!("the service's log:\n{}", self.log());
        } else {
            self.assert_no_errors_logged();
        }
    }
}
