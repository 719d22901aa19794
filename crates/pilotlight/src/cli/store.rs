//! `pilotlight store`: checks, backs up and restores the store of jobs.
//!
//! Exit codes: 0 success, and the store is sound; 1 the command failed, or the store is not sound; 2 the command line
//! or the configuration is wrong, or the store is a PostgreSQL database, which has its own tools. Only `restore` needs
//! exclusive access to the store.
#![allow(clippy::print_stderr, reason = "errors go to stderr")]

use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Subcommand;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use pilotlight_server::config::Config;
use pilotlight_server::open_store;
use pilotlight_store::sqlite::{self, RestoreMode};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use super::config::{self, ConfigArgs};
use super::exit_code::Code;
use super::failure::Failure;
use super::output;

/// The commands of `pilotlight store`.
#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Check the whole store: exit code 0 if it is sound. The service may be running.
    Check {
        #[command(flatten)]
        store_args: StoreArgs,
    },
    /// Copy the store to a new file. The service may be running.
    Backup {
        /// The new file for the copy.
        file: PathBuf,
        #[command(flatten)]
        store_args: StoreArgs,
    },
    /// Restore the store from a backup. The service must not be running.
    Restore {
        /// A file that `backup` wrote.
        file: PathBuf,
        /// Replace an existing store; its jobs are lost.
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        store_args: StoreArgs,
    },
}

/// The configuration file and the output format.
#[derive(Debug, clap::Args)]
pub(super) struct StoreArgs {
    #[command(flatten)]
    config_args: ConfigArgs,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &StoreCommand) -> Result<(), Failure> {
    match command {
        StoreCommand::Check { store_args } => check(store_args),
        StoreCommand::Backup { file, store_args } => {
            let config = config::load(&store_args.config_args)?.config;
            refuse_postgres(&config, "pg_dump --format=custom --file=FILE \"$DATABASE_URL\"")?;
            Ok(backup(&config.server.data_dir, file, store_args)?)
        }
        StoreCommand::Restore { file, replace, store_args } => {
            let config = config::load(&store_args.config_args)?.config;
            refuse_postgres(&config, "pg_restore --clean --if-exists --dbname=\"$DATABASE_URL\" FILE")?;
            let existing = if *replace { RestoreMode::ReplaceExisting } else { RestoreMode::KeepExisting };
            Ok(restore(&config.server.data_dir, file, existing, store_args)?)
        }
    }
}

/// Refuses to copy a PostgreSQL database: PostgreSQL's own tools do that, in the server's version.
fn refuse_postgres(config: &Config, instead: &str) -> Result<(), Failure> {
    if config.store.url.is_none() {
        return Ok(());
    }
    let why = format!(
        "the store is a PostgreSQL database (store.url); copy it with PostgreSQL's own tools: {instead}"
    );
    Err(Failure::report(Code::Usage, why))
}

fn check(store_args: &StoreArgs) -> Result<(), Failure> {
    let config = config::load(&store_args.config_args)?.config;
    let problems = {
        let _waiting = spinner(store_args, "checking the store");
        Runtime::new()?.block_on(check_store(&config))?
    };
    if store_args.json {
        print(json!({ "sound": problems.is_empty(), "problems": problems }));
    } else if problems.is_empty() {
        print("the store is sound");
    } else {
        problems.iter().for_each(print);
    }
    let count = problems.len();
    Ok((count == 0).then_some(()).with_context(|| format!("the store is not sound: {count} problems"))?)
}

async fn check_store(config: &Config) -> anyhow::Result<Vec<String>> {
    let folder = &config.server.data_dir;
    let is_there = config.store.url.is_some() || sqlite::file_in(folder).is_file();
    ensure!(is_there, "there is no store in {} (server.data_dir)", folder.display());
    let store = open_store(config).await?;
    store.verify_integrity().await.context("failed to check the store")
}

fn backup(folder: &Path, file: &Path, store_args: &StoreArgs) -> anyhow::Result<()> {
    ensure!(
        !file.exists(),
        "{} already exists, and a backup does not replace files; choose another name",
        file.display()
    );
    let total_bytes = bytes(&sqlite::file_in(folder));
    let (from, to) = (folder.to_owned(), file.to_owned());
    let copy_result = spawn_copy(move || sqlite::backup(&from, &to));
    wait_for_copy(store_args, total_bytes, file, &copy_result)
        .with_context(|| format!("failed to back up to {}", file.display()))?;
    let bytes = bytes(file);
    let text = format!("wrote {} ({})", file.display(), HumanBytes(bytes));
    print_result(store_args, &text, &json!({ "file": file, "bytes": bytes }));
    Ok(())
}

fn restore(folder: &Path, file: &Path, existing: RestoreMode, store_args: &StoreArgs) -> anyhow::Result<()> {
    if existing == RestoreMode::KeepExisting && sqlite::file_in(folder).exists() {
        bail!("there is already a store in {}; --replace replaces it with the backup", folder.display());
    }
    let (from, to) = (file.to_owned(), folder.to_owned());
    let copy_result = spawn_copy(move || sqlite::restore(&from, &to, existing));
    let restored = wait_for_copy(store_args, bytes(file), &folder.join("pilotlight.restoring"), &copy_result);
    restored.with_context(|| format!("failed to restore {}", file.display()))?;
    let text = format!("restored {} to {}", file.display(), folder.display());
    print_result(store_args, &text, &json!({ "file": file, "folder": folder, "bytes": bytes(file) }));
    Ok(())
}

type CopyResult = Receiver<Result<(), pilotlight_store::Error>>;

fn spawn_copy(copy: impl FnOnce() -> Result<(), pilotlight_store::Error> + Send + 'static) -> CopyResult {
    let (ended, copy_result) = channel();
    std::thread::spawn(move || ended.send(copy()));
    copy_result
}

/// Waits until the copy has ended. The progress bar follows the size of the file that is written.
fn wait_for_copy(
    store_args: &StoreArgs,
    total_bytes: u64,
    growing_file: &Path,
    copy_result: &CopyResult,
) -> anyhow::Result<()> {
    let bar = if store_args.json { ProgressBar::hidden() } else { ProgressBar::new(total_bytes) };
    let style = "{bar:40} {bytes} of {total_bytes}, {eta} to go";
    bar.set_style(ProgressStyle::with_template(style).expect("the template is well formed"));
    loop {
        match copy_result.recv_timeout(Duration::from_millis(100)) {
            Ok(copied) => {
                bar.finish_and_clear();
                return Ok(copied?);
            }
            Err(RecvTimeoutError::Timeout) => bar.set_position(bytes(growing_file).min(total_bytes)),
            Err(RecvTimeoutError::Disconnected) => bail!("the copy thread ended without a result"),
        }
    }
}

fn bytes(file: &Path) -> u64 {
    file.metadata().map_or(0, |about| about.len())
}

fn spinner(store_args: &StoreArgs, text: &'static str) -> ProgressBar {
    let spinner = if store_args.json { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
    spinner.set_message(text);
    spinner.enable_steady_tick(Duration::from_millis(100));
    spinner
}

fn print_result(store_args: &StoreArgs, text: &str, json: &Json) {
    if store_args.json { print(json) } else { print(text) }
}

/// Prints the result. A closed stdout is ignored: the work is done, and the exit code must report its outcome.
fn print(text: impl Display) {
    _ = output::line(text);
}
