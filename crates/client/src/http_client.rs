//! Sends single calls to the service: address, API key, timeouts, retries where they are safe, and a limit on the size
//! of responses.

use std::fmt;
use std::time::Duration;

use pilotlight_core::limits::{
    CLIENT_CONNECT_TIMEOUT, CLIENT_IDLE_TIMEOUT, CLIENT_RESPONSE_TIMEOUT, MAX_CLIENT_RESPONSE_BYTES,
};
use pilotlight_core::retry;
use pilotlight_wire::json;
use pilotlight_wire::warm_start::ErrorBody;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Method, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::error::{ClientError, Reason};

/// The pause before the first retry; each further retry doubles it, up to [`MAX_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between retries: a service that restarts is back within a second or two.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A client of one service, with its API key. Cloning is cheap; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    retry_for: Duration,
    /// The time for a response, in addition to the time that the call asks the service to wait.
    response_timeout: Duration,
}

/// An API key. `Debug` prints dots.
#[derive(Clone)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    /// Parses a key, ignoring surrounding white space. `None` if the text is empty or cannot be an HTTP header value.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = Some(text.trim()).filter(|text| !text.is_empty())?;
        let mut value = HeaderValue::from_str(&format!("Bearer {text}")).ok()?;
        value.set_sensitive(true);
        Some(Self(value))
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Key(••••••)")
    }
}

/// Whether a call may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idempotency {
    /// Sending the call twice has the effect of sending it once: it may be repeated after any transient failure.
    Idempotent,
    /// The call is repeated only when it is certain that the service did not execute it.
    NotIdempotent,
}

/// One call.
pub(super) struct Call {
    /// What the call does, as a phrase that fits after "failed to".
    pub(super) action: String,
    pub(super) request: RequestBuilder,
    /// How long the call asks the service to wait before it responds.
    pub(super) wait: Duration,
    pub(super) idempotency: Idempotency,
}

/// The error body of endpoints whose responses have `message` instead of `error`.
#[derive(Deserialize)]
struct ErrorMessage {
    #[serde(default)]
    message: Option<String>,
}

impl Client {
    /// A client of the service at `base` (`http://host:port`, optionally with a path before `/api`). `http` is the
    /// configuration of the HTTP client.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(http: ClientBuilder, base: Url, key: Option<ApiKey>) -> reqwest::Result<Self> {
        let headers = key.map(|key| HeaderMap::from_iter([(AUTHORIZATION, key.0)])).unwrap_or_default();
        // Following a redirect would send the key to another host.
        let http = http.redirect(Policy::none()).connect_timeout(CLIENT_CONNECT_TIMEOUT);
        let http = http.pool_idle_timeout(CLIENT_IDLE_TIMEOUT);
        let http = if is_local(&base) { http.no_proxy() } else { http };
        let http = http.default_headers(headers).build()?;
        Ok(Self { http, base, retry_for: Duration::ZERO, response_timeout: CLIENT_RESPONSE_TIMEOUT })
    }

    /// The same client, which retries calls for `retry_for` where a call may be repeated. The default is no retries.
    #[must_use]
    pub const fn with_retry_for(mut self, retry_for: Duration) -> Self {
        self.retry_for = retry_for;
        self
    }

    /// The same client with this timeout for responses, at most [`CLIENT_RESPONSE_TIMEOUT`].
    #[must_use]
    pub fn with_response_timeout(mut self, time: Duration) -> Self {
        self.response_timeout = time.min(CLIENT_RESPONSE_TIMEOUT);
        self
    }

    /// The service's address without a password.
    #[must_use]
    pub fn address(&self) -> String {
        let mut without_credentials = self.base.clone();
        // These fail only for URLs that cannot have credentials.
        _ = without_credentials.set_username("");
        _ = without_credentials.set_password(None);
        without_credentials.as_str().trim_end_matches('/').to_owned()
    }

    /// A request for the path of `/api` and these segments, each percent-encoded.
    pub(super) fn request(&self, method: Method, parts: &[&str]) -> RequestBuilder {
        self.request_outside_api(method, &[&["api"], parts].concat())
    }

    /// The same as [`Self::request`], without `/api`.
    pub(super) fn request_outside_api(&self, method: Method, parts: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        self.http.request(method, url)
    }

    /// Sends a call and parses the JSON of its response. Besides 2xx, `accepted_statuses` count as success.
    pub(super) async fn call_json<T: DeserializeOwned>(
        &self,
        call: Call,
        accepted_statuses: &[u16],
    ) -> Result<T, ClientError> {
        let action = call.action.clone();
        match self.call(call, accepted_statuses).await? {
            Some(body) => parse_json(&body).map_err(|reason| self.failure(action, reason)),
            None => Err(self.failure(action, Reason::InvalidResponse("it is empty".into()))),
        }
    }

    /// Sends a call, with retries where they are allowed. Returns the response's body; `None` for status 204.
    pub(super) async fn call(
        &self,
        call: Call,
        accepted_statuses: &[u16],
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let until = Instant::now() + self.retry_for;
        let mut failures = 0;
        loop {
            let Some(request) = call.request.try_clone() else {
                unreachable!("every request body is in memory and can be cloned");
            };
            let (reason, pause) = match self
                .attempt(request.timeout(call.wait + self.response_timeout), accepted_statuses)
                .await
            {
                Ok(body) => return Ok(body),
                Err(refused) => refused,
            };
            let failure = self.failure(call.action.clone(), reason);
            failures += 1;
            let pause = pause.unwrap_or_else(|| retry::backoff(FIRST_PAUSE, failures).min(MAX_PAUSE));
            let may_be_repeated = match call.idempotency {
                Idempotency::Idempotent => failure.is_transient(),
                Idempotency::NotIdempotent => failure.is_not_executed(),
            };
            if !may_be_repeated || Instant::now() + pause > until {
                return Err(failure);
            }
            sleep(pause).await;
        }
    }

    async fn attempt(
        &self,
        request: RequestBuilder,
        accepted_statuses: &[u16],
    ) -> Result<Option<Vec<u8>>, (Reason, Option<Duration>)> {
        let response = request.send().await.map_err(|error| (send_error(error), None))?;
        let (status, pause) = (response.status(), retry_after(&response));
        let body = body(response).await.map_err(|reason| (reason, None))?;
        match status.as_u16() {
            204 => Ok(None),
            number if status.is_success() || accepted_statuses.contains(&number) => Ok(Some(body)),
            number if status.is_redirection() => {
                Err((Reason::InvalidResponse(format!("it is a redirect, with status {number}")), None))
            }
            number => Err((Reason::Refused(number, error_message(&body)), pause)),
        }
    }

    /// Opens a response that is read as a stream, without a timeout for its body.
    pub(super) async fn stream(
        &self,
        action: &str,
        request: RequestBuilder,
    ) -> Result<Response, ClientError> {
        let failed = |reason| self.failure(action.to_owned(), reason);
        let response = timeout(CLIENT_RESPONSE_TIMEOUT, request.send()).await;
        let timed_out = |_| failed(Reason::NoResponse("it took too long".into()));
        let response = response.map_err(timed_out)?.map_err(|error| failed(send_error(error)))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let body = body(response).await.map_err(failed)?;
        Err(failed(Reason::Refused(status.as_u16(), error_message(&body))))
    }

    pub(super) fn failure(&self, action: String, reason: Reason) -> ClientError {
        ClientError { action, address: self.address(), reason }
    }
}

/// Whether the service is on this machine. Then the proxies set in the environment are not used.
fn is_local(url: &Url) -> bool {
    url.host_str().is_some_and(|host| matches!(host, "localhost" | "[::1]") || host.starts_with("127."))
}

fn send_error(error: reqwest::Error) -> Reason {
    let error = error.without_url();
    let why = if error.is_timeout() { "it took too long".to_owned() } else { root_cause(&error) };
    if error.is_connect() { Reason::Unreachable(why) } else { Reason::NoResponse(why) }
}

/// The innermost cause of an error; the outer errors only say that the request failed.
pub(super) fn root_cause(error: &dyn std::error::Error) -> String {
    let last = std::iter::successors(Some(error), |error| error.source()).last();
    last.map_or_else(String::new, ToString::to_string)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

async fn body(mut response: Response) -> Result<Vec<u8>, Reason> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(send_error)? {
        if body.len() + piece.len() > MAX_CLIENT_RESPONSE_BYTES {
            return Err(Reason::TooLarge);
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// Parses JSON. The error gives the position and the field, because serde's message could quote the payload.
pub(super) fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reason> {
    json::from_slice(body).map_err(|invalid| Reason::InvalidResponse(format!("it is not valid at {invalid}")))
}

fn error_message(body: &[u8]) -> String {
    let error = serde_json::from_slice(body).map(|ErrorBody { error }| error);
    let message = || serde_json::from_slice(body).ok().and_then(|ErrorMessage { message }| message);
    let error_message =
        error.ok().or_else(message).unwrap_or_else(|| "the service gave no reason".to_owned());
    error_message.chars().filter(|letter| !letter.is_control()).take(1000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(base: &str) -> Client {
        _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
        Client::new(reqwest::Client::builder(), base.parse().unwrap(), ApiKey::parse("secret")).unwrap()
    }

    #[test]
    fn a_key_is_never_shown() {
        assert!(!format!("{:?}", ApiKey::parse("secret")).contains("secret"));
        assert!(!format!("{:?}", client("http://a:secret@localhost")).contains("Bearer secret"));
        assert_eq!(client("http://a:secret@localhost:1/").address(), "http://localhost:1");
        for wrong in ["", " \n", "a\nb"] {
            assert!(ApiKey::parse(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn path_segments_are_escaped_and_appended_to_the_address() {
        for (base, url) in [
            ("http://localhost:8080", "http://localhost:8080/api/jobs/a%2Fb"),
            ("http://localhost:8080/", "http://localhost:8080/api/jobs/a%2Fb"),
            ("https://example.org/pilotlight/", "https://example.org/pilotlight/api/jobs/a%2Fb"),
        ] {
            let request = client(base).request(Method::GET, &["jobs", "a/b"]).build().unwrap();
            assert_eq!(request.url().as_str(), url);
        }
    }

    #[test]
    fn an_error_message_is_reduced_to_one_line() {
        for (body, message) in [
            (r#"{"error": "no such\njob"}"#, "no suchjob"),
            (r#"{"success": false, "message": "not yours"}"#, "not yours"),
            ("<html>", "the service gave no reason"),
        ] {
            assert_eq!(error_message(body.as_bytes()), message);
        }
    }
}
