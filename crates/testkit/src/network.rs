//! A network whose links can be cut and slowed. The service is in its own network namespace, with one link to its
//! supervisors and one to its runners. The link to the runners has a bridge in a second namespace, and is cut on the
//! other side of the bridge. The service's own interface stays up: it gets no FIN, no RST and no loss of carrier, and
//! its packets are not answered.
//!
//! The test itself stays in the root namespace, as a runner on one link and as a supervisor on the other. All names
//! contain the test's process id; the next test removes the namespaces that a killed test left behind.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::server::{TestServer, pilotlight_binary};

const PREFIX: &str = "pilotlight-test";

/// The network; its namespaces and links are removed on drop.
pub struct TestNetwork {
    service: String,
    bridge: String,
    /// Two subnets of four addresses each: the supervisors' from 0, the runners' from 4.
    net: [u8; 3],
}

impl TestNetwork {
    /// Creates the namespaces and links.
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        remove_namespaces_of_killed_tests();
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let pid = std::process::id();
        let [_, _, high, low] = (pid.wrapping_mul(8) + count).to_be_bytes();
        let name = format!("{PREFIX}-{pid}-{count}");
        let network = Self {
            service: format!("{name}-service"),
            bridge: format!("{name}-bridge"),
            net: [10, 64 | (high & 63), low],
        };
        network.build();
        network
    }

    fn build(&self) {
        let Self { service, bridge, net: _ } = self;
        let (supervisor_side, runner_side) = (self.link('s'), self.link('r'));
        ip(&format!("netns add {service}"));
        ip(&format!("netns add {bridge}"));
        ip(&format!("-n {service} link set lo up"));

        ip(&format!("link add {supervisor_side} type veth peer name supervisors netns {service}"));
        ip(&format!("-n {bridge} link add bridge up type bridge"));
        ip(&format!("link add {runner_side} type veth peer name runners netns {bridge}"));
        ip(&format!("-n {service} link add runners type veth peer name service netns {bridge}"));
        ip(&format!("-n {bridge} link set runners master bridge up"));
        ip(&format!("-n {bridge} link set service master bridge up"));

        for (namespace, device, host) in [
            (String::new(), supervisor_side.as_str(), 1),
            (format!("-n {service} "), "supervisors", 2),
            (String::new(), runner_side.as_str(), 5),
            (format!("-n {service} "), "runners", 6),
        ] {
            ip(&format!("{namespace}addr add {}/30 dev {device}", self.host(host)));
            ip(&format!("{namespace}link set {device} up"));
        }
    }

    /// Starts the service. [`TestServer`] connects to it over the supervisors' link.
    pub fn serve(&self, settings: &[(&str, &str)]) -> TestServer {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.service]).arg(pilotlight_binary());
        let settings = [&[("PILOTLIGHT_SERVER_HOST", "0.0.0.0")], settings].concat();
        TestServer::by_command(command, &settings).at_address(IpAddr::V4(self.host(2)))
    }

    /// The service's address on the runners' link.
    pub fn address_for_runners(&self, server: &TestServer) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.host(6)), server.address().port())
    }

    /// Cuts the runners' link.
    pub fn cut(&self) {
        ip(&format!("-n {} link set runners down", self.bridge));
    }

    /// Restores the runners' link.
    pub fn restore(&self) {
        ip(&format!("-n {} link set runners up", self.bridge));
    }

    /// Limits the traffic to the runners to `rate`, such as `10mbit`. Packets above the rate are queued for at most
    /// `queue`, such as `50ms`; packets that do not fit into the queue are dropped.
    pub fn limit_rate(&self, rate: &str, queue: &str) {
        let shape = format!("qdisc add dev runners root tbf rate {rate} burst 32kbit latency {queue}");
        run("tc", &format!("-n {} {shape}", self.bridge));
    }

    fn host(&self, host: u8) -> Ipv4Addr {
        let [a, b, c] = self.net;
        Ipv4Addr::new(a, b, c, host)
    }

    /// The name of a network device of the root namespace; such names have at most 15 characters.
    fn link(&self, kind: char) -> String {
        let [_, b, c] = self.net;
        format!("pl-{b}-{c}-{kind}")
    }
}

impl Drop for TestNetwork {
    fn drop(&mut self) {
        for kind in ['s', 'r'] {
            remove(&format!("link delete {}", self.link(kind)));
        }
        for name in [&self.service, &self.bridge] {
            remove(&format!("netns delete {name}"));
        }
    }
}

fn remove_namespaces_of_killed_tests() {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return };
    for name in names.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').nth(1));
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            // Its links are removed with it.
            remove(&format!("netns delete {name}"));
        }
    }
}

fn ip(arguments: &str) {
    run("ip", arguments);
}

fn run(program: &str, arguments: &str) {
    let output =
        Command::new(program).args(arguments.split(' ')).output().expect("the requirement `netns` is met");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "failed to run `{program} {arguments}`: {stderr}");
}

/// Runs an `ip` command that removes something; it may be removed already.
fn remove(arguments: &str) {
    _ = Command::new("ip").args(arguments.split(' ')).output();
}
