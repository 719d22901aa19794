//! `pilotlight demo`: it fails when what it shows is not true, it needs no more than `sh` and `awk`, and it leaves no
//! process and no file.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use pilotlight_testkit::commands::{CommandResult, RunningCommand, run_to_end};
use pilotlight_testkit::need;
use pilotlight_testkit::server::{pilotlight_binary, pilotlight_command};
use pilotlight_testkit::temp_dir::TempDir;
use pilotlight_testkit::terminal::Terminal;
use pilotlight_testkit::wait::wait_until;

/// `pilotlight demo` with its temporary files in this folder.
fn demo(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = pilotlight_command(&[("TMPDIR", folder.path().to_str().expect("the path is UTF-8"))]);
    command.arg("demo").args(arguments);
    command
}

/// Whether a process runs that was started with a path of this folder.
fn has_processes(folder: &TempDir) -> bool {
    let path = folder.path().to_str().expect("the path is UTF-8").as_bytes();
    let all = fs::read_dir("/proc").expect("tests run on Linux").flatten();
    let lines = all.map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    lines.into_iter().any(|line| line.windows(path.len()).any(|part| part == path))
}

fn is_empty(folder: &TempDir) -> bool {
    fs::read_dir(folder.path()).expect("the folder is readable").next().is_none()
}

#[track_caller]
fn assert_nothing_remains(folder: &TempDir) {
    assert!(!has_processes(folder), "a process remains");
    assert!(is_empty(folder), "a file remains");
}

/// A folder that contains only these programs.
fn programs(names: &[&str]) -> TempDir {
    let folder = TempDir::new();
    for name in names {
        let candidates = ["/bin", "/usr/bin"].map(|folder| Path::new(folder).join(name));
        let program = candidates
            .iter()
            .find(|path| path.exists())
            .unwrap_or_else(|| panic!("this machine has no {name}"));
        symlink(program, folder.path().join(name)).expect("the folder is writable");
    }
    folder
}

fn with_path(mut command: Command, programs: &TempDir) -> Command {
    command.env("PATH", programs.path());
    command
}

#[test]
fn the_demo_shows_jobs_and_warm_starts_and_leaves_nothing() {
    let folder = TempDir::new();
    let CommandResult { stdout, .. } = run_to_end(&mut demo(&folder, &["--runs", "100"])).exited_with(0);
    let (jobs, warm_starts) = stdout.split_once("From the offer").expect("the output has both demos");
    for expected in ["cold", "warm", "cached", "100 callers", "1 execution, 100 equal results"] {
        assert!(jobs.contains(expected), "no {expected} in\n{jobs}");
    }
    assert!(warm_starts.contains("of 100 runs offered"), "{warm_starts}");
    assert!(!stdout.contains('\u{1b}'), "the output has colours although stdout is a pipe");
    assert_nothing_remains(&folder);
}

#[test]
fn each_demo_runs_alone_and_reports_as_json() {
    let folder = TempDir::new();
    let jobs = run_to_end(&mut demo(&folder, &["jobs", "--json"])).exited_with(0);
    let report = &jobs.json()["jobs"];
    assert_eq!(jobs.stderr, "");
    for (part, submissions, executions) in
        [("cold", 3, 3), ("warm", 50, 50), ("cached", 200, 0), ("together", 100, 1)]
    {
        assert_eq!(
            (&report[part]["submissions"], &report[part]["executions"]),
            (&submissions.into(), &executions.into())
        );
        assert!(report[part]["p50_us"].as_u64() <= report[part]["longest_us"].as_u64(), "{report}");
    }
    assert!(jobs.json().get("warm_start").is_none());
    let warm_start =
        run_to_end(&mut demo(&folder, &["warm-start", "--runs", "50", "--json"])).exited_with(0).json();
    assert!(warm_start["warm_start"]["offered"] == 50 && warm_start.get("jobs").is_none(), "{warm_start}");
    assert_nothing_remains(&folder);
}

#[test]
fn the_documented_shell_runner_executes_jobs() {
    let (folder, programs) = (TempDir::new(), programs(&["sh", "awk"]));
    let report =
        run_to_end(&mut with_path(demo(&folder, &["jobs", "--json"]), &programs)).exited_with(0).json();
    assert_eq!(report["jobs"]["program"], "sh");
    assert_nothing_remains(&folder);
}

#[test]
fn a_demo_with_an_unexpected_outcome_fails() {
    let (folder, programs) = (TempDir::new(), programs(&["sh"]));
    let python = programs.path().join("python3");
    // Counts each job twice, and its result is not a prime.
    let script = "#!/bin/sh\n[ \"$1\" = -c ] && exit\nwhile read -r line || [ \"$line\" ]; do\n\
                echo asked >> \"$2\"; echo asked >> \"$2\"\necho \"{\\\"prime\\\": 1, \\\"process\\\": $$}\"\ndone\n";
    fs::write(&python, script).expect("the folder is writable");
    fs::set_permissions(&python, PermissionsExt::from_mode(0o755)).expect("the file belongs to this test");
    let failed = run_to_end(&mut with_path(demo(&folder, &["jobs"]), &programs))
        .failed_with(1, "a job that all callers submit at once is executed once");
    assert!(failed.stderr.contains("every result is correct"), "{failed:?}");
    assert_nothing_remains(&folder);
}

#[test]
fn a_demo_without_a_program_for_its_jobs_fails_with_the_missing_programs() {
    let folder = TempDir::new();
    for programs in [programs(&[]), programs(&["sh"])] {
        run_to_end(&mut with_path(demo(&folder, &["jobs"]), &programs))
            .failed_with(1, "neither python3 nor sh with awk");
    }
    let no_folder = run_to_end(demo(&folder, &["jobs"]).env("TMPDIR", "/no/such/folder"));
    no_folder.failed_with(1, "a folder for temporary files");
    assert_nothing_remains(&folder);
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let folder = TempDir::new();
    let running = RunningCommand::start(&mut demo(&folder, &["jobs"]));
    wait_until("the demo's runner has started", || has_processes(&folder));
    running.signal("INT");
    running.wait_for_exit().exited_with(130);
    wait_until("the demo's processes are gone", || !has_processes(&folder));
    assert!(is_empty(&folder));
}

#[test]
fn a_killed_demo_leaves_no_process() {
    let folder = TempDir::new();
    let running = RunningCommand::start(&mut demo(&folder, &["jobs"]));
    wait_until("the demo's runner has started", || has_processes(&folder));
    running.signal("KILL");
    wait_until("the demo's processes are gone", || !has_processes(&folder));
}

#[test]
fn bars_have_colours_on_a_terminal_unless_no_color_is_set() {
    need!("tmux");
    let terminal = Terminal::with(&[]);
    terminal.type_line(&format!("{} demo jobs; echo ended with $?", pilotlight_binary().display()));
    let screen = terminal.wait_for_screen("the end of the demo", |screen| screen.contains("ended with 0"));
    assert!(screen.contains("\u{1b}[34m█") && screen.contains("\u{1b}[33m"), "{screen}");
    terminal.type_line(&format!(
        "clear; NO_COLOR=1 {} demo jobs; echo ended again with $?",
        pilotlight_binary().display()
    ));
    let screen = terminal.wait_for_screen("the end of the demo without colours", |screen| {
        screen.contains("ended again with 0")
    });
    assert!(screen.contains('█') && !screen.contains("\u{1b}[3"), "{screen}");
}
