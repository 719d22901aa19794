//! `pilotlight store`: copies of what is remembered, made and put back, with exit codes that scripts can rely on.

use std::path::Path;
use std::process::Output;

use pilotlight_testkit::server::{TestServer, pilotlight_command};
use pilotlight_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

/// Exit code, stdout, stderr of `pilotlight store ...` on the store in this folder.
fn store(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let settings = [("PILOTLIGHT_SERVER_DATA_DIR", folder.to_str().expect("a name"))];
    let output = pilotlight_command(&settings).arg("store").args(arguments).output();
    let Output { status, stdout, stderr } = output.expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("it writes text");
    (status.code(), text(stdout), text(stderr))
}

#[track_caller]
fn fails(outcome: &(Option<i32>, String, String), told: &str) {
    assert_eq!(outcome.0, Some(1), "{outcome:?}");
    assert!(outcome.2.contains(told), "{outcome:?}");
}

fn submitted(server: &TestServer) -> Value {
    let body = json!({ "job_type": "any", "input_params": { "n": 1 } }).to_string();
    server.connect().post("/api/jobs/submit", body).json()
}

#[test]
fn a_copy_is_made_while_the_service_runs_and_put_back_when_it_does_not() {
    let folder = TempDir::new();
    let (here, there) = (folder.path().join("here"), folder.path().join("there"));
    let copy = folder.path().join("copy.db");
    let copy = copy.to_str().expect("a name");
    let data_dir =
        |folder: &Path| [("PILOTLIGHT_SERVER_DATA_DIR", folder.to_str().expect("a name").to_owned())];
    let serve = |folder: &Path| {
        let settings = data_dir(folder);
        TestServer::with(&[(settings[0].0, settings[0].1.as_str())])
    };

    fails(&store(&here, &["check"]), "there is no store");
    fails(&store(&here, &["backup", copy]), "there is no store");
    let server = serve(&here);
    let job = submitted(&server)["job_id"].clone();
    assert_eq!(store(&here, &["check"]).0, Some(0));
    let (code, stdout, stderr) = store(&here, &["backup", copy, "--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((told["file"].as_str(), told["bytes"].as_u64() > Some(0)), (Some(copy), true), "{told}");
    fails(&store(&here, &["backup", copy]), "already exists");
    fails(&store(&here, &["restore", copy, "--replace"]), "in use by another process");
    drop(server);
    let (code, stdout, stderr) = store(&here, &["check", "--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(
        serde_json::from_str::<Value>(&stdout).expect("JSON"),
        json!({ "sound": true, "problems": [] })
    );

    assert_eq!(store(&there, &["restore", copy]).0, Some(0));
    fails(&store(&there, &["restore", copy]), "--replace");
    assert_eq!(store(&there, &["restore", copy, "--replace"]).0, Some(0));
    let (code, stdout, _) = store(&there, &["check"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "the store is sound\n"));
    assert_eq!(submitted(&serve(&there))["job_id"], job);
    std::fs::write(copy, "this is no store").expect("the disk takes it");
    fails(&store(&there, &["restore", copy, "--replace"]), copy);
    assert_eq!(store(&there, &["check"]).0, Some(0));
}

#[test]
fn a_database_is_copied_by_its_own_tools() {
    let settings = [("DATABASE_URL", "postgres://somebody:hunter2@127.0.0.1:1/jobs")];
    for (task, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let output =
            pilotlight_command(&settings).args(["store", task, "file"]).output().expect("the binary starts");
        let stderr = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(tool) && !stderr.contains("hunter2"), "{stderr}");
    }
}
