//! `/` and `/assets/<name>`: the built dashboard page, embedded in the binary, also in compressed form. It contains no
//! data and is the same for every caller. The source is in `dashboard/`.

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use hyper::StatusCode;
use hyper::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderMap,
    HeaderName, HeaderValue, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::http::error;

#[derive(RustEmbed)]
#[folder = "assets"]
struct Assets;

/// The page loads nothing from other origins, has no inline scripts or styles, and may not be framed.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
                      img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const INDEX: &str = "index.html";

/// `GET /`
pub(super) async fn index(headers: HeaderMap) -> Response {
    serve(INDEX, &headers).await
}

/// `GET /assets/<name>`
pub(super) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    serve(&name, &headers).await
}

async fn serve(name: &str, headers: &HeaderMap) -> Response {
    let Some(kind) = content_type(name) else { return error::path_not_found().await };
    match select_encoding(name, headers) {
        Some((file, encoding)) => asset_response(file, encoding, kind, headers),
        None => error::path_not_found().await,
    }
}

/// The content type by file extension. `None` for compressed files (`.br`, `.gz`): they are not served under their own
/// names.
fn content_type(name: &str) -> Option<&'static str> {
    match name.rsplit_once('.')?.1 {
        "html" => Some("text/html; charset=utf-8"),
        "js" => Some("text/javascript; charset=utf-8"),
        "css" => Some("text/css; charset=utf-8"),
        "txt" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

/// The file in the smallest encoding that the client accepts.
fn select_encoding(name: &str, headers: &HeaderMap) -> Option<(EmbeddedFile, Option<&'static str>)> {
    for (encoding, ending) in [("br", "br"), ("gzip", "gz")] {
        if accepts(headers, encoding)
            && let Some(file) = Assets::get(&format!("{name}.{ending}"))
        {
            return Some((file, Some(encoding)));
        }
    }
    Assets::get(name).map(|file| (file, None))
}

/// Whether `Accept-Encoding` names the encoding, and not with `q=0`.
fn accepts(headers: &HeaderMap, encoding: &str) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|offer| {
        let (name, weight) = offer.split_once(';').unwrap_or((offer, "q=1"));
        let weight =
            weight.trim().strip_prefix("q=").and_then(|weight| weight.parse().ok()).unwrap_or(1.0_f32);
        name.trim().eq_ignore_ascii_case(encoding) && weight > 0.0
    })
}

fn asset_response(
    file: EmbeddedFile,
    encoding: Option<&'static str>,
    kind: &'static str,
    headers: &HeaderMap,
) -> Response {
    let etag = etag(&file);
    let mut response = if is_cached(headers, &etag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(Body::from(file.data))
    };
    let more: [(HeaderName, &str); 6] = [
        (CONTENT_TYPE, kind),
        (CONTENT_SECURITY_POLICY, CONTENT_POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "same-origin"),
        // The browser caches the file but revalidates it each time, so a new version appears at once.
        (CACHE_CONTROL, "no-cache"),
        (VARY, "accept-encoding"),
    ];
    let more = more.into_iter().chain(encoding.map(|encoding| (CONTENT_ENCODING, encoding)));
    for (name, value) in more.chain([(ETAG, etag.as_str())]) {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_str(value).expect("all of these values are ASCII"));
    }
    response
}

/// The entity tag: a hash of the bytes that are sent, so that each encoding has a different one.
fn etag(file: &EmbeddedFile) -> String {
    let hash: String = file.metadata.sha256_hash()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hash}\"")
}

fn is_cached(headers: &HeaderMap, etag: &str) -> bool {
    let values = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoding_is_accepted_when_it_is_named_and_not_refused() {
        for (header, accepts_br) in [
            ("br", true),
            ("gzip, deflate, br, zstd", true),
            ("gzip;q=1.0, BR;q=0.5", true),
            ("br;q=0", false),
            ("br; q=0.0", false),
            ("brotli", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT_ENCODING, header.parse().unwrap())]);
            assert_eq!(accepts(&headers, "br"), accepts_br, "{header}");
        }
    }

    #[test]
    fn compressed_files_are_not_served_under_their_own_names() {
        assert_eq!(content_type("app.js.br"), None);
        assert_eq!(content_type("app.css.gz"), None);
        assert_eq!(content_type("app"), None);
    }

    #[test]
    fn every_asset_exists_in_every_encoding() {
        for name in [INDEX, "app.js", "app.css", "licences.txt"] {
            for ending in ["", ".br", ".gz"] {
                assert!(Assets::get(&format!("{name}{ending}")).is_some(), "{name}{ending}");
            }
        }
    }
}
