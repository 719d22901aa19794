//! `pilotlight jobs show`: all that is known of a job.

use console::style;
use pilotlight_core::time::Timestamp;
use pilotlight_wire::jobs_admin::Details;

use super::super::command::Failure;
use super::super::connect::block_on;
use super::super::{moment, out, shown};
use super::{One, named};

pub(super) fn run(one: &One) -> Result<(), Failure> {
    let One { id, json, connect } = one;
    let client = connect.client_at_once()?;
    let job = block_on(async {
        let id = named::whole(&client, id).await?;
        Ok(client.job(&id).await?)
    })?;
    if *json { out::json(&job) } else { out::line(text(&job, moment::now())) }
}

fn text(job: &Details, now: Timestamp) -> String {
    let row = &job.row;
    let mut lines = vec![
        named("id", &row.job_id),
        named("type", &out::on_one_line(&row.job_type)),
        named("status", &shown::painted(row.status, shown::status(row.status).to_owned()).to_string()),
        named("submitted", &when(row.created_at, now)),
        named("changed", &when(row.updated_at, now)),
    ];
    if let Some(runner) = &row.claimed_by {
        let since = job.claimed_at.map_or_else(String::new, |at| format!(", since {}", when(at, now)));
        lines.push(named("runner", &format!("{}{since}", out::on_one_line(runner))));
    }
    if let Some(heard) = job.last_heartbeat {
        lines.push(named("last heard", &when(heard, now)));
    }
    if let Some(progress) = job.progress {
        lines.push(named("progress", &format!("{} of {}", progress.current, progress.total)));
    }
    if job.run_at > row.created_at {
        lines.push(named("not before", &moment::shown(Timestamp::from_millis(job.run_at))));
    }
    lines.push(named("attempts", &format!("{} of {}, {} lost", job.attempts, job.max_attempts, job.losses)));
    lines.push(named("priority", &job.priority.to_string()));
    lines.push(named("callers", &job.callers.to_string()));
    lines.extend(parts(job));
    lines.join("\n")
}

/// What may be long stands below its name.
fn parts(job: &Details) -> impl Iterator<Item = String> {
    let console = Some(job.console_output.trim_end()).filter(|text| !text.is_empty());
    let parts = [
        ("parameters", Some(job.input_params.get())),
        ("console", console),
        ("result", job.output_data.as_ref().map(|output| output.get())),
        ("error", job.error_message.as_deref()),
    ];
    parts.into_iter().filter_map(|(name, text)| {
        let text = out::harmless(text?).replace('\n', "\n  ");
        Some(format!("{}\n  {text}", style(format!("{name}:")).dim()))
    })
}

fn named(name: &str, value: &str) -> String {
    format!("{} {value}", style(format!("{:<11}", format!("{name}:"))).dim())
}

fn when(time: u64, now: Timestamp) -> String {
    let time = Timestamp::from_millis(time);
    format!("{} ({} ago)", moment::shown(time), moment::roughly(now.since(time)))
}
