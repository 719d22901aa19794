//! Output on a terminal: progress bars, colours and questions; no colours with `NO_COLOR`.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::need;
use pilotlight_testkit::server::{TestServer, pilotlight_binary};
use pilotlight_testkit::terminal::Terminal;
use serde_json::json;

use super::submit::execute_next_job;

/// A command line for the shell in the terminal.
fn command(arguments: &str) -> String {
    format!("{} {arguments}", pilotlight_binary().display())
}

#[test]
fn progress_is_drawn_below_the_console_output_and_the_result_replaces_it() {
    need!("tmux");
    let server = TestServer::start();
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command("submit t --wait"));
    terminal.wait_for_screen("a spinner", |screen| screen.contains("pending t"));
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    let job = runner.next_job("t", 20_000).expect("a job is pending");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    let heartbeat =
        json!({ "progress_current": 3, "progress_total": 10, "console_append": "one\ntwo \u{1b}[2J\nthr" });
    assert_eq!(runner.report("heartbeat", &job, heartbeat).status, 200);
    let screen = terminal.wait_for_screen("a bar", |screen| screen.contains("3/10 30%"));
    assert!(screen.contains("in_progress t") && screen.contains("\u{1b}[36m"), "{screen:?}");
    let screen = terminal.wait_for_screen("the console", |screen| screen.contains("two"));
    assert!(screen.contains("one\n") && screen.contains("two \u{241b}[2J"), "{screen:?}");
    let bar = screen.find("in_progress t").expect("the bar is on the screen");
    assert!(screen.find("two").expect("the console output is on the screen") < bar, "{screen:?}");
    let response =
        runner.report("complete", &job, json!({ "output_data": { "words": 2 }, "console_append": "ee\n" }));
    assert_eq!(response.status, 200);
    let screen = terminal.wait_for_screen("the result", |screen| screen.contains(r#"{"words":2}"#));
    assert!(screen.contains("three\n") && !screen.contains("30%"), "{screen:?}");
}

#[test]
fn ctrl_c_exits_and_names_the_command_that_follows_the_job() {
    need!("tmux");
    let server = TestServer::start();
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command("submit t --wait; echo ended with $?"));
    terminal.wait_for_screen("a spinner", |screen| screen.contains("pending t"));
    terminal.press("C-c");
    let screen = terminal.wait_for_screen("the end", |screen| screen.contains("ended with 130"));
    // A terminal writes `^C` at the cursor, so the bar remains on the line above.
    assert!(screen.contains("\ninterrupted; job") && screen.contains("jobs tail"), "{screen:?}");
}

#[test]
fn a_table_has_colours_on_a_terminal_unless_no_color_is_set() {
    need!("tmux");
    let server = TestServer::start();
    ApiClient::at(server.address()).submit("t", &json!({}));
    execute_next_job(&server, &json!({}));
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command("jobs list; echo end"));
    let screen = terminal.wait_for_screen("the list", |screen| screen.contains("\nend"));
    assert!(screen.contains("\u{1b}[32mcompleted"), "{screen:?}");
    terminal.type_line(&format!("clear; NO_COLOR=1 {}; echo end", command("jobs list")));
    let screen = terminal.wait_for_screen("the plain list", |screen| {
        screen.contains("completed") && !screen.contains("\u{1b}[32m")
    });
    assert!(screen.contains("completed"), "{screen:?}");
}

#[test]
fn delete_asks_for_confirmation_on_a_terminal() {
    need!("tmux");
    let server = TestServer::start();
    let id = ApiClient::at(server.address()).submit("t", &json!({}))["job_id"].as_str().unwrap().to_owned();
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command(&format!("jobs delete {id}; echo ended with $?")));
    terminal.wait_for_screen("the question", |screen| screen.contains("[y/N]"));
    terminal.type_line("n");
    terminal.wait_for_screen("the end", |screen| screen.contains("ended with 1"));
    assert_eq!(ApiClient::at(server.address()).job(&id)["status"], "pending");
    terminal.type_line(&format!("clear; {}; echo ended with $?", command(&format!("jobs delete {id}"))));
    terminal.wait_for_screen("the question", |screen| {
        screen.contains("[y/N]") && !screen.contains("ended with 1")
    });
    terminal.type_line("y");
    terminal.wait_for_screen("the end", |screen| screen.contains("ended with 0"));
}

#[test]
fn a_watched_status_replaces_the_screen() {
    need!("tmux");
    let server = TestServer::start();
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command("status --watch=200ms; echo ended with $?"));
    terminal.wait_for_screen("the screen", |screen| screen.contains("store"));
    ApiClient::at(server.address()).submit("t", &json!({}));
    let screen = terminal.wait_for_screen("the job", |screen| screen.contains("       1"));
    assert_eq!(screen.matches("version").count(), 1, "{screen}");
    terminal.press("C-c");
    terminal.wait_for_screen("the end", |screen| screen.contains("ended with 130"));
}
