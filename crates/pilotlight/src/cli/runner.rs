//! `pilotlight runner`: executes jobs as commands until a signal.
//!
//! After the first signal, running jobs may finish within the grace time; the second signal ends the runner at once.

use std::env;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use pilotlight_client::Client;
use pilotlight_core::command::RecycleLimits;
use pilotlight_core::ids::JobType;
use pilotlight_core::limits::MAX_TYPES_PER_POLL;
use pilotlight_runner::{JobCommand, ProcessMode, Runner, Settings};
use pilotlight_server::config::{LogConfig, parse_duration, parse_size};
use pilotlight_server::logs;
use tokio::runtime::Runtime;

use super::connect::ConnectOptions;
use super::exit_code::Code;
use super::failure::Failure;
use super::output;
use crate::shutdown::Signals;

/// Variables that every command gets: programs need them to find other programs and to write text.
const DEFAULT_VARIABLES: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

pub(super) const ABOUT: &str = "\
Execute jobs: one command per job type.

A command reads the job's parameters (JSON) from stdin and writes its result, one JSON object or list, to stdout. Its stderr \
becomes the job's console output as it is written; a line `::progress 3/10` there reports progress. Exit code 0 means \
success; with any other exit the job fails, and the last line of stderr becomes its error. Commands are not run by a shell: \
quotes group words, and no other character is special.

When a command has ended, is cancelled, takes too long or loses its lease, it is killed with all processes that it started. \
This also happens when the runner itself is killed.";

pub(super) const EXAMPLES: &str = "\
Examples:
  pilotlight runner --type hello=./hello.sh
  pilotlight runner --type resize='python3 resize.py --fast' --type count=./count --slots 8 --timeout 10m
  pilotlight runner --type embed='python3 -u embed.py' --keep --env CUDA_VISIBLE_DEVICES --env MODE=fast

With --keep, a command is started once and reads one line of JSON per job. It answers each with one line: the result, or \
`::error` followed by a reason:

  import json, sys, numpy          # loaded once
  for line in sys.stdin:
      print(json.dumps(work(json.loads(line))), flush=True)";

/// Options of `pilotlight runner`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    connect: ConnectOptions,
    /// A job type and the command that executes it; may be repeated.
    #[arg(long = "type", value_name = "NAME=COMMAND", required = true, value_parser = job_command)]
    commands: Vec<JobCommand>,
    /// How many jobs are executed at the same time.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1000))]
    slots: u16,
    /// The runner's name, shown to operators; the host name if not given.
    #[arg(long)]
    name: Option<String>,
    /// An environment variable for commands: copied from the runner, or set to VALUE. Commands get PATH, HOME, LANG,
    /// LC_ALL, TZ and these variables; may be repeated.
    #[arg(long = "env", value_name = "NAME[=VALUE]")]
    environment: Vec<String>,
    /// Time limit of a command; if it takes longer, it is stopped and its job fails.
    #[arg(long, value_name = "TIME", value_parser = time)]
    timeout: Option<Duration>,
    /// How long a command may take to end after SIGTERM before it is killed.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = time)]
    kill_after: Duration,
    /// How long running jobs may continue after the runner received SIGTERM; jobs that take longer are killed and fail.
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = time)]
    grace: Duration,
    /// Most bytes of a result that are read; the service has its own limit.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = bytes)]
    max_output: u64,
    /// Keep one warm process per job type and slot; it reads one line of JSON per job.
    #[arg(long)]
    keep: bool,
    /// How many jobs a warm process executes before it is replaced; 0 means no limit.
    #[arg(long, value_name = "COUNT", default_value_t = 1000, requires = "keep")]
    keep_jobs: u64,
    /// The age at which a warm process is replaced; 0 means no limit.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = time, requires = "keep")]
    keep_for: Duration,
    /// How much a warm process's memory may grow after its first job before it is replaced; 0 means no limit.
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
    // Commands that still run are killed by their reapers when this process has exited.
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
    tracing::info!("finishing running jobs");
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
            "--type is given {count} times; a runner has at most {MAX_TYPES_PER_POLL} job types"
        );
        for (number, job_command) in self.commands.iter().enumerate() {
            let is_duplicate = self.commands[..number].iter().any(|other| other.name == job_command.name);
            ensure!(!is_duplicate, "--type {} is given twice", job_command.name);
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
                    env::var_os(variable).with_context(|| {
                        format!("--env {variable} is not set in the runner's environment")
                    })?,
                ),
            };
            ensure!(!name.is_empty(), "--env has no name before its =");
            variables.push((name.into(), value));
        }
        Ok(variables)
    }
}

/// Parses `name=command`.
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

/// The program's absolute path: `program` is a path, or a name to find in PATH.
fn find_program(program: &Path) -> anyhow::Result<PathBuf> {
    let shown = program.display();
    if program.components().count() > 1 {
        ensure!(program.exists(), "there is no file {shown}");
        ensure!(is_program(program), "{shown} is not executable; `chmod +x` makes it so");
        return Ok(std::path::absolute(program)?);
    }
    let folders = env::var_os("PATH").unwrap_or_default();
    match env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| is_program(path)) {
        Some(path) => Ok(path),
        None => bail!("{shown} is not in PATH; write ./{shown} for a program in this folder"),
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
