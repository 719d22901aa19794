//! The demo: what it shows is so or it fails, it plays wherever there is a shell, and nothing of it remains.

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

/// With its temporary files there.
fn demo(folder: &TempDir, arguments: &[&str]) -> Command {
    let mut command = pilotlight_command(&[("TMPDIR", folder.path().to_str().expect("text"))]);
    command.arg("demo").args(arguments);
    command
}

/// Whether some process was started with a path of this folder.
fn is_named(folder: &TempDir) -> bool {
    let path = folder.path().to_str().expect("text").as_bytes();
    let all = fs::read_dir("/proc").expect("tests run on Linux").flatten();
    let lines = all.map(|entry| fs::read(entry.path().join("cmdline")).unwrap_or_default());
    lines.into_iter().any(|line| line.windows(path.len()).any(|part| part == path))
}

fn is_empty(folder: &TempDir) -> bool {
    fs::read_dir(folder.path()).expect("our own folder").next().is_none()
}

#[track_caller]
fn nothing_remains(folder: &TempDir) {
    assert!(!is_named(folder), "a process remains");
    assert!(is_empty(folder), "a file remains");
}

/// A folder with these programs alone.
fn programs(names: &[&str]) -> TempDir {
    let folder = TempDir::new();
    for name in names {
        let found = ["/bin", "/usr/bin"].map(|place| Path::new(place).join(name));
        let program = found.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("there is no {name}"));
        symlink(program, folder.path().join(name)).expect("our own folder");
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
    let (jobs, warm_starts) = stdout.split_once("From the offer").expect("both scenes");
    for shown in ["cold", "warm", "cached", "100 callers", "1 execution, 100 equal results"] {
        assert!(jobs.contains(shown), "no {shown} in\n{jobs}");
    }
    assert!(warm_starts.contains("of 100 runs offered"), "{warm_starts}");
    assert!(!stdout.contains('\u{1b}'), "there are colours in a pipe");
    nothing_remains(&folder);
}

#[test]
fn each_demo_runs_alone_and_reports_as_json() {
    let folder = TempDir::new();
    let jobs = run_to_end(&mut demo(&folder, &["jobs", "--json"])).exited_with(0);
    let told = &jobs.json()["jobs"];
    assert_eq!(jobs.stderr, "");
    for (what, times, executions) in
        [("cold", 3, 3), ("warm", 50, 50), ("cached", 200, 0), ("together", 100, 1)]
    {
        assert_eq!(
            (&told[what]["submissions"], &told[what]["executions"]),
            (&times.into(), &executions.into())
        );
        assert!(told[what]["p50_us"].as_u64() <= told[what]["longest_us"].as_u64(), "{told}");
    }
    assert!(jobs.json().get("warm_start").is_none());
    let warm_start =
        run_to_end(&mut demo(&folder, &["warm-start", "--runs", "50", "--json"])).exited_with(0).json();
    assert!(warm_start["warm_start"]["offered"] == 50 && warm_start.get("jobs").is_none(), "{warm_start}");
    nothing_remains(&folder);
}

#[test]
fn the_documented_shell_runner_executes_jobs() {
    let (folder, programs) = (TempDir::new(), programs(&["sh", "awk"]));
    let told =
        run_to_end(&mut with_path(demo(&folder, &["jobs", "--json"]), &programs)).exited_with(0).json();
    assert_eq!(told["jobs"]["program"], "sh");
    nothing_remains(&folder);
}

#[test]
fn a_demo_with_an_unexpected_outcome_fails() {
    let (folder, programs) = (TempDir::new(), programs(&["sh"]));
    let python = programs.path().join("python3");
    // Counts each job twice, and does not know a prime.
    let text = "#!/bin/sh\n[ \"$1\" = -c ] && exit\nwhile read -r line || [ \"$line\" ]; do\n\
                echo asked >> \"$2\"; echo asked >> \"$2\"\necho \"{\\\"prime\\\": 1, \\\"process\\\": $$}\"\ndone\n";
    fs::write(&python, text).expect("our own folder");
    fs::set_permissions(&python, PermissionsExt::from_mode(0o755)).expect("our own file");
    let failed = run_to_end(&mut with_path(demo(&folder, &["jobs"]), &programs))
        .failed_with(1, "a job that all callers submit at once is executed once");
    assert!(failed.stderr.contains("every result is correct"), "{failed:?}");
    nothing_remains(&folder);
}

#[test]
fn a_demo_without_a_program_for_its_jobs_says_so() {
    let folder = TempDir::new();
    for programs in [programs(&[]), programs(&["sh"])] {
        run_to_end(&mut with_path(demo(&folder, &["jobs"]), &programs))
            .failed_with(1, "neither python3 nor sh with awk");
    }
    let nowhere = run_to_end(demo(&folder, &["jobs"]).env("TMPDIR", "/no/such/folder"));
    nowhere.failed_with(1, "a folder for temporary files");
    nothing_remains(&folder);
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let folder = TempDir::new();
    let playing = RunningCommand::start(&mut demo(&folder, &["jobs"]));
    wait_until("its runner is there", || is_named(&folder));
    playing.signal("INT");
    playing.wait_for_exit().exited_with(130);
    wait_until("its processes are gone", || !is_named(&folder));
    assert!(is_empty(&folder));
}

#[test]
fn killed_it_leaves_no_process() {
    let folder = TempDir::new();
    let playing = RunningCommand::start(&mut demo(&folder, &["jobs"]));
    wait_until("its runner is there", || is_named(&folder));
    playing.signal("KILL");
    wait_until("its processes are gone", || !is_named(&folder));
}

#[test]
fn bars_have_colours_on_a_terminal_unless_there_shall_be_none() {
    need!("tmux");
    let terminal = Terminal::with(&[]);
    terminal.type_line(&format!("{} demo jobs; echo ended with $?", pilotlight_binary().display()));
    let shown = terminal.wait_for_screen("the end", |shown| shown.contains("ended with 0"));
    assert!(shown.contains("\u{1b}[34m█") && shown.contains("\u{1b}[33m"), "{shown}");
    terminal.type_line(&format!(
        "clear; NO_COLOR=1 {} demo jobs; echo once more $?",
        pilotlight_binary().display()
    ));
    let shown = terminal.wait_for_screen("the end", |shown| shown.contains("once more 0"));
    assert!(shown.contains('█') && !shown.contains("\u{1b}[3"), "{shown}");
}
