//! `pilotlight jobs show`: prints all details of a job.

use console::style;
use pilotlight_core::time::Timestamp;
use pilotlight_wire::jobs_admin::JobDetails;

use super::super::connect::block_on;
use super::super::failure::Failure;
use super::super::{datetime, format, output};
use super::{JobArgs, job_id};

pub(super) fn run(job_args: &JobArgs) -> Result<(), Failure> {
    let JobArgs { id, json, connect } = job_args;
    let client = connect.client_without_retry()?;
    let job = block_on(async {
        let id = job_id::resolve(&client, id).await?;
        Ok(client.job_details(&id).await?)
    })?;
    if *json { output::json(&job) } else { output::line(text(&job, datetime::now())) }
}

fn text(job: &JobDetails, now: Timestamp) -> String {
    let row = &job.row;
    let mut lines = vec![
        labelled("id", &row.job_id),
        labelled("type", &output::sanitize_line(&row.job_type)),
        labelled(
            "status",
            &format::colored_status(row.status, format::status(row.status).to_owned()).to_string(),
        ),
        labelled("submitted", &when(row.created_at, now)),
        labelled("changed", &when(row.updated_at, now)),
    ];
    if let Some(runner) = &row.claimed_by {
        let since = job.claimed_at.map_or_else(String::new, |at| format!(", since {}", when(at, now)));
        lines.push(labelled("runner", &format!("{}{since}", output::sanitize_line(runner))));
    }
    if let Some(at) = job.last_heartbeat {
        lines.push(labelled("heartbeat", &when(at, now)));
    }
    if let Some(progress) = job.progress {
        lines.push(labelled("progress", &format!("{} of {}", progress.current, progress.total)));
    }
    if job.run_at > row.created_at {
        lines.push(labelled("not before", &datetime::format_utc(Timestamp::from_millis(job.run_at))));
    }
    lines.push(labelled(
        "attempts",
        &format!("{} of {}, {} lost", job.attempts, job.max_attempts, job.losses),
    ));
    lines.push(labelled("priority", &job.priority.to_string()));
    lines.push(labelled("callers", &job.callers.to_string()));
    lines.extend(sections(job));
    lines.join("\n")
}

/// Fields whose text may be long: each is printed below its name.
fn sections(job: &JobDetails) -> impl Iterator<Item = String> {
    let console = Some(job.console_output.trim_end()).filter(|text| !text.is_empty());
    let sections = [
        ("parameters", Some(job.input_params.get())),
        ("console", console),
        ("result", job.output_data.as_ref().map(|output| output.get())),
        ("error", job.error_message.as_deref()),
    ];
    sections.into_iter().filter_map(|(name, text)| {
        let text = output::sanitize(text?).replace('\n', "\n  ");
        Some(format!("{}\n  {text}", style(format!("{name}:")).dim()))
    })
}

fn labelled(name: &str, value: &str) -> String {
    format!("{} {value}", style(format!("{:<11}", format!("{name}:"))).dim())
}

fn when(time: u64, now: Timestamp) -> String {
    let time = Timestamp::from_millis(time);
    format!("{} ({} ago)", datetime::format_utc(time), datetime::format_age(now.since(time)))
}
