//! `pilotlight jobs delete`: deletes jobs and their results. Asks for confirmation if stdin is a terminal.

use std::io::{IsTerminal, stdin};

use pilotlight_core::limits::MAX_LIST_LIMIT;

use super::super::connect::{ConnectOptions, block_on};
use super::super::exit_code::Code;
use super::super::failure::Failure;
use super::super::{messages, output};
use super::job_id;

/// Options of `pilotlight jobs delete`.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The jobs' ids, or the first characters of each if they are unique among the newest 1,000 jobs.
    #[arg(value_name = "ID", required = true, num_args = 1..=MAX_LIST_LIMIT)]
    ids: Vec<String>,
    /// Delete without asking for confirmation.
    #[arg(long, short)]
    yes: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    connect: ConnectOptions,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let client = args.connect.client()?;
    let ids = block_on(async {
        let mut ids = Vec::new();
        for id_arg in &args.ids {
            ids.push(job_id::resolve(&client, id_arg).await?);
        }
        Ok(ids)
    })?;
    if !args.yes {
        confirm(&ids)?;
    }
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let deleted = block_on(async { Ok(client.delete_batch(&ids).await?) })?;
    if args.json {
        output::json(&deleted)?;
    } else {
        output::line(&deleted.message)?;
    }
    if deleted.success {
        return Ok(());
    }
    Err(Failure::report(Code::NotFound, format_args!("there is no job {}", deleted.failed.join(", "))))
}

fn confirm(ids: &[String]) -> Result<(), Failure> {
    if !stdin().is_terminal() {
        let why = "stdin is not a terminal, so there is no confirmation; --yes deletes without asking";
        return Err(Failure::report(Code::Usage, why));
    }
    let what = match ids {
        [id] => format!("job {id}"),
        ids => format!("{} jobs", ids.len()),
    };
    messages::write(&format!("Delete {what}, with parameters and result? [y/N] "));
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    if matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    messages::note("nothing was deleted");
    Err(Failure::Reported(Code::Failed))
}
