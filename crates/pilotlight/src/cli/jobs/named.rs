//! Which job an id on the command line means: a whole one means itself, the beginning of one is looked for among the
//! newest jobs.

use pilotlight_core::job::JobId;
use pilotlight_core::limits::MAX_LIST_LIMIT;

use super::super::command::Failure;
use super::super::exit_code::Code;
use super::super::out;
use crate::client::Client;

/// As many as one answer lists.
pub(super) const LOOKED_THROUGH: u32 = MAX_LIST_LIMIT as u32;

/// Ids begin with their time, so that fewer characters say little.
const AT_LEAST: usize = 4;

/// The whole id.
pub(super) async fn whole(client: &Client, said: &str) -> Result<String, Failure> {
    if let Ok(id) = said.parse::<JobId>() {
        return Ok(id.to_string());
    }
    let start = said.to_ascii_lowercase();
    let is_start =
        start.len() >= AT_LEAST && start.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if !is_start {
        let why = format_args!("`{}` is no job's id", out::on_one_line(said));
        return Err(Failure::told(Code::Usage, why));
    }
    let newest = client.jobs(None, Some(LOOKED_THROUGH)).await?.jobs;
    let mut meant = newest.into_iter().map(|job| job.job_id).filter(|id| id.starts_with(&start));
    match (meant.next(), meant.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => {
            let why = format_args!("none of the newest {LOOKED_THROUGH} jobs begins with {start}");
            Err(Failure::told(Code::NotFound, why))
        }
        (Some(one), Some(other)) => {
            let why = format_args!("{start} is the beginning of several jobs, such as {one} and {other}");
            Err(Failure::told(Code::Usage, why))
        }
    }
}
