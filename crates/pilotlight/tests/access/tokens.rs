//! Deployment tokens, which a runner may send instead of its deployment's id (docs/protocols/deployment-tokens.md).

use jsonwebtoken::{EncodingKey, Header, encode};
use pilotlight_testkit::need;
use pilotlight_testkit::node::NodeRunners;
use pilotlight_testkit::run_message::{DEPLOYMENT, VERSION, run};
use pilotlight_testkit::server::TestServer;
use pilotlight_testkit::warm_start::Poll;
use serde_json::{Value, json};

const SECRET: &str = "shared with the supervisor";

fn token(secret: &str) -> String {
    let claims = json!({
        "ver": 1, "deployment": DEPLOYMENT, "deployment_version": VERSION, "environment_id": "e",
        "environment_type": "PRODUCTION", "org_id": "o", "project_id": "p", "exp": 4_102_444_800_u64,
    });
    encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

fn server(mode: &str) -> TestServer {
    TestServer::with(&[("WORKLOAD_TOKEN_ENFORCEMENT", mode), ("WORKLOAD_TOKEN_SECRET", SECRET)])
}

fn poll(id: &str) -> Poll {
    Poll { deployment: id.to_owned(), ..Poll::by("runner") }
}

#[test]
fn each_token_mode_accepts_the_documented_clients() {
    let (good, forged) = (token(SECRET), token("another secret"));
    for (mode, forged_passes, plain_passes) in
        [("disabled", true, true), ("log", true, true), ("enforce", false, true), ("strict", false, false)]
    {
        let server = server(mode);
        for (id, passes) in [(&good, true), (&forged, forged_passes), (&DEPLOYMENT.to_owned(), plain_passes)]
        {
            for poll in [poll(id), poll(id).with_header("connection: close")] {
                let mut runner = poll.send_to(server.address());
                if passes {
                    server.wait_for_parked(1);
                    assert!(server.supervisor().offer(&run("run_1")), "{mode}");
                    assert_eq!(runner.response().expect("the run").status, 200, "{mode}");
                } else {
                    let answer = runner.response().expect("an answer");
                    assert_eq!(answer.status, 401, "{mode}");
                    assert!(!answer.text().contains(id.as_str()), "the answer contains the token");
                }
            }
        }
        let outputs =
            [server.dashboard("").to_string(), server.connect().get("/metrics").text(), server.log()];
        for text in outputs {
            assert!(!text.contains(&good) && !text.contains(&forged), "{mode}: a token is shown");
        }
    }
}

#[test]
fn a_strict_token_is_valid_for_its_own_version_only() {
    let server = server("strict");
    let poll = Poll { version: "another".to_owned(), ..poll(&token(SECRET)) };
    assert_eq!(poll.send_to(server.address()).response().expect("an answer").status, 401);
    assert!(server.metric(r#"pilotlight_deployment_tokens_total{outcome="refused"}"#) >= 1.0);
}

#[test]
fn strict_mode_without_a_secret_does_not_start() {
    let output = pilotlight_testkit::server::pilotlight_command(&[("WORKLOAD_TOKEN_ENFORCEMENT", "strict")])
        .arg("serve")
        .output()
        .expect("the binary runs");
    assert_eq!(output.status.code(), Some(2));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("warm_start.tokens needs warm_start.token_secret"), "{stderr}");
}

#[test]
fn a_real_client_polls_with_its_token_and_exits_when_it_is_refused() {
    need!("node", "clients");
    let server = server("enforce");
    let options = |deployment: &str| -> Value {
        json!({
            "url": server.url(), "runners": ["runner-1"], "deployment": deployment, "version": VERSION,
            "cpu": "0.5", "memory": "0.5", "rounds": 1, "tells": "id",
        })
    };
    let runner = NodeRunners::start(&options(&token(SECRET)));
    server.wait_for_parked(1);
    assert!(server.supervisor().offer(&run("run_1")));
    assert_eq!(runner.wait_for_event("received")["run"], "run_1");
    let refused = NodeRunners::start(&options(&token("another secret")));
    refused.wait_for_event("ended");
}
