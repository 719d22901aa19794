//! Runs the examples of the documentation, unchanged but for the service's address, and compares what happens with what
//! the page shows.

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

/// The service's address in the documentation.
const DOCUMENTED_URL: &str = "http://localhost:8080";

/// A fenced code block: its language and its text.
struct Block {
    language: String,
    text: String,
}

/// The text of a file in the repository.
fn page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("failed to read {name}: {error}"))
}

/// The fenced code blocks of the page.
fn blocks(page: &str) -> Vec<Block> {
    let inside = page.split("```").skip(1).step_by(2);
    let block = |text: &str| {
        let (language, text) = text.split_once('\n').expect("the opening fence is a line of its own");
        Block { language: language.to_owned(), text: text.to_owned() }
    };
    inside.map(block).collect()
}

/// The first block that starts with this line.
fn program(page: &str, first_line: &str) -> String {
    let found = blocks(page).into_iter().find(|block| block.text.starts_with(first_line));
    found.unwrap_or_else(|| panic!("no program starts with {first_line}")).text
}

/// A command that runs this text by an interpreter in a folder. Its environment has only `PATH`.
fn command(interpreter: &str, text: &str, server: &TestServer, folder: &TempDir) -> Command {
    let file = folder.path().join("example");
    std::fs::write(&file, text.replace(DOCUMENTED_URL, &server.url())).expect("the folder is writable");
    let mut command = Command::new(interpreter);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.arg(file).current_dir(folder.path()).stdin(Stdio::null());
    command
}

#[test]
fn the_documented_runners_execute_the_documented_job() {
    need!("curl", "jq", "python");
    let page = page("docs/jobs.md");
    for (interpreter, first_line) in [("sh", "#!/bin/sh"), ("python3", "#!/usr/bin/env python3")] {
        let (server, folders) = (TestServer::start(), [TempDir::new(), TempDir::new()]);
        let mut runner = command(interpreter, &program(&page, first_line), &server, &folders[0]);
        let _runner = ChildProcess::start(runner.stdout(Stdio::null()));
        let all = blocks(&page);
        let at = all
            .iter()
            .position(|block| block.text.contains("/api/jobs/submit?wait_ms"))
            .expect("the page submits a job");
        let response =
            run_to_end(&mut command("sh", &all[at].text, &server, &folders[1])).exited_with(0).json();
        assert_eq!(
            without_id(response),
            without_id(serde_json::from_str(&all[at + 1].text).expect("JSON")),
            "{interpreter}"
        );
    }
}

#[test]
fn the_documented_python_runner_reports_errors_and_survives_a_restart_of_the_service() {
    need!("python");
    let (folder, data, port) = (TempDir::new(), TempDir::new(), free_port());
    let settings =
        [("PILOTLIGHT_SERVER_DATA_DIR", data.path().to_str().unwrap()), ("PILOTLIGHT_SERVER_PORT", &port)];
    let server = TestServer::with(&settings);
    let text = program(&page("docs/jobs.md"), "#!/usr/bin/env python3");
    let _runner = ChildProcess::start(command("python3", &text, &server, &folder).stdout(Stdio::null()));
    let execute = |server: &TestServer, input: Value| {
        let body = json!({ "job_type": "word_count", "input_params": input });
        ApiClient::at(server.address()).post("/api/jobs/submit?wait_ms=20000", &body).json()
    };
    assert_eq!(execute(&server, json!({ "n": 1 }))["error"], "KeyError('text')");
    drop(server);
    let server = TestServer::with(&settings);
    assert_eq!(execute(&server, json!({ "text": "a b" }))["result"]["output_data"]["words"], 2);
}

#[test]
fn the_examples_of_the_tutorial_run_from_top_to_bottom() {
    need!("curl", "jq");
    let (server, folder, page) = (TestServer::start(), TempDir::new(), page("docs/jobs.md"));
    let first_command = page.find("export API=").expect("the tutorial sets API first");
    let start = page[..first_command].rfind("```sh").expect("the command is in a block");
    let all = blocks(&page[start..]);
    let mut script = String::new();
    for (number, block) in all.iter().enumerate().filter(|(_, block)| block.language == "sh") {
        script += &format!("{}\necho; echo '=== {number}'\n", block.text);
    }
    let outcome = run_to_end(&mut command("sh", &script, &server, &folder)).exited_with(0);
    let mut compared = 0;
    let mut rest = outcome.stdout.as_str();
    for (number, block) in all.iter().enumerate().filter(|(_, block)| block.language == "sh") {
        let (output, after) = rest.split_once(&format!("\n=== {number}\n")).expect("each block ends");
        rest = after;
        assert!(!output.contains(r#""error":"#) || block.text.contains("cancel"), "{}\n{output}", block.text);
        let Some(expected) = all.get(number + 1).filter(|next| next.language == "json") else { continue };
        // The responses follow each other without line breaks.
        let last =
            serde_json::Deserializer::from_str(output).into_iter::<Value>().map_while(Result::ok).last();
        let expected = serde_json::from_str(&expected.text).expect("JSON");
        assert_eq!(last.map(without_id), Some(without_id(expected)), "{}\n{output}", block.text);
        compared += 1;
    }
    assert!(compared >= 3, "only {compared} responses were compared with the page");
}

#[test]
fn the_examples_in_docs_cli_md_run() {
    need!("jq");
    let (server, folder) = (TestServer::start(), TempDir::new());
    std::fs::write(folder.path().join("scene.json"), r#"{"scene": 7}"#).unwrap();
    let all = blocks(&page("docs/cli.md")).into_iter().filter(|block| block.language == "sh");
    let script: String = all.map(|block| block.text).collect();
    let mut shell = command("sh", &script, &server, &folder);
    let path = std::env::var("PATH").unwrap_or_default();
    let folder_of_binary = pilotlight_binary().parent().expect("the binary is in a folder");
    shell.env("PATH", format!("{}:{path}", folder_of_binary.display())).env("PILOTLIGHT_URL", server.url());
    let running = RunningCommand::start(&mut shell);
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    runner.execute("word_count", &json!({ "words": 6 }));
    runner.execute("render", &json!({ "pixels": 1 }));
    assert_eq!(running.wait_for_exit().exited_with(0).stdout, "6\nrendered\n");
    let written = std::fs::read_to_string(folder.path().join("result.json")).unwrap();
    assert_eq!(written, "{\"pixels\":1}\n");
}

/// A response whose job id is replaced by `ID`.
fn without_id(mut response: Value) -> Value {
    if let Some(id) = response.get_mut("job_id") {
        *id = json!("ID");
    }
    response
}

#[test]
fn every_documented_configuration_is_valid() {
    let folder = TempDir::new();
    let file = folder.path().join("pilotlight.toml");
    let page = page("docs/jobs.md");
    let configurations: Vec<_> = blocks(&page).into_iter().filter(|block| block.language == "toml").collect();
    assert!(configurations.len() >= 2);
    for configuration in configurations {
        std::fs::write(&file, &configuration.text).unwrap();
        run_to_end(pilotlight_command(&[]).args(["config", "--config"]).arg(&file)).exited_with(0);
    }
}

#[test]
fn the_documented_webhook_receiver_gets_webhooks() {
    need!("python");
    let (folder, page, port) = (TempDir::new(), page("docs/jobs.md"), free_port());
    let with_port = |text: &str| text.replace("9123", &port);
    let all = blocks(&page);
    let settings =
        all.iter().find(|block| block.text.contains("webhook_url")).expect("the page configures a webhook");
    let file = folder.path().join("pilotlight.toml");
    std::fs::write(&file, with_port(&settings.text)).unwrap();
    let server = TestServer::with_arguments(&["--config", file.to_str().unwrap()], &[]);
    let receiver =
        all.iter().find(|block| block.text.contains("is_genuine")).expect("the page has a receiver");
    let mut receiver = command("python3", &with_port(&receiver.text), &server, &folder);
    let mut receiver = ChildProcess::start(receiver.stdout(Stdio::piped()).stderr(Stdio::null()));
    let (output, _) = OutputLines::read(receiver.child().stdout.take().expect("stdout is piped"));
    let id = ApiClient::at(server.address()).submit("word_count", &json!({}))["job_id"].clone();
    ApiClient::at(server.address()).as_runner("r").execute("word_count", &json!({}));
    let is_webhook = |line: &String| {
        line.contains("job.completed") && line.contains(id.as_str().expect("job_id is a string"))
    };
    wait_until("the receiver prints the webhook", || output.from(0).iter().any(is_webhook));
}

fn free_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an open socket").port().to_string()
}
