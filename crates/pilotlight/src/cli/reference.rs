//! Generates the reference part of `docs/cli.md` from the clap definitions and the table of exit codes.
//!
//! Compiled for tests only: the document is a snapshot of the texts that `--help` prints.

use std::fmt::Write;

use clap::{Arg, ArgAction, Command};

use super::command::command_definition;
use super::exit_code::{Code, CodeInfo};

fn reference() -> String {
    let mut text = String::from("## Exit codes\n\n| Code | Name | Means | What to do |\n|---|---|---|---|\n");
    for CodeInfo { number, name, meaning, advice } in Code::ALL.map(Code::info) {
        _ = writeln!(text, "| {number} | `{name}` | {meaning} | {advice} |");
    }
    let mut all = command_definition();
    all.build();
    for command in visible_subcommands(&all) {
        section(command, "pilotlight", &mut text);
    }
    text
}

fn visible_subcommands(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help")
}

fn section(command: &Command, before: &str, text: &mut String) {
    let name = format!("{before} {}", command.get_name());
    if command.has_subcommands() {
        for task in visible_subcommands(command) {
            section(task, &name, text);
        }
        return;
    }
    let about = command.get_long_about().or(command.get_about()).map(ToString::to_string).unwrap_or_default();
    let about = if about.ends_with('.') { about } else { about + "." };
    _ = write!(text, "\n## `{name}`\n\n```text\n{}\n```\n\n{about}\n", usage(command, &name));
    arguments(command, text);
    if let Some(examples) = command.get_after_long_help().or(command.get_after_help()) {
        let examples = examples.to_string();
        let lines = examples.lines().map(|line| line.strip_prefix("  ").unwrap_or(line));
        let (first, rest): (Vec<_>, Vec<_>) = lines.partition(|line| *line == "Examples:");
        assert_eq!(first.len(), 1, "{examples}");
        _ = write!(text, "\n```text\n{}\n```\n", rest.join("\n").trim());
    }
}

fn usage(command: &Command, name: &str) -> String {
    let positionals = command.get_positionals().map(|arg| {
        let name = arg.get_value_names().and_then(|names| names.first()).map_or("", |name| name.as_str());
        let many = if arg.get_num_args().is_some_and(|count| count.max_values() > 1) { "..." } else { "" };
        if arg.is_required_set() { format!(" <{name}>{many}") } else { format!(" [{name}]{many}") }
    });
    format!("{name} [OPTIONS]{}", positionals.collect::<String>())
}

fn arguments(command: &Command, text: &mut String) {
    let is_visible = |arg: &&Arg| !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version");
    let rows: String = command.get_arguments().filter(is_visible).map(row).collect();
    if !rows.is_empty() {
        _ = write!(text, "\n| Option | What it is |\n|---|---|\n{rows}");
    }
}

fn row(arg: &Arg) -> String {
    let value =
        arg.get_value_names().and_then(|names| names.first()).map(|name| name.as_str().replace('|', "\\|"));
    let value = value.filter(|_| !matches!(arg.get_action(), ArgAction::SetTrue));
    let name = match (arg.get_long(), value) {
        (Some(long), Some(value)) if arg.is_require_equals_set() => format!("--{long}[={value}]"),
        (Some(long), Some(value)) => format!("--{long} <{value}>"),
        (Some(long), None) => format!("--{long}"),
        (None, value) => value.unwrap_or_default(),
    };
    let short = arg.get_short().map_or_else(String::new, |short| format!("`-{short}`, "));
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default().replace('|', "\\|");
    let help = if help.is_empty() || help.ends_with('.') { help } else { help + "." };
    format!("| {short}`{name}` | {help}{}{} |\n", choices(arg), default(arg))
}

fn choices(arg: &Arg) -> String {
    let values = arg.get_possible_values();
    let names: Vec<_> =
        values.iter().filter(|one| !one.is_hide_set()).map(|one| format!("`{}`", one.get_name())).collect();
    // clap gives flags the possible values `true` and `false`.
    if names.is_empty() || matches!(arg.get_action(), ArgAction::SetTrue) {
        return String::new();
    }
    format!(" One of {}.", names.join(", "))
}

fn default(arg: &Arg) -> String {
    let values: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if values.is_empty() || matches!(arg.get_action(), ArgAction::SetTrue) {
        return String::new();
    }
    format!(" `{}` when missing.", values.join(","))
}

/// After changing a command, run `PILOTLIGHT_BLESS=1 cargo test -p pilotlight --bin pilotlight the_documentation` to
/// update the document.
#[test]
fn the_documentation_has_every_command_and_every_exit_code() {
    const MARK: &str = "<!-- What follows is made from the commands and the table of exit codes. -->\n\n";
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let text = std::fs::read_to_string(path).expect("docs/cli.md exists");
    let (written, generated) =
        text.split_once(MARK).expect("the mark separates the written part from the generated part");
    if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
        std::fs::write(path, format!("{written}{MARK}{}", reference())).expect("docs/cli.md can be written");
    } else {
        assert_eq!(generated, reference(), "PILOTLIGHT_BLESS=1 regenerates it");
    }
}

#[test]
fn the_commands_are_well_formed() {
    command_definition().debug_assert();
}
