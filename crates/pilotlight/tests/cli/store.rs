//! `pilotlight store`: check, backup and restore, with exit codes that scripts can rely on.

use std::path::Path;
use std::process::Output;

use pilotlight_testkit::server::{TestServer, pilotlight_command};
use pilotlight_testkit::temp_dir::TempDir;
use serde_json::{Value, json};

/// Exit code, stdout, stderr of `pilotlight store ...` on the store in this folder.
fn store(folder: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let settings = [("PILOTLIGHT_SERVER_DATA_DIR", folder.to_str().expect("the path is UTF-8"))];
    let output = pilotlight_command(&settings).arg("store").args(arguments).output();
    let Output { status, stdout, stderr } = output.expect("the binary starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[track_caller]
fn assert_fails(outcome: &(Option<i32>, String, String), expected_text: &str) {
    assert_eq!(outcome.0, Some(1), "{outcome:?}");
    assert!(outcome.2.contains(expected_text), "{outcome:?}");
}

/// Submits a job and returns the response.
fn submit(server: &TestServer) -> Value {
    let body = json!({ "job_type": "any", "input_params": { "n": 1 } }).to_string();
    server.connect().post("/api/jobs/submit", body).json()
}

#[test]
fn a_backup_is_made_while_the_service_runs_and_restored_while_it_does_not() {
    let folder = TempDir::new();
    let (original, restored) = (folder.path().join("original"), folder.path().join("restored"));
    let backup = folder.path().join("backup.db");
    let backup = backup.to_str().expect("the path is UTF-8");
    let data_dir = |folder: &Path| {
        [("PILOTLIGHT_SERVER_DATA_DIR", folder.to_str().expect("the path is UTF-8").to_owned())]
    };
    let serve = |folder: &Path| {
        let settings = data_dir(folder);
        TestServer::with(&[(settings[0].0, settings[0].1.as_str())])
    };

    assert_fails(&store(&original, &["check"]), "there is no store");
    assert_fails(&store(&original, &["backup", backup]), "there is no store");
    let server = serve(&original);
    let job = submit(&server)["job_id"].clone();
    assert_eq!(store(&original, &["check"]).0, Some(0));
    let (code, stdout, stderr) = store(&original, &["backup", backup, "--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    let report: Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(
        (report["file"].as_str(), report["bytes"].as_u64() > Some(0)),
        (Some(backup), true),
        "{report}"
    );
    assert_fails(&store(&original, &["backup", backup]), "already exists");
    assert_fails(&store(&original, &["restore", backup, "--replace"]), "in use by another process");
    drop(server);
    let (code, stdout, stderr) = store(&original, &["check", "--json"]);
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(
        serde_json::from_str::<Value>(&stdout).expect("JSON"),
        json!({ "sound": true, "problems": [] })
    );

    assert_eq!(store(&restored, &["restore", backup]).0, Some(0));
    assert_fails(&store(&restored, &["restore", backup]), "--replace");
    assert_eq!(store(&restored, &["restore", backup, "--replace"]).0, Some(0));
    let (code, stdout, _) = store(&restored, &["check"]);
    assert_eq!((code, stdout.as_str()), (Some(0), "the store is sound\n"));
    assert_eq!(submit(&serve(&restored))["job_id"], job);
    std::fs::write(backup, "this is no store").expect("the folder is writable");
    assert_fails(&store(&restored, &["restore", backup, "--replace"]), backup);
    assert_eq!(store(&restored, &["check"]).0, Some(0));
}

#[test]
fn backup_and_restore_of_a_postgres_store_name_the_database_tool_to_use() {
    let settings = [("DATABASE_URL", "postgres://user:hunter2@127.0.0.1:1/jobs")];
    for (task, tool) in [("backup", "pg_dump"), ("restore", "pg_restore")] {
        let output =
            pilotlight_command(&settings).args(["store", task, "file"]).output().expect("the binary starts");
        let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(tool) && !stderr.contains("hunter2"), "{stderr}");
    }
}
