//! `pilotlight runner`: executes jobs as commands until a signal. The first signal lets it finish what it has within its
//! grace, the second ends it at once.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use pilotlight_core::command::RecycleLimits;
use pilotlight_core::ids::JobType;
use pilotlight_core::limits::MAX_TYPES_PER_POLL;
use tokio::runtime::Runtime;

use super::command::Failure;
use super::connect::ConnectOptions;
use super::exit_code::Code;
use super::output;
use crate::client::Client;
use crate::config::{LogConfig, parse_duration, parse_size};
use crate::runner::{JobCommand, ProcessMode, Runner, Settings};
use crate::shutdown::Signals;
use crate::telemetry::logs;

/// What is in the environment of a command without being asked for: what programs need to find each other and to write
/// text.
const DEFAULT_VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

pub(super) const ABOUT: &str = "\
Execute jobs: one command for each type of them.

A command reads the job's parameters from stdin (JSON) and writes its result to stdout: one JSON object or list. What it \
writes to stderr is the job's console, as it is written; a line `::progress 3/10` tells how far it is. It succeeds with exit \
code 0; any other end is the job's error, with the last line of stderr. No shell is involved: quotes group words, and \
nothing else is special.

Nothing of a command remains when it has ended, is cancelled, takes too long or loses its lease: all that it started is \
killed with it, also when the runner itself is killed.";

pub(super) const EXAMPLES: &str = "\
Examples:
  pilotlight runner --type hello=./hello.sh
  pilotlight runner --type resize='python3 resize.py --fast' --type count=./count --slots 8 --timeout 10m
  pilotlight runner --type embed='python3 -u embed.py' --keep --env CUDA_VISIBLE_DEVICES --env MODE=fast

With --keep a command is started once and reads one line of JSON for each job, which it answers with one line: the result, or \
`::error` and why there is none:

  import json, sys, numpy          # loaded once
  for line in sys.stdin:
      print(json.dumps(work(json.loads(line))), flush=True)";

/// What the runner does.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connect: ConnectOptions,
    /// A type of jobs and the command that does them; may be repeated.
    #[arg(long = "type", value_name = "NAME=COMMAND", required = true, value_parser = job_command)]
    commands: Vec<JobCommand>,
    /// Jobs at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    slots: u16,
    /// What operators see the runner as; the machine's name when missing.
    #[arg(long)]
    name: Option<String>,
    /// A variable for commands: taken over from here, or set. They get PATH, HOME, LANG, LC_ALL, TZ and these; may be
    /// repeated.
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    environment: Vec<String>,
    /// A command that takes longer is ended, and its job fails.
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
    /// How long a command that is to end may take after SIGTERM before it is killed.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    kill_after: Duration,
    /// How long the runner goes on with what it has after SIGTERM; what is not done by then is killed and fails.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    grace: Duration,
    /// How much of a result is read; the service has a limit of its own.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = bytes)]
    max_output: u64,
    /// Keep a process per type and slot, which takes one line of JSON for each job.
    #[arg(long)]
    keep: bool,
    /// Jobs that a kept process does before it is replaced; 0 is without bound.
    #[arg(long, value_name = "COUNT", default_value_t = 1000, requires = "keep")]
    keep_jobs: u64,
    /// How old a kept process becomes before it is replaced; 0 is without bound.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time, requires = "keep")]
    keep_for: Duration,
    /// How much a kept process may grow after its first job before it is replaced; 0 is without bound.
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = bytes, requires = "keep")]
    keep_growth: u64,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.connect.client()?;
    let settings =
        args.settings().map_err(|error| Failure::report(Code::Usage, format_args!("{error:#}")))?;
    logs::start(&LogConfig::default());
    let runtime = Runtime::new()?;
    let ended = runtime.block_on(work(settings, client, args.grace));
    // What still runs is killed by its guard once we are gone.
    runtime.shutdown_background();
    ended
}

async fn work(settings: Settings, client: Client, grace: Duration) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let types: Vec<_> = settings.commands.iter().map(|job_command| job_command.name.as_str()).collect();
    let line = format!(
        "pilotlight takes {} from {}, {} at a time",
        types.join(", "),
        client.address(),
        settings.workers
    );
    let runner = tokio::select! {
        runner = Runner::start(settings, client) => runner?,
        () = signals.next() => return Ok(()),
    };
    output::line(line)?;
    signals.next().await;
    tracing::info!("finishing what is under way");
    tokio::select! {
        () = runner.stop(grace) => {}
        () = signals.next() => tracing::warn!("a second signal: exiting at once"),
    }
    Ok(())
}

impl Args {
    fn settings(&self) -> anyhow::Result<Settings> {
        let count = self.commands.len();
        ensure!(
            count <= MAX_TYPES_PER_POLL,
            "--type is there {count} times; a runner has at most {MAX_TYPES_PER_POLL}"
        );
        for (number, job_command) in self.commands.iter().enumerate() {
            let is_duplicate = self.commands[..number].iter().any(|other| other.name == job_command.name);
            ensure!(!is_duplicate, "--type {} is there twice", job_command.name);
        }
        let find_program = |job_command: &JobCommand| {
            Ok(JobCommand { program: find_program(&job_command.program)?, ..job_command.clone() })
        };
        Ok(Settings {
            name: self.name.clone().unwrap_or_else(host_name),
            commands: self.commands.iter().map(find_program).collect::<anyhow::Result<_>>()?,
            workers: self.slots.into(),
            timeout: self.timeout.filter(|time| !time.is_zero()),
            kill_after: self.kill_after,
            output_bytes: usize::try_from(self.max_output).unwrap_or(usize::MAX),
            environment: self.environment()?,
            process_mode: self.process_mode(),
        })
    }

    fn process_mode(&self) -> ProcessMode {
        if !self.keep {
            return ProcessMode::OneShot;
        }
        let bounded = |count: u64| Some(count).filter(|count| *count > 0);
        let age = Some(self.keep_for).filter(|age| !age.is_zero());
        ProcessMode::Warm(RecycleLimits {
            max_jobs: bounded(self.keep_jobs),
            max_age: age,
            max_growth: bounded(self.keep_growth),
        })
    }

    fn environment(&self) -> anyhow::Result<Vec<(OsString, OsString)>> {
        let default_variables =
            DEFAULT_VARIABLES.iter().filter_map(|name| Some((OsString::from(name), env::var_os(name)?)));
        let mut variables: Vec<_> = default_variables.collect();
        for variable in &self.environment {
            let (name, value) = match variable.split_once('=') {
                Some((name, value)) => (name, OsString::from(value)),
                None => (
                    variable.as_str(),
                    env::var_os(variable).with_context(|| format!("--env {variable} is not set here"))?,
                ),
            };
            ensure!(!name.is_empty(), "--env has no name before its =");
            variables.push((name.into(), value));
        }
        Ok(variables)
    }
}

/// `name=command`
fn job_command(text: &str) -> Result<JobCommand, String> {
    let (name, command) = text.split_once('=').ok_or("expected NAME=COMMAND")?;
    JobType::parse(name).map_err(|why| format!("the name {why}"))?;
    let mut arguments = shlex::split(command).ok_or("a quote is not closed")?.into_iter();
    let program = arguments.next().ok_or("the command is empty")?;
    Ok(JobCommand { name: name.to_owned(), program: program.into(), arguments: arguments.collect() })
}

fn time(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "expected a time such as 90s or 5m".to_owned())
}

fn bytes(text: &str) -> Result<u64, String> {
    parse_size(text).ok_or_else(|| "expected a size such as 1MiB".to_owned())
}

/// Where the program lies: as a path, or in PATH.
fn find_program(program: &Path) -> anyhow::Result<PathBuf> {
    let shown = program.display();
    if program.components().count() > 1 {
        ensure!(program.exists(), "there is no {shown}");
        ensure!(is_program(program), "{shown} cannot be executed; `chmod +x` lets it");
        return Ok(std::path::absolute(program)?);
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    match env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| is_program(path)) {
        Some(path) => Ok(path),
        None => bail!("{shown} is not in PATH; a program of this folder is ./{shown}"),
    }
}

fn is_program(path: &Path) -> bool {
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = Some(name.trim().to_owned()).filter(|name| !name.is_empty());
    name.or_else(|| env::var("HOSTNAME").ok()).unwrap_or_else(|| "runner".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_command_is_split_without_a_shell() {
        let parsed = job_command("a=python3 -c 'print(1)' $HOME *").unwrap();
        assert_eq!((parsed.name.as_str(), parsed.program.to_str()), ("a", Some("python3")));
        assert_eq!(parsed.arguments, ["-c", "print(1)", "$HOME", "*"]);
        assert_eq!(job_command("a=b=c d").unwrap().program.to_str(), Some("b=c"));
        for wrong in ["", "a", "=b", "a=", "a='b"] {
            assert!(job_command(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_program_is_found_as_a_shell_would() {
        assert!(find_program(Path::new("sh")).unwrap().is_absolute());
        for wrong in ["./no-such-program", "no-such-program-anywhere", "/"] {
            assert!(find_program(Path::new(wrong)).is_err(), "{wrong}");
        }
    }
}
