//! The way to the service: its address, the key, one call at a time with a deadline, repeated where that is safe.
//! What it reads is bounded.

use std::fmt;
use std::time::Duration;

use pilotlight_core::limits::{
    CLIENT_CONNECT_TIMEOUT, CLIENT_IDLE_TIMEOUT, CLIENT_RESPONSE_TIMEOUT, MAX_CLIENT_RESPONSE_BYTES,
};
use pilotlight_core::retry;
use pilotlight_wire::warm_start::ErrorBody;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, Method, RequestBuilder, Response, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout};

use super::error::{ClientError, Reason};

/// The pause before the first repetition; each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest pause between repetitions: a service that restarts is back within a second or two.
const MAX_PAUSE: Duration = Duration::from_secs(2);

/// A service, and who asks it. Cloning is cheap; clones share connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    retry_for: Duration,
    /// Beyond what the service may take on purpose.
    response_timeout: Duration,
}

/// A key of the service. It is never shown.
#[derive(Clone)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    /// Takes `text` without white space around it; none when it cannot be a key.
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

/// Whether doing a call twice is as good as doing it once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Idempotency {
    /// It is: whatever became of the first, it may be made again.
    Idempotent,
    /// It is not: it is made again only when it is certain that nothing was done.
    NotIdempotent,
}

/// One call.
pub(super) struct Call {
    /// Fits after "failed to".
    pub(super) action: String,
    pub(super) request: RequestBuilder,
    /// How long the service may take on purpose.
    pub(super) wait: Duration,
    pub(super) idempotency: Idempotency,
}

/// A refusal's sentence, wherever it stands.
#[derive(Deserialize)]
struct ErrorMessage {
    #[serde(default)]
    message: Option<String>,
}

impl Client {
    /// Asks the service at `base` (`http://host:port`, perhaps with a path before `/api`), by a client that `http` leads
    /// to.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(http: ClientBuilder, base: Url, key: Option<ApiKey>) -> reqwest::Result<Self> {
        let headers = key.map(|key| HeaderMap::from_iter([(AUTHORIZATION, key.0)])).unwrap_or_default();
        // A redirection would carry the key to somebody else.
        let http = http.redirect(Policy::none()).connect_timeout(CLIENT_CONNECT_TIMEOUT);
        let http = http.pool_idle_timeout(CLIENT_IDLE_TIMEOUT);
        let http = if is_local(&base) { http.no_proxy() } else { http };
        let http = http.default_headers(headers).build()?;
        Ok(Self { http, base, retry_for: Duration::ZERO, response_timeout: CLIENT_RESPONSE_TIMEOUT })
    }

    /// The same, which goes on asking for so long where a call may be repeated.
    #[must_use]
    pub const fn with_retry_for(mut self, retry_for: Duration) -> Self {
        self.retry_for = retry_for;
        self
    }

    /// The same, which waits for an answer so long at most.
    #[must_use]
    pub fn with_response_timeout(mut self, time: Duration) -> Self {
        self.response_timeout = time.min(CLIENT_RESPONSE_TIMEOUT);
        self
    }

    /// Where it asks, without a password.
    #[must_use]
    pub fn address(&self) -> String {
        let mut without_credentials = self.base.clone();
        // An address that cannot have them has none.
        _ = without_credentials.set_username("");
        _ = without_credentials.set_password(None);
        without_credentials.as_str().trim_end_matches('/').to_owned()
    }

    /// A request for the path made of `/api` and these parts, each escaped.
    pub(super) fn request(&self, method: Method, parts: &[&str]) -> RequestBuilder {
        self.request_outside_api(method, &[&["api"], parts].concat())
    }

    /// The same without `/api`.
    pub(super) fn request_outside_api(&self, method: Method, parts: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        self.http.request(method, url)
    }

    /// The answer's JSON. Statuses of `accepted_statuses` are answers too.
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

    /// The answer's body; none when there is none. Tries again where it may.
    pub(super) async fn call(
        &self,
        call: Call,
        accepted_statuses: &[u16],
    ) -> Result<Option<Vec<u8>>, ClientError> {
        let until = Instant::now() + self.retry_for;
        let mut failures = 0;
        loop {
            let Some(request) = call.request.try_clone() else {
                unreachable!("every body is in memory");
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
                Err((Reason::InvalidResponse(format!("it leads elsewhere, with status {number}")), None))
            }
            number => Err((Reason::Refused(number, error_message(&body)), pause)),
        }
    }

    /// A stream of bytes without an end of its own.
    pub(super) async fn stream(
        &self,
        action: &str,
        request: RequestBuilder,
    ) -> Result<Response, ClientError> {
        let failed = |reason| self.failure(action.to_owned(), reason);
        let response = timeout(CLIENT_RESPONSE_TIMEOUT, request.send()).await;
        let silent = |_| failed(Reason::NoResponse("it took too long".into()));
        let response = response.map_err(silent)?.map_err(|error| failed(send_error(error)))?;
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

/// Proxies of the environment are for what is far.
fn is_local(url: &Url) -> bool {
    url.host_str().is_some_and(|host| matches!(host, "localhost" | "[::1]") || host.starts_with("127."))
}

fn send_error(error: reqwest::Error) -> Reason {
    let error = error.without_url();
    let why = if error.is_timeout() { "it took too long".to_owned() } else { root_cause(&error) };
    if error.is_connect() { Reason::Unreachable(why) } else { Reason::NoResponse(why) }
}

/// What was behind it: the error itself says only that there was one.
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

/// serde's own words quote the values that it found.
pub(super) fn parse_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Reason> {
    serde_json::from_slice(body).map_err(|error| {
        let at = format!("line {} column {}", error.line(), error.column());
        Reason::InvalidResponse(format!("it cannot be read at {at}"))
    })
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
        for (body, told) in [
            (r#"{"error": "no such\njob"}"#, "no suchjob"),
            (r#"{"success": false, "message": "not yours"}"#, "not yours"),
            ("<html>", "the service gave no reason"),
        ] {
            assert_eq!(error_message(body.as_bytes()), told);
        }
    }
}
