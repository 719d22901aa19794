//! The README's section for new users: each block runs unchanged in a shell of its own, and prints what the section
//! shows. Only the port differs, and the program is the one that cargo built for the tests.

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

/// A shell that runs one block, in a process group with all processes that the block starts.
struct BlockShell {
    shell: ChildProcess,
    output: OutputLines,
}

impl BlockShell {
    fn start(block: &Block, folder: &TempDir, url: &str) -> Self {
        let mut command = shell(block, folder, url);
        let mut shell = ChildProcess::start(command.process_group(0).stdout(Stdio::piped()));
        let (output, _) = OutputLines::read(shell.child().stdout.take().expect("stdout is piped"));
        Self { shell, output }
    }

    /// Sends a signal to the process group. Returns whether the group has processes.
    fn signal(&self, name: &str) -> bool {
        let group = format!("-{}", self.shell.id());
        let mut kill = Command::new("kill");
        kill.args(["-s", name, "--", &group]).stderr(Stdio::null());
        kill.status().is_ok_and(|sent| sent.success())
    }

    fn first_line(&self) -> String {
        wait_for("the first line", || self.output.from(0).into_iter().next())
    }
}

impl Drop for BlockShell {
    fn drop(&mut self) {
        self.signal("INT");
        _ = try_wait_for(|| {
            // The exited shell remains as a zombie of the group until its parent waits for it.
            _ = self.shell.child().try_wait();
            (!self.signal("0")).then_some(())
        });
    }
}

/// A shell that runs the block's commands and has the built program in its `PATH`.
fn shell(block: &Block, folder: &TempDir, url: &str) -> Command {
    let path = std::env::var("PATH").unwrap_or_default();
    let folder_of_binary = pilotlight_binary().parent().expect("the binary is in a folder");
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", &block.text]).current_dir(folder.path()).stdin(Stdio::null());
    shell.env_clear().env("PATH", format!("{}:{path}", folder_of_binary.display()));
    shell.env("PILOTLIGHT_SERVER_PORT", "0").env("PILOTLIGHT_URL", url);
    shell
}

/// The blocks of the section, without the one that installs the program.
fn section() -> Vec<Block> {
    let page = page("README.md");
    let (_, section) = page.split_once(SECTION).expect("the README has the section");
    let section = section.split("\n## ").next().expect("split returns at least one part");
    let (install, rest): (Vec<_>, Vec<_>) =
        blocks(section).into_iter().partition(|block| block.text.contains("cargo install"));
    assert_eq!(install.len(), 1, "one block installs");
    rest
}

/// Whether the last line of the block starts with this command.
fn ends_with(block: &Block, command: &str) -> bool {
    block.language == "sh" && block.text.lines().last().is_some_and(|line| line.starts_with(command))
}

#[test]
fn the_commands_of_the_readme_give_a_first_result_and_a_stored_second_one() {
    let (folder, all) = (TempDir::new(), section());
    let block_ending_with =
        |command| all.iter().find(|block| ends_with(block, command)).expect("the section has the command");
    let service = BlockShell::start(block_ending_with("pilotlight serve"), &folder, "");
    let line = service.first_line();
    let url = line.strip_prefix("pilotlight listens on ").expect("the first line has the address");
    let runner = BlockShell::start(block_ending_with("pilotlight runner"), &folder, url);
    assert!(runner.first_line().contains("takes word_count"));

    let submit = "pilotlight submit";
    let submissions: Vec<_> = (0..all.len()).filter(|at| ends_with(&all[*at], submit)).collect();
    let [first, second] = submissions[..] else { panic!("the section submits twice, not {submissions:?}") };
    assert_eq!(all[first].text, all[second].text, "both blocks submit the same job");
    let CommandResult { stdout, .. } = run_to_end(&mut shell(&all[first], &folder, url)).exited_with(0);
    assert_eq!(stdout, all[first + 1].text, "the result equals the one in the README");
    drop(runner);
    let again = run_to_end(&mut shell(&all[second], &folder, url)).exited_with(0);
    assert_eq!(
        (again.stdout, again.stderr),
        (stdout, String::new()),
        "the stored result is returned, as no runner is left"
    );

    let status = run_to_end(&mut shell(block_ending_with("pilotlight status"), &folder, url)).exited_with(0);
    assert!(status.stdout.contains("completed           1"), "{status:?}");
    let address = url.strip_prefix("http://").and_then(|address| address.parse().ok()).expect("an address");
    assert_eq!(ApiClient::at(address).get("/api/admin/jobs").json()["total"], 1);
}
