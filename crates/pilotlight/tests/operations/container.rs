//! The image on a real container engine: what is in it, how it runs locked down, and that a runner in another
//! container is proven to have its run.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::{Duration, Instant};

use pilotlight_testkit::container_engine::{ContainerEngine, IMAGE, static_binary};
use pilotlight_testkit::need;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::run_message::{self, DEPLOYMENT, VERSION, run};
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

/// The service as containers on the shared network know it.
const URL: &str = "http://pilotlight:8080";

/// What the service is given to end, by default.
const GRACE: Duration = Duration::from_secs(8);

/// The real client in a container of its own.
fn runner(engine: &ContainerEngine, name: &str) -> NodeRunners {
    let options = json!({
        "url": URL, "runners": [name], "deployment": DEPLOYMENT, "version": VERSION,
        "cpu": "0.5", "memory": "0.5", "rounds": 1, "tells": "message",
    });
    NodeRunners::by_command(&mut engine.node(None, &["runners.mjs", &options.to_string()]))
}

/// A caller of jobs where no key is configured: on the container's own loopback.
fn submit(engine: &ContainerEngine) -> Value {
    let job = json!({ "job_type": "any", "input_params": { "n": 1 } }).to_string();
    let script = format!(
        "const response = await fetch('http://localhost:8080/api/jobs/submit', {{ method: 'POST', body: '{job}' }});
         console.log(await response.text());"
    );
    engine.run_script(Some("container:pilotlight"), &script)
}

#[test]
fn the_image_holds_the_binary_and_an_empty_folder_for_its_data() {
    need!("docker", "static-binary");
    let engine = ContainerEngine::start();
    engine.docker(&["create", "--name", "unstarted", IMAGE]);
    let mut export = engine.docker_piped(&["export", "unstarted"]);
    let listed =
        Command::new("tar").arg("-t").stdin(export.child().stdout.take().expect("asked for")).output();
    let listed = String::from_utf8(listed.expect("tar is everywhere").stdout).expect("names are text");
    // What every container gets of its engine: places for mounts.
    let of_the_engine = ["dev/", "etc/", "proc/", "sys/", ".dockerenv"];
    let files: BTreeSet<_> =
        listed.lines().filter(|name| !of_the_engine.iter().any(|place| name.starts_with(place))).collect();
    assert_eq!(files, BTreeSet::from(["data/", "pilotlight"]));

    let image = engine.inspect(IMAGE);
    let config = &image["Config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], json!(["/pilotlight"]));
    assert_eq!(config["Cmd"], json!(["serve"]));
    assert_eq!(config["ExposedPorts"], json!({ "8080/tcp": {} }));
    assert_eq!(config["Volumes"], json!({ "/data": {} }));
    assert_eq!(config["Healthcheck"]["Test"], json!(["CMD", "/pilotlight", "health"]));
    let binary = std::fs::metadata(static_binary()).expect("it was built").len();
    assert_eq!(image["Size"], binary, "the image is as large as the binary");
}

#[test]
fn a_locked_down_container_becomes_healthy_and_stops_within_its_grace() {
    need!("docker", "static-binary", "node", "clients");
    let engine = ContainerEngine::start();
    engine.serve(&[]);
    engine.wait_for_health("healthy");
    assert!(
        engine.docker(&["exec", "pilotlight", "/pilotlight", "health"]).starts_with("ok: 0 runners wait")
    );
    let shell = engine.try_docker(&["exec", "pilotlight", "/bin/sh", "-c", "true"]);
    assert!(!shell.status.success(), "there is a shell in it");

    // A runner that waits must not hold the stop up.
    let mut runner = runner(&engine, "runner-1");
    wait_until("the runner waits", || engine.health()["waitingRunners"] == 1);
    let asked = Instant::now();
    engine.docker(&["stop", "--time=30", "pilotlight"]);
    println!("docker stop took {:?}", asked.elapsed());
    assert!(asked.elapsed() < GRACE, "{:?}", asked.elapsed());
    let state = &engine.inspect("pilotlight")["State"];
    assert_eq!((&state["ExitCode"], &state["OOMKilled"]), (&json!(0), &json!(false)));
    runner.kill();
}

#[test]
fn jobs_in_a_named_volume_outlive_their_container() {
    need!("docker", "static-binary", "node");
    let engine = ContainerEngine::start();
    let volume = ["--volume=jobs:/data"];
    engine.serve(&volume);
    engine.wait_for_health("healthy");
    let submitted = submit(&engine);
    assert_eq!(submitted["status"], "pending", "{submitted}");
    // As the kernel ends it when there is no memory left: nothing is said before.
    engine.docker(&["kill", "--signal=KILL", "pilotlight"]);
    engine.docker(&["rm", "pilotlight"]);

    engine.serve(&volume);
    engine.wait_for_health("healthy");
    let again = submit(&engine);
    assert_eq!(again["job_id"], submitted["job_id"], "the job that was submitted before is joined");
}

#[test]
fn a_container_whose_service_hangs_becomes_unhealthy_until_it_goes_on() {
    need!("docker", "static-binary");
    let engine = ContainerEngine::start();
    engine.serve(&["--health-retries=1"]);
    engine.wait_for_health("healthy");
    // Its kernel still accepts connections; nobody answers.
    engine.docker(&["kill", "--signal=STOP", "pilotlight"]);
    engine.wait_for_health("unhealthy");
    engine.docker(&["kill", "--signal=CONT", "pilotlight"]);
    engine.wait_for_health("healthy");
}

#[test]
fn a_container_whose_service_has_a_wrong_setting_ends_with_exit_code_2() {
    need!("docker", "static-binary");
    let engine = ContainerEngine::start();
    engine.serve(&["--env", "PORT=70000"]);
    assert_eq!(engine.docker(&["wait", "pilotlight"]), "2");
    let log = String::from_utf8(engine.try_docker(&["logs", "pilotlight"]).stderr).expect("text");
    assert!(log.contains("PORT") && log.contains("70000"), "{log}");
}

#[test]
fn a_real_client_in_another_container_has_its_run_acknowledged_by_its_own_kernel() {
    need!("docker", "static-binary", "node", "clients");
    let engine = ContainerEngine::start();
    engine.serve(&[]);
    engine.wait_for_health("healthy");
    let runner = runner(&engine, "runner-1");
    wait_until("the runner waits", || engine.health()["waitingRunners"] == 1);

    let run = run("run_contained");
    let offered = engine.run_script(None, &offer(&run));
    assert_eq!(offered, json!({ "didWarmStart": true }));
    assert_eq!(runner.wait_for_event("received")["message"], run);

    assert_eq!(engine.health()["ack"], "kernel");
    // From inside, by a loopback name: the dashboard is for callers on the same machine.
    let asked = "console.log(await (await fetch('http://localhost:8080/api/dashboard')).text())";
    let dashboard = engine.run_script(Some("container:pilotlight"), asked);
    let newest = &dashboard["recentMatches"][0];
    assert_eq!((&newest["runId"], &newest["delivery"]), (&json!("run_contained"), &json!("acknowledged")));
    assert_eq!(
        engine.run_script(None, &offer(&run)),
        json!({ "didWarmStart": false }),
        "nobody waits any more"
    );
}

/// A supervisor's script: offers the run and prints the answer.
fn offer(run: &Value) -> String {
    let body = Value::String(run_message::offer(run));
    format!(
        "const answer = await fetch('{URL}/warm-start', {{ method: 'POST', body: {body} }});
         console.log(await answer.text());"
    )
}
