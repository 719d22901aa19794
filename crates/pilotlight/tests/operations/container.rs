//! The image on a real container engine: its content, a container without privileges, and the acknowledged delivery of
//! a run to a runner in another container.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use pilotlight_testkit::container_engine::{ContainerEngine, IMAGE, static_binary};
use pilotlight_testkit::need;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::run_message::{self, DEPLOYMENT, VERSION, run};
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

/// The service's URL on the network that the containers share.
const URL: &str = "http://pilotlight:8080";

/// The default time for a shutdown of the service.
const GRACE: Duration = Duration::from_secs(8);

/// Starts the real client in its own container.
fn runner(engine: &ContainerEngine, name: &str) -> NodeRunners {
    let options = json!({
        "url": URL, "runners": [name], "deployment": DEPLOYMENT, "version": VERSION,
        "cpu": "0.5", "memory": "0.5", "rounds": 1, "tells": "message",
    });
    NodeRunners::by_command(&mut engine.node(None, &["runners.mjs", &options.to_string()]))
}

/// Submits a job on the container's own loopback address, because no key is configured.
fn submit(engine: &ContainerEngine) -> Value {
    let job = json!({ "job_type": "any", "input_params": { "n": 1 } }).to_string();
    let script = format!(
        "const response = await fetch('http://localhost:8080/api/jobs/submit', {{ method: 'POST', body: '{job}' }});
         console.log(await response.text());"
    );
    engine.run_script(Some("container:pilotlight"), &script)
}

#[test]
fn the_image_contains_the_binary_and_an_empty_data_folder() {
    need!("docker", "static-binary");
    let engine = ContainerEngine::start();
    engine.docker(&["create", "--name", "unstarted", IMAGE]);
    let mut export = engine.docker_piped(&["export", "unstarted"]);
    let listed = Command::new("tar")
        .arg("-t")
        .stdin(export.child().stdout.take().expect("the pipe was requested"))
        .output();
    let listed = String::from_utf8(listed.expect("the program `tar` exists").stdout).expect("names are text");
    // The engine creates these paths in every container, as mount points.
    let engine_paths = ["dev/", "etc/", "proc/", "sys/", ".dockerenv"];
    let files: BTreeSet<_> =
        listed.lines().filter(|name| !engine_paths.iter().any(|path| name.starts_with(path))).collect();
    assert_eq!(files, BTreeSet::from(["data/", "pilotlight"]));

    let image = engine.inspect(IMAGE);
    let config = &image["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], json!(["/pilotlight"]));
    assert_eq!(config["Cmd"], json!(["serve"]));
    assert_eq!(config["ExposedPorts"], json!({ "8080/tcp": {} }));
    assert_eq!(config["Volumes"], json!({ "/data": {} }));
    assert_eq!(config["Healthcheck"]["Test"], json!(["CMD", "/pilotlight", "health"]));
    let binary = std::fs::metadata(static_binary()).expect("the static binary was built").len();
    assert_eq!(image["Size"], binary, "the image contains only the binary");
}

#[test]
fn a_container_without_privileges_becomes_healthy_and_stops_in_time() {
    need!("docker", "static-binary", "node", "clients");
    let engine = ContainerEngine::start();
    engine.serve(&[]);
    engine.wait_for_health("healthy");
    assert!(
        engine.docker(&["exec", "pilotlight", "/pilotlight", "health"]).starts_with("ok: 0 runners wait")
    );
    let shell = engine.try_docker(&["exec", "pilotlight", "/bin/sh", "-c", "true"]);
    assert!(!shell.status.success(), "the image contains a shell");

    // A waiting runner must not delay the shutdown.
    let mut runner = runner(&engine, "runner-1");
    wait_until("the runner waits", || engine.health()["waitingRunners"] == 1);
    let started = Instant::now();
    engine.docker(&["stop", "--time=30", "pilotlight"]);
    println!("docker stop took {:?}", started.elapsed());
    assert!(started.elapsed() < GRACE, "{:?}", started.elapsed());
    let state = &engine.inspect("pilotlight")["State"];
    assert_eq!((&state["ExitCode"], &state["OOMKilled"]), (&json!(0), &json!(false)));
    runner.kill();
}

#[test]
fn jobs_in_a_named_volume_survive_their_container() {
    need!("docker", "static-binary", "node");
    let engine = ContainerEngine::start();
    let volume = ["--volume=jobs:/data"];
    engine.serve(&volume);
    engine.wait_for_health("healthy");
    let submitted = submit(&engine);
    assert_eq!(submitted["status"], "pending", "{submitted}");
    // The kernel ends a process in the same way when there is no memory left: without a notice.
    engine.docker(&["kill", "--signal=KILL", "pilotlight"]);
    engine.docker(&["rm", "pilotlight"]);

    engine.serve(&volume);
    engine.wait_for_health("healthy");
    let second = submit(&engine);
    assert_eq!(second["job_id"], submitted["job_id"], "the second submission joins the stored job");
}

#[test]
fn a_container_is_unhealthy_while_its_service_hangs() {
    need!("docker", "static-binary");
    let engine = ContainerEngine::start();
    engine.serve(&["--health-retries=1"]);
    engine.wait_for_health("healthy");
    // The kernel still accepts connections, but the service does not respond.
    engine.docker(&["kill", "--signal=STOP", "pilotlight"]);
    engine.wait_for_health("unhealthy");
    engine.docker(&["kill", "--signal=CONT", "pilotlight"]);
    engine.wait_for_health("healthy");
}

#[test]
fn a_container_with_an_invalid_setting_exits_with_code_2() {
    need!("docker", "static-binary");
    let engine = ContainerEngine::start();
    engine.serve(&["--env", "PORT=70000"]);
    assert_eq!(engine.docker(&["wait", "pilotlight"]), "2");
    let log = String::from_utf8(engine.try_docker(&["logs", "pilotlight"]).stderr).expect("text");
    assert!(log.contains("PORT") && log.contains("70000"), "{log}");
}

#[test]
fn a_run_for_a_real_client_in_another_container_is_acknowledged() {
    need!("docker", "static-binary", "node", "clients");
    let engine = ContainerEngine::start();
    engine.serve(&[]);
    engine.wait_for_health("healthy");
    let runner = runner(&engine, "runner-1");
    wait_until("the runner waits", || engine.health()["waitingRunners"] == 1);

    let run = run("run_contained");
    let answer = engine.run_script(None, &offer(&run));
    assert_eq!(answer, json!({ "didWarmStart": true }));
    assert_eq!(runner.wait_for_event("received")["message"], run);

    assert_eq!(engine.health()["ack"], "kernel");
    // The script runs in the container: the dashboard is open to callers on the same machine only.
    let script = "console.log(await (await fetch('http://localhost:8080/api/dashboard')).text())";
    let dashboard = engine.run_script(Some("container:pilotlight"), script);
    let newest = &dashboard["recentMatches"][0];
    assert_eq!((&newest["runId"], &newest["delivery"]), (&json!("run_contained"), &json!("acknowledged")));
    assert_eq!(
        engine.run_script(None, &offer(&run)),
        json!({ "didWarmStart": false }),
        "no runner is waiting"
    );
}

/// The script of a supervisor that offers the run and prints the answer.
fn offer(run: &Value) -> String {
    let body = Value::String(run_message::offer(run));
    format!(
        "const answer = await fetch('{URL}/warm-start', {{ method: 'POST', body: {body} }});
         console.log(await answer.text());"
    )
}
