//! Which job an id on the command line means: a whole one means itself, the beginning of one is looked for among the
//! newest jobs.

use pilotlight_core::job::JobId;
use pilotlight_core::limits::MAX_LIST_LIMIT;

use super::super::command::Failure;
use super::super::exit_code::Code;
use super::super::output;
use crate::client::Client;

/// As many as one answer lists.
pub(super) const SEARCHED_JOBS: u32 = MAX_LIST_LIMIT as u32;

/// Ids begin with their time, so that fewer characters say little.
const MIN_PREFIX_LENGTH: usize = 4;

/// The whole id.
pub(super) async fn resolve(client: &Client, id_arg: &str) -> Result<String, Failure> {
    if let Ok(id) = id_arg.parse::<JobId>() {
        return Ok(id.to_string());
    }
    let prefix = id_arg.to_ascii_lowercase();
    let is_prefix = prefix.len() >= MIN_PREFIX_LENGTH
        && prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if !is_prefix {
        let why = format_args!("`{}` is no job's id", output::sanitize_line(id_arg));
        return Err(Failure::report(Code::Usage, why));
    }
    let newest = client.list_jobs(None, Some(SEARCHED_JOBS)).await?.jobs;
    let mut matches = newest.into_iter().map(|job| job.job_id).filter(|id| id.starts_with(&prefix));
    match (matches.next(), matches.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => {
            let why = format_args!("none of the newest {SEARCHED_JOBS} jobs begins with {prefix}");
            Err(Failure::report(Code::NotFound, why))
        }
        (Some(one), Some(other)) => {
            let why = format_args!("{prefix} is the beginning of several jobs, such as {one} and {other}");
            Err(Failure::report(Code::Usage, why))
        }
    }
}
