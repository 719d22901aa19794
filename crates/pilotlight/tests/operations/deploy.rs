//! The files that people deploy with agree with the service they start, and with each other.

use std::path::Path;
use std::time::Duration;

use pilotlight::config::Config;

const COMPOSE: &str = "docker-compose.yml";
const RECIPES: [&str; 2] = ["Dockerfile", "deploy/prebuilt.Dockerfile"];
const SERVICE: &str = "deploy/pilotlight.service";
const SOCKET: &str = "deploy/pilotlight.socket";

fn read(name: &str) -> String {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    std::fs::read_to_string(root.join(name)).unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

/// What follows `key` on its own line.
fn value(name: &str, key: &str) -> String {
    let text = read(name);
    let value = text.lines().find_map(|line| line.trim().strip_prefix(key));
    value.unwrap_or_else(|| panic!("{name} says nothing of {key}")).trim().to_owned()
}

fn seconds(name: &str, key: &str) -> Duration {
    let value = value(name, key);
    let seconds = value.strip_suffix('s').and_then(|number| number.parse().ok());
    Duration::from_secs(seconds.unwrap_or_else(|| panic!("{name}: {key} {value} is no number of seconds")))
}

#[test]
fn every_deployment_file_waits_longer_than_the_grace() {
    let grace = Config::default().server.grace;
    for (name, key) in [(COMPOSE, "stop_grace_period:"), (SERVICE, "TimeoutStopSec=")] {
        let patience = seconds(name, key);
        assert!(
            patience >= grace + Duration::from_secs(5),
            "{name}: {patience:?}, and the grace is {grace:?}"
        );
    }
}

#[test]
fn every_deployment_file_names_the_default_port() {
    let port = Config::default().server.port;
    for recipe in RECIPES {
        assert_eq!(value(recipe, "EXPOSE "), port.to_string(), "{recipe}");
    }
    assert_eq!(value(COMPOSE, "TRIGGER_WARM_START_URL:"), format!("http://pilotlight:{port}"));
    assert_eq!(value(SOCKET, "ListenStream="), format!("127.0.0.1:{port}"));
}

#[test]
fn runners_join_the_network_on_which_the_service_is_known_by_name() {
    let network = value(COMPOSE, "DOCKER_RUNNER_NETWORKS:");
    assert_eq!(value(COMPOSE, "name:"), network, "a network without this name is called after its project");
    let service = read(COMPOSE).split_once("\n  pilotlight:\n").expect("the service").1.to_owned();
    let service = service.split_once("\n  supervisor:\n").expect("its neighbour").0;
    assert!(service.contains(&format!("networks: [{network}]")), "{service}");
    assert!(!service.contains("    ports:"), "a published port puts a proxy in between");
}

#[test]
fn jobs_outlive_the_container_and_the_service() {
    let variable = "PILOTLIGHT_SERVER_DATA_DIR=";
    for recipe in RECIPES {
        let folder = value(recipe, &format!("ENV {variable}"));
        assert_eq!(value(recipe, "VOLUME "), folder, "{recipe}");
        let user = value(recipe, "USER ");
        let owned = read(recipe).lines().any(|line| {
            line.starts_with("COPY ")
                && line.contains(&format!("--chown={user} "))
                && line.ends_with(&format!(" {folder}"))
        });
        assert!(owned, "{recipe}: {folder} is not its user's");
        assert!(read(COMPOSE).contains(&format!("volumes: [\"pilotlight-data:{folder}\"]")), "{COMPOSE}");
    }
    assert!(read(COMPOSE).contains("\nvolumes:\n"), "the volume has no name of its own");
    let folder = value(SERVICE, "StateDirectory=");
    assert_eq!(value(SERVICE, &format!("Environment={variable}")), format!("%S/{folder}"));
}

#[test]
fn a_wrong_setting_is_not_tried_again() {
    assert_eq!(value(SERVICE, "RestartPreventExitStatus="), "2");
}
