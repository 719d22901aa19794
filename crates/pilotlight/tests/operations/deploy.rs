//! The deployment files agree with the defaults of the service, and with each other.

use std::path::Path;
use std::time::Duration;

use pilotlight_server::config::Config;

const COMPOSE: &str = "docker-compose.yml";
const DOCKERFILES: [&str; 2] = ["Dockerfile", "deploy/prebuilt.Dockerfile"];
const SERVICE: &str = "deploy/pilotlight.service";
const SOCKET: &str = "deploy/pilotlight.socket";

fn read(name: &str) -> String {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    std::fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

/// The text after `key` on its line.
fn value(name: &str, key: &str) -> String {
    let text = read(name);
    let value = text.lines().find_map(|line| line.trim().strip_prefix(key));
    value.unwrap_or_else(|| panic!("{name} has no {key}")).trim().to_owned()
}

fn seconds(name: &str, key: &str) -> Duration {
    let value = value(name, key);
    let seconds = value.strip_suffix('s').and_then(|number| number.parse().ok());
    Duration::from_secs(seconds.unwrap_or_else(|| panic!("{name}: {key} {value} is not a number of seconds")))
}

#[test]
fn every_deployment_file_waits_longer_than_the_grace() {
    let grace = Config::default().server.grace;
    for (name, key) in [(COMPOSE, "stop_grace_period:"), (SERVICE, "TimeoutStopSec=")] {
        let stop_timeout = seconds(name, key);
        assert!(
            stop_timeout >= grace + Duration::from_secs(5),
            "{name}: {stop_timeout:?}, and the grace is {grace:?}"
        );
    }
}

#[test]
fn every_deployment_file_names_the_default_port() {
    let port = Config::default().server.port;
    for dockerfile in DOCKERFILES {
        assert_eq!(value(dockerfile, "EXPOSE "), port.to_string(), "{dockerfile}");
    }
    assert_eq!(value(COMPOSE, "TRIGGER_WARM_START_URL:"), format!("http://pilotlight:{port}"));
    assert_eq!(value(SOCKET, "ListenStream="), format!("127.0.0.1:{port}"));
}

#[test]
fn runners_join_the_network_that_resolves_the_services_name() {
    let network = value(COMPOSE, "DOCKER_RUNNER_NETWORKS:");
    assert_eq!(value(COMPOSE, "name:"), network, "without this name the network is named after its project");
    let service = read(COMPOSE).split_once("\n  pilotlight:\n").expect("the service").1.to_owned();
    let service = service.split_once("\n  supervisor:\n").expect("the next service").0;
    assert!(service.contains(&format!("networks: [{network}]")), "{service}");
    assert!(!service.contains("    ports:"), "a published port adds a proxy between runners and the service");
}

#[test]
fn jobs_survive_the_container_and_the_service() {
    let variable = "PILOTLIGHT_SERVER_DATA_DIR=";
    for dockerfile in DOCKERFILES {
        let folder = value(dockerfile, &format!("ENV {variable}"));
        assert_eq!(value(dockerfile, "VOLUME "), folder, "{dockerfile}");
        let user = value(dockerfile, "USER ");
        let owned = read(dockerfile).lines().any(|line| {
            line.starts_with("COPY ")
                && line.contains(&format!("--chown={user} "))
                && line.ends_with(&format!(" {folder}"))
        });
        assert!(owned, "{dockerfile}: {folder} does not belong to the user");
        assert!(read(COMPOSE).contains(&format!("volumes: [\"pilotlight-data:{folder}\"]")), "{COMPOSE}");
    }
    assert!(read(COMPOSE).contains("\nvolumes:\n"), "the volume is not declared");
    let folder = value(SERVICE, "StateDirectory=");
    assert_eq!(value(SERVICE, &format!("Environment={variable}")), format!("%S/{folder}"));
}

#[test]
fn the_service_is_not_restarted_after_an_invalid_setting() {
    assert_eq!(value(SERVICE, "RestartPreventExitStatus="), "2");
}
