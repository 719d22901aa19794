//! The examples of the documentation are run as they stand, but for the service's address: what a page says that
//! happens, happens.

mod first_job;

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{RunningCommand, run_to_end};
use pilotlight_testkit::need;
use pilotlight_testkit::process::{ChildProcess, OutputLines};
use pilotlight_testkit::server::{TestServer, pilotlight_binary, pilotlight_command};
use pilotlight_testkit::temp_dir::TempDir;
use pilotlight_testkit::wait::wait_until;
use serde_json::{Value, json};

const USUAL: &str = "http://localhost:8080";

/// A fenced block: its language, and its text.
struct Block {
    language: String,
    text: String,
}

fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

fn blocks(page: &str) -> Vec<Block> {
    let inside = page.split("```").skip(1).step_by(2);
    let block = |text: &str| {
        let (language, text) = text.split_once('\n').expect("a fence ends its line");
        Block { language: language.to_owned(), text: text.to_owned() }
    };
    inside.map(block).collect()
}

/// The first block that is a program and begins so.
fn program(page: &str, begins: &str) -> String {
    let found = blocks(page).into_iter().find(|block| block.text.starts_with(begins));
    found.unwrap_or_else(|| panic!("no program begins with {begins}")).text
}

/// Runs a text by a program, in a folder, with nothing in its environment.
fn command(by: &str, text: &str, server: &TestServer, folder: &TempDir) -> Command {
    let file = folder.path().join("example");
    std::fs::write(&file, text.replace(USUAL, &server.url())).expect("the disk takes it");
    let mut command = Command::new(by);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.arg(file).current_dir(folder.path()).stdin(Stdio::null());
    command
}

#[test]
fn the_runners_of_the_page_execute_what_it_submits() {
    need!("curl", "jq", "python");
    let page = page("docs/jobs.md");
    for (by, begins) in [("sh", "#!/bin/sh"), ("python3", "#!/usr/bin/env python3")] {
        let (server, folders) = (TestServer::start(), [TempDir::new(), TempDir::new()]);
        let mut runner = command(by, &program(&page, begins), &server, &folders[0]);
        let _runner = ChildProcess::start(runner.stdout(Stdio::null()));
        let all = blocks(&page);
        let at =
            all.iter().position(|block| block.text.contains("/api/jobs/submit?wait_ms")).expect("it submits");
        let told = run_to_end(&mut command("sh", &all[at].text, &server, &folders[1])).exited_with(0).json();
        assert_eq!(shape(told), shape(serde_json::from_str(&all[at + 1].text).expect("JSON")), "{by}");
    }
}

#[test]
fn the_python_runner_tells_why_a_job_failed_and_outlives_a_restart() {
    need!("python");
    let (folder, data, port) = (TempDir::new(), TempDir::new(), free_port());
    let settings =
        [("PILOTLIGHT_SERVER_DATA_DIR", data.path().to_str().unwrap()), ("PILOTLIGHT_SERVER_PORT", &port)];
    let server = TestServer::with(&settings);
    let text = program(&page("docs/jobs.md"), "#!/usr/bin/env python3");
    let _runner = ChildProcess::start(command("python3", &text, &server, &folder).stdout(Stdio::null()));
    let ended = |server: &TestServer, input: Value| {
        let body = json!({ "job_type": "word_count", "input_params": input });
        ApiClient::at(server.address()).post("/api/jobs/submit?wait_ms=20000", &body).json()
    };
    assert_eq!(ended(&server, json!({ "n": 1 }))["error"], "KeyError('text')");
    drop(server);
    let server = TestServer::with(&settings);
    assert_eq!(ended(&server, json!({ "text": "a b" }))["result"]["output_data"]["words"], 2);
}

#[test]
fn the_tutorials_examples_run_from_top_to_bottom() {
    need!("curl", "jq");
    let (server, folder, page) = (TestServer::start(), TempDir::new(), page("docs/jobs.md"));
    let story = page.find("export API=").expect("the story begins");
    let start = page[..story].rfind("```sh").expect("in a block");
    let all = blocks(&page[start..]);
    let mut script = String::new();
    for (number, block) in all.iter().enumerate().filter(|(_, block)| block.language == "sh") {
        script += &format!("{}\necho; echo '=== {number}'\n", block.text);
    }
    let outcome = run_to_end(&mut command("sh", &script, &server, &folder)).exited_with(0);
    let mut held = 0;
    let mut rest = outcome.stdout.as_str();
    for (number, block) in all.iter().enumerate().filter(|(_, block)| block.language == "sh") {
        let (said, after) = rest.split_once(&format!("\n=== {number}\n")).expect("each block ends");
        rest = after;
        assert!(!said.contains(r#""error":"#) || block.text.contains("cancel"), "{}\n{said}", block.text);
        let Some(told) = all.get(number + 1).filter(|next| next.language == "json") else { continue };
        // Answers stand behind each other without line breaks.
        let last = serde_json::Deserializer::from_str(said).into_iter::<Value>().map_while(Result::ok).last();
        let told = serde_json::from_str(&told.text).expect("JSON");
        assert_eq!(last.map(shape), Some(shape(told)), "{}\n{said}", block.text);
        held += 1;
    }
    assert!(held >= 3, "only {held} answers were held against the page");
}

#[test]
fn the_examples_of_the_command_line_run() {
    need!("jq");
    let (server, folder) = (TestServer::start(), TempDir::new());
    std::fs::write(folder.path().join("scene.json"), r#"{"scene": 7}"#).unwrap();
    let all = blocks(&page("docs/cli.md")).into_iter().filter(|block| block.language == "sh");
    let script: String = all.map(|block| block.text).collect();
    let mut shell = command("sh", &script, &server, &folder);
    let (path, own) =
        (std::env::var("PATH").unwrap_or_default(), pilotlight_binary().parent().expect("a folder"));
    shell.env("PATH", format!("{}:{path}", own.display())).env("PILOTLIGHT_URL", server.url());
    let running = RunningCommand::start(&mut shell);
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    runner.execute("word_count", &json!({ "words": 6 }));
    runner.execute("render", &json!({ "pixels": 1 }));
    assert_eq!(running.wait_for_exit().exited_with(0).stdout, "6\nrendered\n");
    let written = std::fs::read_to_string(folder.path().join("result.json")).unwrap();
    assert_eq!(written, "{\"pixels\":1}\n");
}

/// An answer without what differs each time.
fn shape(mut answer: Value) -> Value {
    if let Some(id) = answer.get_mut("job_id") {
        *id = json!("ID");
    }
    answer
}

#[test]
fn every_piece_of_configuration_is_taken() {
    let folder = TempDir::new();
    let file = folder.path().join("pilotlight.toml");
    let page = page("docs/jobs.md");
    let pieces: Vec<_> = blocks(&page).into_iter().filter(|block| block.language == "toml").collect();
    assert!(pieces.len() >= 2);
    for piece in pieces {
        std::fs::write(&file, &piece.text).unwrap();
        run_to_end(pilotlight_command(&[]).args(["config", "--config"]).arg(&file)).exited_with(0);
    }
}

#[test]
fn the_documented_webhook_receiver_gets_webhooks() {
    need!("python");
    let (folder, page, port) = (TempDir::new(), page("docs/jobs.md"), free_port());
    let here = |text: &str| text.replace("9123", &port);
    let all = blocks(&page);
    let settings = all.iter().find(|block| block.text.contains("webhook_url")).expect("it is configured");
    let file = folder.path().join("pilotlight.toml");
    std::fs::write(&file, here(&settings.text)).unwrap();
    let server = TestServer::with_arguments(&["--config", file.to_str().unwrap()], &[]);
    let hears = all.iter().find(|block| block.text.contains("is_genuine")).expect("it is heard");
    let mut hears = command("python3", &here(&hears.text), &server, &folder);
    let mut hears = ChildProcess::start(hears.stdout(Stdio::piped()).stderr(Stdio::null()));
    let (said, _) = OutputLines::read(hears.child().stdout.take().expect("asked for"));
    let id = ApiClient::at(server.address()).submit("word_count", &json!({}))["job_id"].clone();
    ApiClient::at(server.address()).as_runner("r").execute("word_count", &json!({}));
    let is_told =
        |line: &String| line.contains("job.completed") && line.contains(id.as_str().expect("an id"));
    wait_until("the end is heard", || said.from(0).iter().any(is_told));
}

fn free_port() -> String {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    taken.local_addr().expect("an open socket").port().to_string()
}
