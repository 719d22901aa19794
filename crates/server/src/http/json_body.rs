//! Reads a request body as one JSON object. The values of its fields stay raw JSON, which `fields` checks one by one.

use axum::body::Body;
use axum::extract::Request;
use bytes::Bytes;
use hyper::StatusCode;
use pilotlight_wire::object::Object;
use serde::Deserialize;
use serde_json::error::Category;
use tokio::sync::SemaphorePermit;

use crate::http::body::{self, BodyLimit};
use crate::http::edge::Edge;
use crate::http::error::ApiError;

/// A complete body. It holds its part of the body budget until it is dropped.
#[derive(Debug)]
pub(crate) struct JsonBody<'a> {
    body: Bytes,
    _permit: Option<SemaphorePermit<'a>>,
}

impl<'a> JsonBody<'a> {
    /// Reads the whole body of a request, within its route's limit.
    ///
    /// # Errors
    /// 400 when the body is too large, as in the original job API; 408 when it is not complete in time; 503 when the
    /// body budget is used up.
    pub(crate) async fn read(edge: &'a Edge, request: Request) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        Self::read_body(edge, BodyLimit::of(&parts.extensions), body).await
    }

    /// Reads the whole body, within the limit.
    ///
    /// # Errors
    /// As [`JsonBody::read`].
    pub(crate) async fn read_body(
        edge: &'a Edge,
        BodyLimit(at_most): BodyLimit,
        body: Body,
    ) -> Result<Self, ApiError> {
        let permit = edge.body_budget.take_for(&body, at_most)?;
        let body = body::read(body, at_most).await.map_err(as_bad_request)?;
        Ok(Self { body, _permit: permit })
    }

    /// Parses the body's fields.
    ///
    /// # Errors
    /// 400 when the body is not one JSON object, or has a field twice.
    pub(crate) fn fields<'t, T: Deserialize<'t>>(&'t self) -> Result<T, ApiError> {
        let text = std::str::from_utf8(&self.body);
        let text = text.map_err(|_| ApiError::bad_request("the body is not UTF-8"))?;
        let Object(fields) = serde_json::from_str(text).map_err(|error| parse_error(&error))?;
        Ok(fields)
    }
}

fn as_bad_request(error: ApiError) -> ApiError {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::bad_request(error.into_text());
    }
    error
}

/// The error for a body that does not parse. Values of fields are not parsed here, so a data error means that a field
/// is given twice or that the body is not an object. serde's own text is not used, because it quotes values.
fn parse_error(error: &serde_json::Error) -> ApiError {
    let at = format!("(line {} column {})", error.line(), error.column());
    let text = match error.classify() {
        Category::Data => match duplicate_field(&error.to_string()) {
            Some(field) => format!("{field} is given twice {at}"),
            None => "the body is not a JSON object".to_owned(),
        },
        Category::Eof => format!("the body is not JSON: it ends early {at}"),
        Category::Syntax | Category::Io => format!("the body is not JSON {at}"),
    };
    ApiError::bad_request(text)
}

fn duplicate_field(error: &str) -> Option<String> {
    let field = error.strip_prefix("duplicate field `")?.split('`').next()?;
    Some(field.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use pilotlight_wire::jobs::Check;

    fn text_of(body: &'static str) -> String {
        let json_body = JsonBody { body: body.into(), _permit: None };
        json_body.fields::<Check<'_>>().map_or_else(ApiError::into_text, |_| "taken".into())
    }

    #[test]
    fn a_body_is_one_object_with_each_field_once() {
        for (body, text) in [
            ("{}", "taken"),
            (r#"{"job_type": 1, "else": [], "else": 2, "job_types": {}}"#, "taken"),
            (r#"{"job_type": "secret", "job_type": "other"}"#, "job_type is given twice"),
            ("[]", "the body is not a JSON object"),
            (r#""secret""#, "the body is not a JSON object"),
            ("null", "the body is not a JSON object"),
            ("", "ends early"),
            (r#"{"job_type": "#, "ends early"),
            ("{} {}", "not JSON (line 1 column 4)"),
            ("{'a': 1}", "not JSON"),
            (r#"{"job_type": NaN}"#, "not JSON"),
        ] {
            let error_text = text_of(body);
            assert!(error_text.contains(text) && !error_text.contains("secret"), "{body}: {error_text}");
        }
    }
}
