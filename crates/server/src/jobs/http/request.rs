//! Parses and validates the bodies of `POST /api/jobs/check` and `POST /api/jobs/submit`.

use std::time::Duration;

use hyper::HeaderMap;
use pilotlight_core::cache_key::CacheKey;
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{CacheMode, JobOptions};
use pilotlight_core::limits::{ID_BYTES, MAX_JOB_ATTEMPTS, MAX_JOB_BACKOFF, MAX_JOB_TTL};
use pilotlight_core::time::{Timestamp, millis};
use pilotlight_store::{IdempotencyKey, NewJob};
use pilotlight_wire::jobs::{Check, Submit};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use crate::http::error::ApiError;
use crate::http::fields::{Field, MAX_SAFE_INTEGER};
use crate::http::headers;
use crate::http::json_body::JsonBody;
use crate::jobs::http::JobsState;
use crate::jobs::http::content_limits::ContentLimits;

/// The header that makes a submission safe to repeat.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// The cache key of the job in a check.
///
/// # Errors
/// 400 with a text that names the wrong field.
pub(super) fn key(json_body: &JsonBody<'_>, content_limits: ContentLimits) -> Result<CacheKey, ApiError> {
    let Check { job_type, input_params, code_version } = json_body.fields()?;
    Ok(JobIdentity::read(job_type, input_params, code_version, content_limits)?.key)
}

/// The job in a submission.
///
/// # Errors
/// 400 with a text that names the wrong field or header.
pub(super) fn submission(
    json_body: &JsonBody<'_>,
    headers: &HeaderMap,
    state: &JobsState,
) -> Result<NewJob, ApiError> {
    let submit: Submit<'_> = json_body.fields()?;
    let identity =
        JobIdentity::read(submit.job_type, submit.input_params, submit.code_version, state.content_limits)?;
    Ok(NewJob {
        id: state.jobs.new_id(),
        job_type: identity.job_type,
        key: identity.key,
        input: identity.input.to_owned(),
        options: options(&submit, state.jobs.now())?,
        cache_mode: match Field::new("fresh", submit.fresh).boolean()? {
            Some(true) => CacheMode::Recompute,
            Some(false) | None => CacheMode::Reuse,
        },
        idempotency_key: idempotency(headers)?,
    })
}

/// The fields that make two submissions the same job.
struct JobIdentity<'a> {
    job_type: JobType,
    input: &'a str,
    key: CacheKey,
}

impl<'a> JobIdentity<'a> {
    fn read(
        job_type: Option<&RawValue>,
        input: Option<&'a RawValue>,
        code_version: Option<&RawValue>,
        content_limits: ContentLimits,
    ) -> Result<Self, ApiError> {
        let field = Field::new("job_type", job_type);
        let text = field.text()?.ok_or_else(|| field.missing())?;
        let job_type = JobType::parse(&text).map_err(|why| field.invalid(why))?;
        let field = Field::new("input_params", input);
        let input = field.object(content_limits.input)?.ok_or_else(|| field.missing())?;
        let version = Field::new("code_version", code_version).name()?;
        let key = CacheKey::of(&job_type, version.as_deref(), input).map_err(|why| field.invalid(why))?;
        Ok(Self { job_type, input, key })
    }
}

fn options(submit: &Submit<'_>, now: Timestamp) -> Result<JobOptions, ApiError> {
    let backoff = Field::new("retry_backoff_ms", submit.retry_backoff_ms);
    let attempts =
        Field::new("max_attempts", submit.max_attempts).integer(1..=u64::from(MAX_JOB_ATTEMPTS))?;
    let ttl = Field::new("ttl_ms", submit.ttl_ms).integer(1..=millis(MAX_JOB_TTL))?;
    let defaults = JobOptions::default_at(now);
    Ok(JobOptions {
        priority: Field::new("priority", submit.priority).int32()?.unwrap_or(defaults.priority),
        run_at: Field::new("run_at", submit.run_at)
            .integer(0..=MAX_SAFE_INTEGER)?
            .map_or(defaults.run_at, Timestamp::from_millis),
        max_attempts: attempts
            .and_then(|attempts| u32::try_from(attempts).ok())
            .unwrap_or(defaults.max_attempts),
        retry_backoff: backoff
            .integer(0..=millis(MAX_JOB_BACKOFF))?
            .map_or(defaults.retry_backoff, Duration::from_millis),
        ttl: ttl.map(Duration::from_millis).or(defaults.ttl),
    })
}

fn idempotency(headers: &HeaderMap) -> Result<Option<IdempotencyKey>, ApiError> {
    let Some(key) = headers::optional(headers, IDEMPOTENCY_KEY)? else { return Ok(None) };
    if key.is_empty() || key.len() > ID_BYTES {
        let why = format_args!("is not 1 to {ID_BYTES} bytes long");
        return Err(headers::invalid(IDEMPOTENCY_KEY, why));
    }
    Ok(Some(IdempotencyKey(Sha256::digest(key).into())))
}
