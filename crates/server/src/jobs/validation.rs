//! Checks in the background whether results are still valid, by the rules of their job types. Submissions do not wait
//! for a check: they use the validity that the last check stored.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Event, JobId};
use pilotlight_core::limits::{MAX_VALIDATIONS_PER_TYPE, VALIDATION_TIMEOUT};
use pilotlight_core::result_validity::{
    FirstVerdict, Validity, by_expiry, by_expiry_first, by_http_status, is_public, next_check_at,
};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Error, JobRecord, RunnerOutput};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Url};
use serde_json::Value;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::background::TaskResults;
use crate::jobs::service::JobService;

/// How the results of a type are checked. Pointers are JSON pointers (RFC 6901) into the result.
#[derive(Debug, Clone)]
pub(crate) struct ValidationRule {
    /// A URL in the result that must still answer.
    pub url_rule: Option<UrlRule>,
    /// Points to a time that must be in the future, in epoch milliseconds.
    pub expiry_pointer: Option<String>,
    /// How long a check's outcome is used before the next check.
    pub interval: Duration,
}

/// A URL in the result that must still answer.
#[derive(Debug, Clone)]
pub(crate) struct UrlRule {
    /// Points to the URL.
    pub pointer: String,
    /// The only hosts that may be requested, in lower case.
    pub hosts: Vec<String>,
}

/// The rules of all types, and the client that requests URLs.
#[derive(Debug)]
pub(crate) struct ResultValidator {
    client: Client,
    rules: HashMap<JobType, ValidationRule>,
}

/// How often the store is queried for results that are due for a check.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The outcome of a check.
struct ValidationResult {
    validity: Validity,
    /// The expiry time in the result.
    expires_at: Option<Timestamp>,
}

impl ResultValidator {
    /// A validator with these rules. Its client is built from `base` and connects to public addresses only.
    ///
    /// # Errors
    /// When the client cannot be built.
    pub(crate) fn new(base: ClientBuilder, rules: HashMap<JobType, ValidationRule>) -> reqwest::Result<Self> {
        // A redirect could lead to a host that is not allowed; a proxy would resolve names itself.
        let base = base.redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = base.dns_resolver(Arc::new(PublicResolver)).timeout(VALIDATION_TIMEOUT).build()?;
        Ok(Self { client, rules })
    }

    async fn validate(&self, record: &JobRecord, now: Timestamp) -> ValidationResult {
        let unknown = ValidationResult { validity: Validity::Unknown, expires_at: None };
        let Some(rule) = self.rules.get(&record.job.job_type) else { return unknown };
        let output = record.output.as_ref().and_then(|output| output.result.as_deref());
        let Some(output) = output.and_then(|output| serde_json::from_str::<Value>(output).ok()) else {
            return unknown;
        };
        let expires_at =
            |pointer| output.pointer(pointer).and_then(Value::as_u64).map(Timestamp::from_millis);
        let expires_at = rule.expiry_pointer.as_deref().map(expires_at);
        let first = by_expiry_first(expires_at.map(|expires_at| by_expiry(expires_at, now)));
        let validity = match (first, &rule.url_rule) {
            (FirstVerdict::UnlessUrl(_), Some(url_rule)) => self.validate_url(url_rule, &output).await,
            (FirstVerdict::Final(validity) | FirstVerdict::UnlessUrl(validity), _) => validity,
        };
        ValidationResult { validity, expires_at: expires_at.flatten() }
    }

    async fn validate_url(&self, url_rule: &UrlRule, output: &Value) -> Validity {
        let text = output.pointer(&url_rule.pointer).and_then(Value::as_str);
        match text.and_then(|text| parse_allowed_url(text, &url_rule.hosts)) {
            Some(url) => by_http_status(self.request_status(url).await),
            None => Validity::Invalid,
        }
    }

    /// The status of the response; the body is not read. `None` when there is no response.
    async fn request_status(&self, url: Url) -> Option<u16> {
        // A host that is an IP address never reaches the resolver below.
        if ip_literal(&url).is_some_and(|ip_literal| !is_public(ip_literal)) {
            return None;
        }
        let response = self.client.get(url).header("range", "bytes=0-0").send().await.ok()?;
        Some(response.status().as_u16())
    }
}

/// The URL, if it is valid and its host is allowed.
fn parse_allowed_url(text: &str, hosts: &[String]) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let ip_literal = ip_literal(&url);
    let is_allowed = |host: &String| match ip_literal {
        Some(ip_literal) => host.parse() == Ok(ip_literal),
        None => url.host_str() == Some(host),
    };
    (hosts.iter().any(is_allowed) && url.username().is_empty() && url.password().is_none()).then_some(url)
}

fn ip_literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Resolves names to their public addresses only.
#[derive(Debug)]
struct PublicResolver;

impl Resolve for PublicResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let addresses: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = addresses.into_iter().filter(|socket| is_public(socket.ip())).collect();
            if public.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

impl JobService {
    /// Checks results until dropped. Each type has its own task, so a slow type does not delay the others.
    pub(crate) async fn run_validation(self: Arc<Self>, validator: ResultValidator, results: TaskResults) {
        let validator = Arc::new(validator);
        let mut types = JoinSet::new();
        for job_type in validator.rules.keys() {
            let (jobs, validator) = (Arc::clone(&self), Arc::clone(&validator));
            types.spawn(jobs.validate_type(validator, job_type.clone(), results.clone()));
        }
        while let Some(ended) = types.join_next().await {
            ended.expect("a check does not panic");
        }
    }

    async fn validate_type(
        self: Arc<Self>,
        validator: Arc<ResultValidator>,
        job_type: JobType,
        results: TaskResults,
    ) {
        let mut was_ok = true;
        loop {
            let result = self.validate_batch(&validator, &job_type).await;
            if let (Err(error), true) = (&result, was_ok) {
                tracing::warn!(%error, %job_type, "failed to check whether results are still valid; retrying");
            }
            was_ok = result.is_ok();
            results.record(result.as_ref().map(|count| format!("checked {count} results of {job_type}")));
            if !result.is_ok_and(|result| result == MAX_VALIDATIONS_PER_TYPE) {
                sleep(POLL_INTERVAL).await;
            }
        }
    }

    async fn validate_batch(
        self: &Arc<Self>,
        validator: &Arc<ResultValidator>,
        job_type: &JobType,
    ) -> Result<usize, Error> {
        let before = self.now().before(validator.rules[job_type].interval);
        let due = self
            .store
            .due_for_validation(std::slice::from_ref(job_type), before, MAX_VALIDATIONS_PER_TYPE)
            .await?;
        let count = due.len();
        let validations =
            due.into_iter().map(|record| Arc::clone(self).validate_one(Arc::clone(validator), record));
        let mut validations: JoinSet<_> = validations.collect();
        while let Some(result) = validations.join_next().await {
            result.expect("a check does not panic")?;
        }
        Ok(count)
    }

    async fn validate_one(
        self: Arc<Self>,
        validator: Arc<ResultValidator>,
        record: JobRecord,
    ) -> Result<(), Error> {
        let id: JobId = record.job.id;
        let ValidationResult { validity, expires_at } = validator.validate(&record, self.now()).await;
        match validity {
            Validity::Invalid => {
                self.apply_event(id, Event::ResultInvalid, RunnerOutput::default()).await.map(drop)
            }
            // An unknown outcome is treated like a valid one: the next check is due after the same interval.
            Validity::Valid | Validity::Unknown => {
                let interval = validator.rules[&record.job.job_type].interval;
                let next_at = next_check_at(self.now(), interval, expires_at);
                self.store.mark_validated(id, next_at.before(interval)).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_hosts_are_accepted() {
        let hosts = ["files.example".to_owned()];
        for good in ["https://files.example/a.mp4", "http://FILES.example:8443/?x=1"] {
            assert!(parse_allowed_url(good, &hosts).is_some(), "{good}");
        }
        for bad in [
            "https://other.example/",
            "https://files.example.other/",
            "https://user:secret@files.example/",
            "ftp://files.example/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "/a.mp4",
            "",
        ] {
            assert!(parse_allowed_url(bad, &hosts).is_none(), "{bad}");
        }
    }

    #[tokio::test]
    async fn ip_literals_must_be_allowed_and_public() {
        let hosts = ["1.1.1.1", "127.0.0.1", "::1"].map(str::to_owned);
        let url = |text: &str| parse_allowed_url(text, &hosts);
        assert!(url("https://1.1.1.1/").is_some());
        assert!(url("https://1.0.0.1/").is_none());
        _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
        let validator = ResultValidator::new(Client::builder(), HashMap::new()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for private in ["127.0.0.1", "2130706433", "[::1]", "[0::1]"] {
            let private = format!("http://{private}:{port}/");
            assert_eq!(validator.request_status(url(&private).unwrap()).await, None, "{private}");
        }
        assert!(listener.accept().is_err(), "a request was sent to a private address");
    }
}
