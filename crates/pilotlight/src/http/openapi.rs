//! `GET /api/openapi.json`: the OpenAPI document of the job API (`/api/jobs`, `/api/runner`, `/api/admin`). The
//! operations are generated from the handlers' `utoipa` annotations; this module adds what is the same for all of them:
//! keys, common error responses, operation ids.

use std::sync::LazyLock;

use axum::response::Response;
use hyper::StatusCode;
use pilotlight_wire::jobs::{Console, Progress};
use pilotlight_wire::rate_limit::RateLimitBody;
use pilotlight_wire::runner::JobReportResponse;
use pilotlight_wire::warm_start::ErrorBody;
use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, HeaderBuilder, Ref, RefOr, Required, ResponseBuilder, Type as OpenApiType};
use utoipa::{OpenApi, ToSchema};

use super::error::Reply;
use super::{jobs, jobs_admin, long_poll, runners};

/// The document as generated from the handlers' annotations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Pilotlight",
        description = "Jobs: never compute the same thing twice. Times are milliseconds since 1970. Unknown fields of \
            requests are ignored; a field that is null counts as missing.",
    ),
    paths(
        jobs::check, jobs::submit, jobs::status, jobs::cancel, jobs::events::watch,
        runners::register, runners::verify, runners::available, long_poll::next, runners::claim, runners::start,
        runners::heartbeat, runners::complete, runners::fail,
        jobs_admin::list, jobs_admin::job, jobs_admin::again, jobs_admin::delete, jobs_admin::batch_delete,
        jobs_admin::runners, jobs_admin::runner, jobs_admin::stats,
    ),
    components(schemas(ErrorBody, RateLimitBody, Console, Progress)),
    tags(
        (name = "jobs", description = "For callers that submit jobs."),
        (name = "runner", description = "For runners that execute jobs."),
        (name = "admin", description = "For operators."),
    ),
)]
struct ApiDoc;

/// `GET /api/openapi.json`
pub async fn read() -> Response {
    static DOCUMENT: LazyLock<Reply> = LazyLock::new(|| Reply::json(StatusCode::OK, &document()));
    axum::response::IntoResponse::into_response(DOCUMENT.clone())
}

/// The complete document.
#[must_use]
pub fn document() -> utoipa::openapi::OpenApi {
    let mut document = ApiDoc::openapi();
    for (path, item) in &mut document.paths.paths {
        for (operation, method) in [
            (&mut item.get, OperationKind::Reads),
            (&mut item.post, OperationKind::Changes),
            (&mut item.delete, OperationKind::Changes),
        ] {
            if let Some(operation) = operation {
                add_common_parts(path, method, operation);
            }
        }
    }
    let components = document.components.get_or_insert_default();
    for scheme in [SUBMIT, RUNNER, ADMIN] {
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(scheme.description));
        components.add_security_scheme(scheme.name, SecurityScheme::Http(bearer.build()));
    }
    document
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum OperationKind {
    Reads,
    Changes,
}

/// A security scheme: the keys of one scope.
#[derive(Clone, Copy)]
struct Key {
    name: &'static str,
    description: &'static str,
}

const SUBMIT: Key = Key { name: "submit_key", description: "One of auth.submit_keys." };
const RUNNER: Key = Key { name: "runner_key", description: "One of auth.runner_keys." };
const ADMIN: Key = Key { name: "admin_key", description: "One of auth.admin_keys." };

/// Adds what is the same for all operations: names, keys, the `X-Runner-ID` header, error responses.
fn add_common_parts(path: &str, method: OperationKind, operation: &mut Operation) {
    set_names(operation);
    let keys: &[Key] = match path.split('/').nth(2) {
        Some("jobs") => &[SUBMIT],
        Some("runner") => &[RUNNER],
        Some(_) | None if method == OperationKind::Reads => &[ADMIN, RUNNER],
        Some(_) | None => &[ADMIN],
    };
    // The empty requirement at the end is for a service without configured keys.
    let requirements = keys.iter().map(|key| SecurityRequirement::new(key.name, Vec::<String>::new()));
    operation.security = Some(requirements.chain([SecurityRequirement::default()]).collect());
    if path.starts_with("/api/runner/") && !path.ends_with("/register") {
        operation.parameters.get_or_insert_default().push(RefOr::T(runner_id()));
    }
    bad_request(operation);
    let mut error_statuses = vec![
        ("401", "The key is missing, unknown, or of another scope."),
        ("403", "No keys are configured, and the call does not come from this machine."),
        ("429", "Too many calls of this kind within a minute."),
        (
            "503",
            "The store does not answer, or a limit is reached: of large bodies, of open streams, or of waiting jobs.",
        ),
    ];
    if operation.request_body.is_some() {
        error_statuses.push(("408", "The body was not complete within 30 s."));
    }
    for (status, description) in error_statuses {
        operation
            .responses
            .responses
            .insert(status.to_owned(), RefOr::T(error_response(description, status)));
    }
}

/// Prefixes the operation id with the tag, because handler names are unique only within their file, and removes the
/// method and path from the beginning of the summary.
fn set_names(operation: &mut Operation) {
    let tag = operation.tags.iter().flatten().next();
    if let (Some(tag), Some(id)) = (tag, &operation.operation_id) {
        operation.operation_id = Some(format!("{tag}_{id}"));
    }
    let summary = operation.summary.take();
    operation.summary = summary.map(|text| match text.split_once("`: ") {
        Some((_, rest)) => rest.to_owned(),
        None => text,
    });
}

fn runner_id() -> utoipa::openapi::path::Parameter {
    let text =
        ObjectBuilder::new().schema_type(OpenApiType::String).min_length(Some(1)).max_length(Some(256));
    ParameterBuilder::new()
        .name("X-Runner-ID")
        .parameter_in(ParameterIn::Header)
        .required(Required::True)
        .description(Some("The id of the runner that sends the request. It need not be registered."))
        .schema(Some(text))
        .build()
}

/// Adds the 400 response. Its body is an `ErrorBody`. Where a runner's report can be rejected, the body may also be a
/// `JobReportResponse`.
fn bad_request(operation: &mut Operation) {
    let error_body = || Ref::from_schema_name(ErrorBody::name());
    let has_bad_request = operation.responses.responses.contains_key("400");
    let schema: RefOr<Schema> = if has_bad_request {
        let either =
            OneOfBuilder::new().item(error_body()).item(Ref::from_schema_name(JobReportResponse::name()));
        either.into()
    } else {
        error_body().into()
    };
    let description = if has_bad_request {
        "The job is not assigned to this runner, or a field is wrong."
    } else {
        "A field is wrong."
    };
    let content = Content::new(Some(schema));
    let response =
        ResponseBuilder::new().description(description).content("application/json", content).build();
    operation.responses.responses.insert("400".to_owned(), RefOr::T(response));
}

fn error_response(description: &str, status: &str) -> utoipa::openapi::Response {
    let body = if status == "429" { RateLimitBody::name() } else { ErrorBody::name() };
    let content = Content::new(Some(Ref::from_schema_name(body)));
    let response = ResponseBuilder::new().description(description).content("application/json", content);
    if !matches!(status, "429" | "503") {
        return response.build();
    }
    let seconds = ObjectBuilder::new().schema_type(OpenApiType::Integer);
    let retry_after = HeaderBuilder::new()
        .schema(Some(seconds))
        .description(Some("Seconds to wait before the next attempt."));
    response.header("Retry-After", retry_after.build()).build()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::document;

    /// Regenerate the document with `PILOTLIGHT_BLESS=1 cargo test -p pilotlight --lib openapi`.
    #[test]
    fn the_committed_document_is_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
        let made = document().to_pretty_json().unwrap() + "\n";
        if std::env::var_os("PILOTLIGHT_BLESS").is_some() {
            std::fs::write(path, made).unwrap();
        } else {
            let there = std::fs::read_to_string(path).unwrap_or_default();
            assert!(there == made, "docs/openapi.json is out of date; PILOTLIGHT_BLESS=1 regenerates it");
        }
    }
}
