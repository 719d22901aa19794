//! Looks in the background whether results are still valid, as their types are configured. Whoever submits meanwhile is
//! served by the last verdict.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Event, JobId};
use pilotlight_core::limits::{MAX_VALIDATIONS_PER_TYPE, VALIDATION_TIMEOUT};
use pilotlight_core::result_validity::{Validity, by_expiry, by_http_status, is_public, next_check_at};
use pilotlight_core::time::Timestamp;
use pilotlight_store::{Error, JobRecord, RunnerOutput};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Client, ClientBuilder, Url};
use serde_json::Value;
use tokio::net::lookup_host;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::driver::Jobs;

/// What of a type's results is looked at. Where it stands is a JSON pointer (RFC 6901).
#[derive(Debug, Clone)]
pub struct Check {
    /// An address that must still answer.
    pub address: Option<Address>,
    /// A time that must lie in the future: epoch milliseconds.
    pub time: Option<String>,
    /// How old a verdict may become.
    pub every: Duration,
}

/// An address that must still answer.
#[derive(Debug, Clone)]
pub struct Address {
    /// Where it stands.
    pub pointer: String,
    /// The only hosts that are asked, in lower case.
    pub hosts: Vec<String>,
}

/// The checks of all types.
#[derive(Debug)]
pub struct Checks {
    client: Client,
    by_type: HashMap<JobType, Check>,
}

/// How often is looked for results whose verdict is too old.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a look at a result found.
struct Looked {
    verdict: Validity,
    /// The result's own time.
    until: Option<Timestamp>,
}

impl Checks {
    /// These checks, asked by a client that `base` leads to, which goes nowhere but to public addresses.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(base: ClientBuilder, by_type: HashMap<JobType, Check>) -> reqwest::Result<Self> {
        // A redirection could lead to a host that is not allowed; a proxy would resolve names by itself.
        let base = base.redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = base.dns_resolver(Arc::new(PublicOnly)).timeout(VALIDATION_TIMEOUT).build()?;
        Ok(Self { client, by_type })
    }

    async fn look(&self, found: &JobRecord, now: Timestamp) -> Looked {
        let unknown = Looked { verdict: Validity::Unknown, until: None };
        let Some(check) = self.by_type.get(&found.job.job_type) else { return unknown };
        let output = found.output.as_ref().and_then(|end| end.result.as_deref());
        let Some(output) = output.and_then(|output| serde_json::from_str::<Value>(output).ok()) else {
            return unknown;
        };
        let until = |pointer| output.pointer(pointer).and_then(Value::as_u64).map(Timestamp::from_millis);
        let until = check.time.as_deref().map(until);
        let in_time = until.map(|until| by_expiry(until, now));
        let verdict = match (in_time, &check.address) {
            (Some(Validity::Invalid), _) => Validity::Invalid,
            (_, Some(address)) => self.answers(address, &output).await,
            (in_time, None) => in_time.unwrap_or(Validity::Unknown),
        };
        Looked { verdict, until: until.flatten() }
    }

    async fn answers(&self, address: &Address, output: &Value) -> Validity {
        let text = output.pointer(&address.pointer).and_then(Value::as_str);
        match text.and_then(|text| allowed(text, &address.hosts)) {
            Some(url) => by_http_status(self.ask(url).await),
            None => Validity::Invalid,
        }
    }

    /// The status of the answer; the body is not read.
    async fn ask(&self, url: Url) -> Option<u16> {
        // A number asks nobody for its address.
        if number(&url).is_some_and(|number| !is_public(number)) {
            return None;
        }
        let answer = self.client.get(url).header("range", "bytes=0-0").send().await.ok()?;
        Some(answer.status().as_u16())
    }
}

/// The address, when it is one at a host that is allowed.
fn allowed(text: &str, hosts: &[String]) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let number = number(&url);
    let is = |host: &String| match number {
        Some(number) => host.parse() == Ok(number),
        None => url.host_str() == Some(host),
    };
    (hosts.iter().any(is) && url.username().is_empty() && url.password().is_none()).then_some(url)
}

fn number(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// Finds names' addresses, and only those that anybody may be asked at.
#[derive(Debug)]
struct PublicOnly;

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found: Vec<SocketAddr> = lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = found.into_iter().filter(|address| is_public(address.ip())).collect();
            if public.is_empty() {
                return Err("the name has no public address".into());
            }
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

impl Jobs {
    /// Looks after results until dropped. What is slow with one type keeps no other waiting.
    pub async fn check(self: Arc<Self>, checks: Checks) {
        let checks = Arc::new(checks);
        let mut types = JoinSet::new();
        for job_type in checks.by_type.keys() {
            types.spawn(Arc::clone(&self).check_type(Arc::clone(&checks), job_type.clone()));
        }
        while let Some(ended) = types.join_next().await {
            ended.expect("a check does not panic");
        }
    }

    async fn check_type(self: Arc<Self>, checks: Arc<Checks>, job_type: JobType) {
        let mut is_well = true;
        loop {
            let looked = self.check_some(&checks, &job_type).await;
            if let (Err(error), true) = (&looked, is_well) {
                tracing::warn!(%error, %job_type, "failed to look whether results are still valid; trying on");
            }
            is_well = looked.is_ok();
            if !looked.is_ok_and(|looked| looked == MAX_VALIDATIONS_PER_TYPE) {
                sleep(LOOK_EVERY).await;
            }
        }
    }

    async fn check_some(self: &Arc<Self>, checks: &Arc<Checks>, job_type: &JobType) -> Result<usize, Error> {
        let before = self.now().before(checks.by_type[job_type].every);
        let unchecked = self
            .store
            .due_for_validation(std::slice::from_ref(job_type), before, MAX_VALIDATIONS_PER_TYPE)
            .await?;
        let count = unchecked.len();
        let looks = unchecked.into_iter().map(|found| Arc::clone(self).look_at(Arc::clone(checks), found));
        let mut looks: JoinSet<_> = looks.collect();
        while let Some(looked) = looks.join_next().await {
            looked.expect("a look does not panic")?;
        }
        Ok(count)
    }

    async fn look_at(self: Arc<Self>, checks: Arc<Checks>, found: JobRecord) -> Result<(), Error> {
        let id: JobId = found.job.id;
        let Looked { verdict, until } = checks.look(&found, self.now()).await;
        match verdict {
            Validity::Invalid => self.say(id, Event::ResultInvalid, RunnerOutput::default()).await.map(drop),
            // The next look is due as if it had been told.
            Validity::Valid | Validity::Unknown => {
                let every = checks.by_type[&found.job.job_type].every;
                let again = next_check_at(self.now(), every, until);
                self.store.mark_validated(id, again.before(every)).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_allowed_hosts_are_asked_and_by_name() {
        let hosts = ["files.example".to_owned()];
        for good in ["https://files.example/a.mp4", "http://FILES.example:8443/?x=1"] {
            assert!(allowed(good, &hosts).is_some(), "{good}");
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
            assert!(allowed(bad, &hosts).is_none(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_number_is_asked_when_it_is_allowed_and_anybodys() {
        let hosts = ["1.1.1.1", "127.0.0.1", "::1"].map(str::to_owned);
        let url = |text: &str| allowed(text, &hosts);
        assert!(url("https://1.1.1.1/").is_some());
        assert!(url("https://1.0.0.1/").is_none());
        _ = tokio_rustls::rustls::crypto::aws_lc_rs::default_provider().install_default();
        let checks = Checks::new(Client::builder(), HashMap::new()).unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        for private in ["127.0.0.1", "2130706433", "[::1]", "[0::1]"] {
            let private = format!("http://{private}:{port}/");
            assert_eq!(checks.ask(url(&private).unwrap()).await, None, "{private}");
        }
        assert!(listener.accept().is_err(), "somebody called");
    }
}
