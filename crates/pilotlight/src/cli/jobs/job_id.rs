//! Resolves a job id of the command line: a complete id is used as it is, the first characters of an id are looked up
//! among the newest jobs.

use pilotlight_client::Client;
use pilotlight_core::job::JobId;
use pilotlight_core::limits::MAX_LIST_LIMIT;

use super::super::exit_code::Code;
use super::super::failure::Failure;
use super::super::output;

/// How many of the newest jobs are searched: as many as one response can list.
pub(super) const SEARCHED_JOBS: u32 = MAX_LIST_LIMIT as u32;

/// The fewest characters of a prefix. Ids begin with the submission time, so shorter prefixes match too many jobs.
const MIN_PREFIX_LENGTH: usize = 4;

/// The complete id of the job that `id_arg` means.
pub(super) async fn resolve(client: &Client, id_arg: &str) -> Result<String, Failure> {
    if let Ok(id) = id_arg.parse::<JobId>() {
        return Ok(id.to_string());
    }
    let prefix = id_arg.to_ascii_lowercase();
    let is_prefix = prefix.len() >= MIN_PREFIX_LENGTH
        && prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    if !is_prefix {
        let why = format_args!("`{}` is not a job id", output::sanitize_line(id_arg));
        return Err(Failure::report(Code::Usage, why));
    }
    let newest = client.list_jobs(None, Some(SEARCHED_JOBS)).await?.jobs;
    let mut matches = newest.into_iter().map(|job| job.job_id).filter(|id| id.starts_with(&prefix));
    match (matches.next(), matches.next()) {
        (Some(id), None) => Ok(id),
        (None, _) => {
            let why =
                format_args!("none of the newest {SEARCHED_JOBS} jobs has an id that begins with {prefix}");
            Err(Failure::report(Code::NotFound, why))
        }
        (Some(one), Some(other)) => {
            let why = format_args!(
                "several jobs have an id that begins with {prefix}, such as {one} and {other}; give more characters"
            );
            Err(Failure::report(Code::Usage, why))
        }
    }
}
