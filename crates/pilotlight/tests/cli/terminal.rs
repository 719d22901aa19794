//! What a person sees: bars and colours on a terminal, none where they asked for none.

use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::need;
use pilotlight_testkit::server::{TestServer, pilotlight_binary};
use pilotlight_testkit::terminal::Terminal;
use serde_json::json;

use super::submit::executes;

fn command(arguments: &str) -> String {
    format!("{} {arguments}", pilotlight_binary().display())
}

#[test]
fn progress_is_drawn_below_the_console_and_the_result_replaces_it() {
    need!("tmux");
    let server = TestServer::start();
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command("submit t --wait"));
    terminal.wait_for_screen("a spinner", |shown| shown.contains("pending t"));
    let mut runner = ApiClient::at(server.address()).as_runner("r");
    let job = runner.next_job("t", 20_000).expect("a job");
    assert_eq!(runner.report("start", &job, json!({})).status, 200);
    let half =
        json!({ "progress_current": 3, "progress_total": 10, "console_append": "one\ntwo \u{1b}[2J\nthr" });
    assert_eq!(runner.report("heartbeat", &job, half).status, 200);
    let shown = terminal.wait_for_screen("a bar", |shown| shown.contains("3/10 30%"));
    assert!(shown.contains("in_progress t") && shown.contains("\u{1b}[36m"), "{shown:?}");
    let shown = terminal.wait_for_screen("the console", |shown| shown.contains("two"));
    assert!(shown.contains("one\n") && shown.contains("two \u{241b}[2J"), "{shown:?}");
    let bar = shown.find("in_progress t").expect("the bar");
    assert!(shown.find("two").expect("the console") < bar, "{shown:?}");
    let done =
        runner.report("complete", &job, json!({ "output_data": { "words": 2 }, "console_append": "ee\n" }));
    assert_eq!(done.status, 200);
    let shown = terminal.wait_for_screen("the result", |shown| shown.contains(r#"{"words":2}"#));
    assert!(shown.contains("three\n") && !shown.contains("30%"), "{shown:?}");
}

#[test]
fn ctrl_c_leaves_and_says_how_to_come_back() {
    need!("tmux");
    let server = TestServer::start();
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command("submit t --wait; echo ended with $?"));
    terminal.wait_for_screen("a spinner", |shown| shown.contains("pending t"));
    terminal.press("C-c");
    let shown = terminal.wait_for_screen("the end", |shown| shown.contains("ended with 130"));
    // A terminal writes `^C` where the cursor is, so that the bar stays above.
    assert!(shown.contains("\ninterrupted; job") && shown.contains("jobs tail"), "{shown:?}");
}

#[test]
fn a_table_has_colours_on_a_terminal_unless_there_shall_be_none() {
    need!("tmux");
    let server = TestServer::start();
    ApiClient::at(server.address()).submit("t", &json!({}));
    executes(&server, &json!({}));
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command("jobs list; echo end"));
    let shown = terminal.wait_for_screen("the list", |shown| shown.contains("\nend"));
    assert!(shown.contains("\u{1b}[32mcompleted"), "{shown:?}");
    terminal.type_line(&format!("clear; NO_COLOR=1 {}; echo end", command("jobs list")));
    let shown = terminal.wait_for_screen("the plain list", |shown| {
        shown.contains("completed") && !shown.contains("\u{1b}[32m")
    });
    assert!(shown.contains("completed"), "{shown:?}");
}

#[test]
fn somebody_is_asked_before_a_job_is_deleted() {
    need!("tmux");
    let server = TestServer::start();
    let id = ApiClient::at(server.address()).submit("t", &json!({}))["job_id"].as_str().unwrap().to_owned();
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command(&format!("jobs delete {id}; echo ended with $?")));
    terminal.wait_for_screen("the question", |shown| shown.contains("[y/N]"));
    terminal.type_line("n");
    terminal.wait_for_screen("the end", |shown| shown.contains("ended with 1"));
    assert_eq!(ApiClient::at(server.address()).job(&id)["status"], "pending");
    terminal.type_line(&format!("clear; {}; echo ended with $?", command(&format!("jobs delete {id}"))));
    terminal
        .wait_for_screen("the question", |shown| shown.contains("[y/N]") && !shown.contains("ended with 1"));
    terminal.type_line("y");
    terminal.wait_for_screen("the end", |shown| shown.contains("ended with 0"));
}

#[test]
fn a_watched_status_is_one_screen() {
    need!("tmux");
    let server = TestServer::start();
    let terminal = Terminal::with(&[("PILOTLIGHT_URL", &server.url())]);
    terminal.type_line(&command("status --watch=200ms; echo ended with $?"));
    terminal.wait_for_screen("the screen", |shown| shown.contains("store"));
    ApiClient::at(server.address()).submit("t", &json!({}));
    let shown = terminal.wait_for_screen("the job", |shown| shown.contains("       1"));
    assert_eq!(shown.matches("version").count(), 1, "{shown}");
    terminal.press("C-c");
    terminal.wait_for_screen("the end", |shown| shown.contains("ended with 130"));
}
