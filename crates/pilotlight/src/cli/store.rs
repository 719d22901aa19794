//! `pilotlight store`: looks through what is remembered, copies it, puts a copy back. Exit codes: 0 done, and the store is
//! sound; 1 it failed, or the store is not sound; 2 the command line or the configuration is wrong, or it is another
//! program's task. Only putting a backup back needs the store for itself.
#![allow(clippy::print_stderr, reason = "mistakes go to stderr")]

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use pilotlight_store::sqlite::{self, Existing};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use super::command::{Failure, Settings};
use super::config;
use super::exit_code::Code;
use super::out;
use crate::app;
use crate::config::Config;

/// What is done with a store.
#[derive(Debug, Subcommand)]
pub(super) enum Task {
    /// Look through all of it: exit code 0 when it is sound. The service may run.
    Check {
        #[command(flatten)]
        told: Told,
    },
    /// Copy it to a file that is not there yet. The service may run.
    Backup {
        /// Where the copy is written.
        file: PathBuf,
        #[command(flatten)]
        told: Told,
    },
    /// Put a copy back. The service must not run.
    Restore {
        /// What `backup` wrote.
        file: PathBuf,
        /// Replace the store that is there: what it holds is lost.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        told: Told,
    },
}

/// How it is configured, and how it tells.
#[derive(Debug, clap::Args)]
pub(super) struct Told {
    #[command(flatten)]
    settings: Settings,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(task: &Task) -> Result<(), Failure> {
    match task {
        Task::Check { told } => check(told),
        Task::Backup { file, told } => {
            let config = config::load(&told.settings)?.config;
            not_of_postgres(&config, "pg_dump --format=custom --file=FILE \"$DATABASE_URL\"")?;
            Ok(backup(&config.server.data_dir, file, told)?)
        }
        Task::Restore { file, replace, told } => {
            let config = config::load(&told.settings)?.config;
            not_of_postgres(&config, "pg_restore --clean --if-exists --dbname=\"$DATABASE_URL\" FILE")?;
            let existing = if *replace { Existing::Replace } else { Existing::Keep };
            Ok(restore(&config.server.data_dir, file, existing, told)?)
        }
    }
}

/// A server has tools of its own, which are of its version.
fn not_of_postgres(config: &Config, instead: &str) -> Result<(), Failure> {
    if config.store.url.is_none() {
        return Ok(());
    }
    let why = format!("the store is a PostgreSQL database (store.url), which its own tools copy: {instead}");
    Err(Failure::told(Code::Usage, why))
}

fn check(told: &Told) -> Result<(), Failure> {
    let config = config::load(&told.settings)?.config;
    let wrong = {
        let _waiting = spinner(told, "looking through the store");
        Runtime::new()?.block_on(look_through(&config))?
    };
    if told.json {
        say(json!({ "sound": wrong.is_empty(), "problems": wrong }));
    } else if wrong.is_empty() {
        say("the store is sound");
    } else {
        wrong.iter().for_each(say);
    }
    let count = wrong.len();
    Ok((count == 0).then_some(()).with_context(|| format!("the store is not sound: {count} problems"))?)
}

async fn look_through(config: &Config) -> anyhow::Result<Vec<String>> {
    let folder = &config.server.data_dir;
    let is_there = config.store.url.is_some() || sqlite::file_in(folder).is_file();
    ensure!(is_there, "there is no store in {} (server.data_dir)", folder.display());
    let store = app::store(config).await?;
    store.check().await.context("failed to look through the store")
}

fn backup(folder: &Path, file: &Path, told: &Told) -> anyhow::Result<()> {
    ensure!(!file.exists(), "{} is there already; a backup replaces nothing", file.display());
    let all = bytes(&sqlite::file_in(folder));
    let (from, to) = (folder.to_owned(), file.to_owned());
    let copying = aside(move || sqlite::backup(&from, &to));
    wait(told, all, file, &copying).with_context(|| format!("failed to back up to {}", file.display()))?;
    let bytes = bytes(file);
    let text = format!("wrote {} ({})", file.display(), HumanBytes(bytes));
    tell(told, &text, &json!({ "file": file, "bytes": bytes }));
    Ok(())
}

fn restore(folder: &Path, file: &Path, existing: Existing, told: &Told) -> anyhow::Result<()> {
    if existing == Existing::Keep && sqlite::file_in(folder).exists() {
        bail!("there is a store in {} already; --replace puts the backup in its place", folder.display());
    }
    let (from, to) = (file.to_owned(), folder.to_owned());
    let copying = aside(move || sqlite::restore(&from, &to, existing));
    let restored = wait(told, bytes(file), &folder.join("pilotlight.restoring"), &copying);
    restored.with_context(|| format!("failed to restore {}", file.display()))?;
    let text = format!("restored {} to {}", file.display(), folder.display());
    tell(told, &text, &json!({ "file": file, "folder": folder, "bytes": bytes(file) }));
    Ok(())
}

type Copying = Receiver<Result<(), pilotlight_store::Error>>;

fn aside(copy: impl FnOnce() -> Result<(), pilotlight_store::Error> + Send + 'static) -> Copying {
    let (ended, copying) = channel();
    std::thread::spawn(move || ended.send(copy()));
    copying
}

/// Until it has ended; how far it is is seen by the file that grows.
fn wait(told: &Told, all: u64, growing: &Path, copying: &Copying) -> anyhow::Result<()> {
    let bar = if told.json { ProgressBar::hidden() } else { ProgressBar::new(all) };
    let style = "{bar:40} {bytes} of {total_bytes}, {eta} to go";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is well formed"));
    loop {
        match copying.recv_timeout(Duration::from_millis(100)) {
            Ok(copied) => {
                bar.finish_and_clear();
                return Ok(copied?);
            }
            Err(RecvTimeoutError::Timeout) => bar.set_position(bytes(growing).min(all)),
            Err(RecvTimeoutError::Disconnected) => bail!("the copying ended without a word"),
        }
    }
}

fn bytes(file: &Path) -> u64 {
    file.metadata().map_or(0, |about| about.len())
}

fn spinner(told: &Told, text: &'static str) -> ProgressBar {
    let spinner = if told.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    spinner.set_message(text);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn tell(told: &Told, text: &str, json: &Json) {
    if told.json { say(json) } else { say(text) }
}

/// The work is done, and its exit code says so, whether anybody reads on or not.
fn say(text: impl Display) {
    _ = out::line(text);
}
