//! The OpenAPI document describes the real API: schemathesis sends valid and invalid requests to every operation in it,
//! and every response matches the document.

use std::process::Command;

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::need;
use pilotlight_testkit::python;
use pilotlight_testkit::temp_dir::TempDir;
use serde_json::json;

/// What schemathesis checks: responses match the document, and none is a server error.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

#[test]
fn every_response_matches_the_openapi_document() {
    need!("python", "python-clients");
    let store = JobStore::sqlite();
    let server = store.serve(&[]);
    // One run uses the id of an existing job, whose state the generated requests change, and one an unknown id.
    let mut client = ApiClient::at(server.address()).as_runner("runner-1");
    let job = client.submit("documented", &json!({ "is": "there" }));
    for id in [job["job_id"].as_str().expect("an id"), "no-job"] {
        let folder = TempDir::new();
        let settings = format!("[parameters]\nwait_ms = 5\n\"path.id\" = \"{id}\"\n");
        std::fs::write(folder.path().join("schemathesis.toml"), settings).expect("a writable folder");
        let mut command = python::program("st");
        command.args(["run", &format!("{}/api/openapi.json", server.url()), "--checks", CHECKS]);
        command.args(["--max-examples", "20", "--seed", "1", "--request-timeout", "30", "--no-color"]);
        run(command.current_dir(folder.path()));
    }
}

fn run(command: &mut Command) {
    let finished = command.output().expect("schemathesis is installed");
    let output = String::from_utf8_lossy(&finished.stdout);
    assert!(finished.status.success(), "{output}");
    println!("{}", output.lines().filter(|line| line.contains("passed")).collect::<Vec<_>>().join("\n"));
}
