//! The service as a process: the real binary on a free port of loopback, in a folder of its own. When it goes, its
//! log must hold neither a panic nor an error.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use serde_json::Value;

use super::http::Connection;
use super::message;
use super::parties::{Poll, Supervisor};
use super::process::{Folder, Lines, Process};
use super::wait;

/// The running service.
pub(crate) struct Server {
    process: Process,
    address: SocketAddr,
    said: Lines,
    log: Lines,
    log_reader: Option<JoinHandle<()>>,
    _folder: Folder,
}

/// The binary, with nothing in its environment but these.
pub(crate) fn pilotlight(settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    set(&mut command, settings);
    command
}

/// Where the binary lies.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_pilotlight"))
}

fn set(command: &mut Command, settings: &[(&str, &str)]) {
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(settings.iter().copied());
}

impl Server {
    /// With its defaults.
    pub(crate) fn start() -> Self {
        Self::with(&[])
    }

    /// With these in its environment.
    pub(crate) fn with(settings: &[(&str, &str)]) -> Self {
        Self::run(Command::new(binary()), settings)
    }

    /// With these behind `serve` on its command line.
    pub(crate) fn serving(arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        Self::begin(Command::new(binary()), arguments, settings, Stdio::null())
    }

    /// With a command line that ends in the binary, such as `ip netns exec x pilotlight`.
    pub(crate) fn run(command: Command, settings: &[(&str, &str)]) -> Self {
        Self::begin(command, &[], settings, Stdio::null())
    }

    /// The same, with this as its descriptor 0.
    pub(crate) fn begin(
        mut command: Command,
        arguments: &[&str],
        settings: &[(&str, &str)],
        stdin: Stdio,
    ) -> Self {
        let folder = Folder::new();
        set(&mut command, &[("PILOTLIGHT_SERVER_PORT", "0")]);
        command.envs(settings.iter().copied()).arg("serve").args(arguments).current_dir(folder.path());
        let mut process = Process::start(command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()));
        let child = process.child();
        let (said, _) = Lines::follow(child.stdout.take().expect("asked for"));
        let (log, log_reader) = Lines::follow(child.stderr.take().expect("asked for"));
        let line = wait::until_some("the service listens", || {
            let ended = process.child().try_wait().expect("our own child");
            assert!(ended.is_none(), "the service ended: {ended:?}\n{}", log.from(0).join("\n"));
            said.from(0).into_iter().next()
        });
        let address = line.strip_prefix("pilotlight listens on ").and_then(|url| url.split_once("://"));
        let address = address.and_then(|(_, address)| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the first line names no address: {line}"));
        Self { process, address, said, log, log_reader: Some(log_reader), _folder: folder }
    }

    /// The same, asked at another of its addresses.
    pub(crate) fn reached_at(mut self, address: IpAddr) -> Self {
        self.address.set_ip(address);
        self
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators are answered, when it has an address for them.
    pub(crate) fn control_address(&self) -> SocketAddr {
        let line = wait::until_some("it says where", || self.said.from(1).into_iter().next());
        let address =
            line.strip_prefix("operators are answered on http://").and_then(|text| text.parse().ok());
        address.unwrap_or_else(|| panic!("the second line names no address: {line}"))
    }

    /// What it wrote to stdout, from this line on.
    pub(crate) fn said(&self, first: usize) -> Vec<String> {
        self.said.from(first)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A new connection.
    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    /// A supervisor on a new connection.
    pub(crate) fn supervisor(&self) -> Supervisor {
        Supervisor::at(self.address)
    }

    pub(crate) fn health(&self) -> Value {
        self.connect().get("/health").json()
    }

    /// Waits until so many polls are parked.
    pub(crate) fn wait_for_waiting(&self, runners: u64) {
        let mut supervisor = self.supervisor();
        wait::until(&format!("{runners} runners wait"), || supervisor.waiting() == runners);
    }

    /// Parks a poll and waits until it is.
    pub(crate) fn park(&self, poll: &Poll) -> Connection {
        let connection = poll.send_to(self.address);
        wait::until(&format!("{} waits", poll.runner), || {
            let waiting = self.dashboard("")["runners"].as_array().expect("a list").clone();
            waiting.iter().any(|runner| runner["controllerId"] == poll.runner.as_str())
        });
        connection
    }

    /// The dashboard's data; `query` is empty or begins with `?`.
    pub(crate) fn dashboard(&self, query: &str) -> Value {
        self.connect().get(&format!("/api/dashboard{query}")).json()
    }

    /// Every offer that is remembered, the newest first.
    pub(crate) fn offers(&self) -> Vec<Value> {
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

    /// Ids of the runs that were called warm and of which it turned out that nobody read them.
    pub(crate) fn unread(&self) -> Vec<String> {
        let unread = self.offers().into_iter().filter(|offer| offer["delivery"] == "unread");
        unread.map(|offer| offer["runId"].as_str().expect("an id").to_owned()).collect()
    }

    /// The value of a metric without labels, or with them as in `pilotlight_offers_total{outcome="warm"}`.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.connect().get("/metrics").text();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or_else(|| panic!("no {name} in\n{text}"))
    }

    /// Resident memory of its process.
    pub(crate) fn resident_kib(&self) -> u64 {
        let path = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(path).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).expect("the kernel tells it")
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        self.process.signal(name);
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.ended()
    }

    /// What it logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.from(0).join("\n")
    }

    /// It answers, it holds no poll, and it still matches a run with a runner.
    pub(crate) fn is_well(&self) {
        wait::until("no poll is left", || self.health()["waitingRunners"] == 0);
        let health = self.health();
        assert_eq!(health["status"], "ok", "{health}");
        let run = message::run("run_to_see_whether_all_is_well");
        let mut runner = self.park(&Poll::by("runner-to-see-whether-all-is-well"));
        assert!(self.supervisor().offer(&run), "a run found no runner");
        assert_eq!(runner.answer().expect("the run").json(), run);
        self.logged_no_error();
    }

    fn logged_no_error(&self) {
        let bad = |line: &&String| line.contains("panicked") || line.contains("ERROR");
        let lines = self.log.from(0);
        let bad: Vec<_> = lines.iter().filter(bad).collect();
        assert!(bad.is_empty(), "the service logged {bad:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill();
        _ = self.log_reader.take().map(JoinHandle::join);
        if std::thread::panicking() {
            eprintln!("the service's log:\n{}", self.log());
        } else {
            self.logged_no_error();
        }
    }
}
