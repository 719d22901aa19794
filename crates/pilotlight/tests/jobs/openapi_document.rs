//! The OpenAPI document is true: schemathesis, unchanged, calls everything in it with what fits and what does not, and
//! hears nothing that the document does not say.

use std::process::Command;

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::job_store::JobStore;
use pilotlight_testkit::need;
use pilotlight_testkit::python;
use pilotlight_testkit::temp_dir::TempDir;
use serde_json::json;

/// What is held against the document, and what must never be.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

#[test]
fn every_answer_is_one_that_the_document_names() {
    need!("python", "python-clients");
    let store = JobStore::sqlite();
    let server = store.serve(&[]);
    // Calls that name a job find one, in each of the states that its runner and its callers can bring it to.
    let mut party = ApiClient::at(server.address()).as_runner("runner-1");
    let job = party.submit("documented", &json!({ "is": "there" }));
    for id in [job["job_id"].as_str().expect("an id"), "no-job"] {
        let folder = TempDir::new();
        let settings = format!("[parameters]\nwait_ms = 5\n\"path.id\" = \"{id}\"\n");
        std::fs::write(folder.path().join("schemathesis.toml"), settings).expect("our own folder");
        let mut command = python::program("st");
        command.args(["run", &format!("{}/api/openapi.json", server.url()), "--checks", CHECKS]);
        command.args(["--max-examples", "20", "--seed", "1", "--request-timeout", "30", "--no-color"]);
        run(command.current_dir(folder.path()));
    }
}

fn run(command: &mut Command) {
    let ran = command.output().expect("it is installed");
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}");
    println!("{}", said.lines().filter(|line| line.contains("passed")).collect::<Vec<_>>().join("\n"));
}
