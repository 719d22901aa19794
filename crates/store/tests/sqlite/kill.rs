//! A process that is killed at any moment loses no acknowledged submission. The child process is this same test,
//! started with the path of a folder; it prints each number once its submission has returned.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tokio::task::JoinSet;

use pilotlight_testkit::temp_dir::TempDir;

use crate::support::{at, open, store_in, submission};

const FOLDER: &str = "PILOTLIGHT_TEST_KILLED_FOLDER";
const FROM: &str = "PILOTLIGHT_TEST_KILLED_FROM";

/// How many times a child is started and killed.
const RUNS: u64 = 8;

/// The numbers of run `n` begin at `n` times this value.
const NUMBERS_PER_RUN: u64 = 1_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledged_writes_survive_being_killed() {
    if let Ok(folder) = std::env::var(FOLDER) {
        let from = std::env::var(FROM).unwrap().parse().unwrap();
        return submit_forever(Path::new(&folder), from).await;
    }
    let folder = TempDir::new();
    let mut acknowledged = Vec::new();
    for run in 0..RUNS {
        acknowledged.extend(run_until_killed(&store_in(&folder), run));
        let store = open(&store_in(&folder)).unwrap();
        for number in &acknowledged {
            assert!(
                store.job(submission(*number, 0).id).await.unwrap().is_some(),
                "{number} was acknowledged"
            );
        }
        assert_eq!(store.verify_integrity().await.unwrap(), [""; 0], "after run {run}");
    }
    assert!(acknowledged.len() as u64 > RUNS, "the child stored submissions in each run");
}

/// Starts a child, waits until it has printed some numbers, and kills it. Returns all printed numbers.
fn run_until_killed(folder: &Path, run: u64) -> Vec<u64> {
    let mut child = start(folder, run * NUMBERS_PER_RUN);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut numbers = Vec::new();
    // The child is killed at a different moment in each run, in the first run right after its first number.
    let count = 1 + usize::try_from(run * run * 17).unwrap();
    while numbers.len() < count {
        let line = lines.next().expect("the child runs until it is killed");
        numbers.extend(number(&line));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Numbers that the child printed before it was killed, and that were not read yet.
    numbers.extend(lines.filter_map(|line| number(&line)));
    numbers
}

fn number(line: &str) -> Option<u64> {
    line.strip_prefix("acknowledged ")?.strip_suffix('.')?.parse().ok()
}

fn start(folder: &Path, from: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::acknowledged_writes_survive_being_killed", "--nocapture"])
        .env(FOLDER, folder)
        .env(FROM, from.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

async fn submit_forever(folder: &Path, from: u64) {
    let store = open(folder).unwrap();
    let mut callers = JoinSet::new();
    for caller in 0..8 {
        let store = store.clone();
        callers.spawn(async move {
            for number in (from + caller..).step_by(8) {
                store.submit(submission(number, 500), at(1)).await.unwrap();
                // The leading line break separates the line from output of the test runner. The line is written with
                // one call, so that no partial line is read.
                let line = format!("\nacknowledged {number}.\n");
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    callers.join_all().await;
}
