//! `GET /api/openapi.json`: the OpenAPI document of the served routes that have one. The operations are generated from
//! the handlers' `utoipa` annotations; this module adds what is the same for all of them: keys, common error responses,
//! operation ids.

use axum::response::{IntoResponse, Response};
use axum::routing::get;
use hyper::StatusCode;
use pilotlight_core::access::{Permission, Scope, accepted_scopes};
use pilotlight_wire::jobs::{Console, Progress};
use pilotlight_wire::rate_limit::RateLimitBody;
use pilotlight_wire::runner::JobReportResponse;
use pilotlight_wire::warm_start::ErrorBody;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, HeaderBuilder, Ref, RefOr, ResponseBuilder, Type as OpenApiType};
use utoipa::{OpenApi, ToSchema};

use crate::http::error::Reply;
use crate::http::route::{Audience, Route};

/// The document without operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Pilotlight",
        description = "Jobs: never compute the same thing twice. Times are milliseconds since 1970. Unknown fields of \
            requests are ignored; a field that is null counts as missing.",
    ),
    components(schemas(ErrorBody, RateLimitBody, Console, Progress)),
    tags(
        (name = "jobs", description = "For callers that submit jobs."),
        (name = "runner", description = "For runners that execute jobs."),
        (name = "admin", description = "For operators."),
    ),
)]
struct ApiDoc;

/// The route that serves the document of these routes. The document contains no data about jobs or runners.
pub(crate) fn route<'a>(routes: impl Iterator<Item = &'a Route>) -> Route {
    let reply = Reply::json(StatusCode::OK, &document(routes));
    let read = move || async move { Response::into_response(reply.clone().into_response()) };
    Route::new("/api/openapi.json", get(read), Permission::DashboardPage).audience(Audience::Everyone)
}

/// The document of these routes.
pub(crate) fn document<'a>(routes: impl Iterator<Item = &'a Route>) -> utoipa::openapi::OpenApi {
    let mut document = ApiDoc::openapi();
    for route in routes {
        let Some(operation) = &route.operation else { continue };
        let mut item = operation.item.clone();
        add_common_parts(route, &mut item);
        let known = document.paths.paths.entry(route.path.clone()).or_default();
        known.merge_operations(item);
        let components = document.components.get_or_insert_default();
        components.schemas.extend(operation.schemas.iter().cloned());
    }
    let components = document.components.get_or_insert_default();
    for scope in [Scope::Submit, Scope::Runner, Scope::Admin] {
        let description = format!("One of {}.", scope.setting());
        let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(description));
        components.add_security_scheme(scheme_name(scope), SecurityScheme::Http(bearer.build()));
    }
    document
}

/// The name of the security scheme for the keys of a scope.
const fn scheme_name(scope: Scope) -> &'static str {
    match scope {
        Scope::Submit => "submit_key",
        Scope::Runner => "runner_key",
        Scope::Admin => "admin_key",
    }
}

/// Adds to the operations of a route what is the same for all of them: names, keys, error responses.
fn add_common_parts(route: &Route, item: &mut PathItem) {
    for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
        set_names(operation);
        add_keys(route.permission, operation);
        add_errors(operation);
    }
}

fn add_keys(permission: Permission, operation: &mut Operation) {
    let accepted = accepted_scopes(permission);
    let scopes = Scope::ALL.into_iter().filter(|scope| accepted.contains(*scope));
    let requirements = scopes.map(|scope| SecurityRequirement::new(scheme_name(scope), Vec::<String>::new()));
    // The empty requirement at the end is for a service without configured keys.
    operation.security = Some(requirements.chain([SecurityRequirement::default()]).collect());
}

fn add_errors(operation: &mut Operation) {
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
