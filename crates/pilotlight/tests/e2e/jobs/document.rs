//! The OpenAPI document is true: schemathesis, unchanged, calls everything in it with what fits and what does not, and
//! hears nothing that the document does not say.

use std::process::Command;

use serde_json::json;

use super::store::Store;
use crate::support::jobs::Party;
use crate::support::process::Folder;
use crate::support::python;
use crate::support::skip::need;

/// What is held against the document, and what must never be.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance";

#[test]
fn every_answer_is_one_that_the_document_names() {
    need!("python", "python-clients");
    let store = Store::sqlite();
    let server = store.serve(&[]);
    // Calls that name a job find one, in each of the states that its runner and its callers can bring it to.
    let mut party = Party::at(server.address()).of_runner("runner-1");
    let job = party.submit("documented", &json!({ "is": "there" }));
    for id in [job["job_id"].as_str().expect("an id"), "no-job"] {
        let folder = Folder::new();
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
