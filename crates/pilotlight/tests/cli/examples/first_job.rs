//! A new user's path: what the README says is typed as it stands, each block in a terminal of its own, and gives what it
//! says. Only the port is another, and the program is the one that is built already.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::{Block, blocks, page};
use pilotlight_testkit::api_client::ApiClient;
use pilotlight_testkit::commands::{CommandResult, run_to_end};
use pilotlight_testkit::process::{ChildProcess, OutputLines};
use pilotlight_testkit::server::pilotlight_binary;
use pilotlight_testkit::temp_dir::TempDir;
use pilotlight_testkit::wait::{try_wait_for, wait_for};

const SECTION: &str = "## First job in five minutes";

/// A terminal in which something runs, with all that was started there.
struct Terminal {
    shell: ChildProcess,
    said: OutputLines,
}

impl Terminal {
    fn types(block: &Block, folder: &TempDir, url: &str) -> Self {
        let mut command = shell(block, folder, url);
        let mut shell = ChildProcess::start(command.process_group(0).stdout(Stdio::piped()));
        let (said, _) = OutputLines::read(shell.child().stdout.take().expect("asked for"));
        Self { shell, said }
    }

    fn signal(&self, name: &str) -> bool {
        let group = format!("-{}", self.shell.id());
        let mut kill = Command::new("kill");
        kill.args(["-s", name, "--", &group]).stderr(Stdio::null());
        kill.status().is_ok_and(|sent| sent.success())
    }

    fn first_line(&self) -> String {
        wait_for("the first line", || self.said.from(0).into_iter().next())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.signal("INT");
        _ = try_wait_for(|| {
            // The shell itself is there until somebody has asked for its end.
            _ = self.shell.child().try_wait();
            (!self.signal("0")).then_some(())
        });
    }
}

/// The block's commands by a shell that finds the program.
fn shell(block: &Block, folder: &TempDir, url: &str) -> Command {
    let (path, own) =
        (std::env::var("PATH").unwrap_or_default(), pilotlight_binary().parent().expect("a folder"));
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &block.text]).current_dir(folder.path()).stdin(Stdio::null());
    shell.env_clear().env("PATH", format!("{}:{path}", own.display()));
    shell.env("PILOTLIGHT_SERVER_PORT", "0").env("PILOTLIGHT_URL", url);
    shell
}

/// The blocks of the section, without the one that installs.
fn section() -> Vec<Block> {
    let page = page("README.md");
    let (_, section) = page.split_once(SECTION).expect("the section is there");
    let section = section.split("\n## ").next().expect("it has a beginning");
    let (install, rest): (Vec<_>, Vec<_>) =
        blocks(section).into_iter().partition(|block| block.text.contains("cargo install"));
    assert_eq!(install.len(), 1, "one block installs");
    rest
}

fn is_last(block: &Block, command: &str) -> bool {
    block.language == "sh" && block.text.lines().last().is_some_and(|line| line.starts_with(command))
}

#[test]
fn the_readme_leads_to_a_first_result_and_a_second_one_from_memory() {
    let (folder, all) = (TempDir::new(), section());
    let by_last = |command| all.iter().find(|block| is_last(block, command)).expect("the section says it");
    let service = Terminal::types(by_last("pilotlight serve"), &folder, "");
    let line = service.first_line();
    let url = line.strip_prefix("pilotlight listens on ").expect("it says where");
    let runner = Terminal::types(by_last("pilotlight runner"), &folder, url);
    assert!(runner.first_line().contains("takes word_count"));

    let submit = "pilotlight submit";
    let submissions: Vec<_> = (0..all.len()).filter(|at| is_last(&all[*at], submit)).collect();
    let [first, second] = submissions[..] else { panic!("the section submits twice, not {submissions:?}") };
    assert_eq!(all[first].text, all[second].text, "it submits the same");
    let CommandResult { stdout, .. } = run_to_end(&mut shell(&all[first], &folder, url)).exited_with(0);
    assert_eq!(stdout, all[first + 1].text, "the result is the one that is shown");
    drop(runner);
    let again = run_to_end(&mut shell(&all[second], &folder, url)).exited_with(0);
    assert_eq!((again.stdout, again.stderr), (stdout, String::new()), "nobody is there who could execute it");

    let status = run_to_end(&mut shell(by_last("pilotlight status"), &folder, url)).exited_with(0);
    assert!(status.stdout.contains("completed           1"), "{status:?}");
    let address = url.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address");
    assert_eq!(ApiClient::at(address).get("/api/admin/jobs").json()["total"], 1);
}
