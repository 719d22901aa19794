//! Looks in the background whether results are still valid, as their types are configured. Whoever submits meanwhile is
//! served by the last verdict.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pilotlight_core::check::{Verdict, by_answer, by_time, is_public};
use pilotlight_core::ids::JobType;
use pilotlight_core::job::{Event, JobId};
use pilotlight_core::limits::{CHECK_WITHIN, CHECKS_AT_A_TIME};
use pilotlight_core::time::Epoch;
use pilotlight_store::{Error, Found, Payload};
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
const LOOK_EVERY: Duration = Duration::from_secs(5);

impl Checks {
    /// These checks, asked by a client that `base` leads to, which goes nowhere but to public addresses.
    ///
    /// # Errors
    /// When the client cannot be made.
    pub fn new(base: ClientBuilder, by_type: HashMap<JobType, Check>) -> reqwest::Result<Self> {
        // A redirection could lead to a host that is not allowed; a proxy would resolve names by itself.
        let base = base.redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = base.dns_resolver(Arc::new(PublicOnly)).timeout(CHECK_WITHIN).build()?;
        Ok(Self { client, by_type })
    }

    async fn verdict(&self, found: &Found, now: Epoch) -> Verdict {
        let Some(check) = self.by_type.get(&found.job.job_type) else { return Verdict::Unknown };
        let output = found.end.as_ref().and_then(|end| end.output.as_deref());
        let Some(output) = output.and_then(|output| serde_json::from_str::<Value>(output).ok()) else {
            return Verdict::Unknown;
        };
        let time = check.time.as_ref().map(|pointer| {
            let until = output.pointer(pointer).and_then(Value::as_u64);
            by_time(until.map(Epoch::from_millis), now)
        });
        match (time, &check.address) {
            (Some(Verdict::Invalid), _) => Verdict::Invalid,
            (_, Some(address)) => self.answers(address, &output).await,
            (time, None) => time.unwrap_or(Verdict::Unknown),
        }
    }

    async fn answers(&self, address: &Address, output: &Value) -> Verdict {
        let text = output.pointer(&address.pointer).and_then(Value::as_str);
        match text.and_then(|text| allowed(text, &address.hosts)) {
            Some(url) => by_answer(self.ask(url).await),
            None => Verdict::Invalid,
        }
    }

    /// The status of the answer; the body is not read.
    async fn ask(&self, url: Url) -> Option<u16> {
        let answer = self.client.get(url).header("range", "bytes=0-0").send().await.ok()?;
        Some(answer.status().as_u16())
    }
}

/// The address, when it is one at a host that is allowed. A number is no name: it could be anybody's.
fn allowed(text: &str, hosts: &[String]) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let is_allowed = url.domain().is_some_and(|name| hosts.iter().any(|host| host == name));
    (is_allowed && url.username().is_empty() && url.password().is_none()).then_some(url)
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
    /// Looks after results until dropped.
    pub async fn check(self: Arc<Self>, checks: Checks) {
        let checks = Arc::new(checks);
        loop {
            if let Err(error) = self.check_some(&checks).await {
                tracing::warn!(%error, "failed to look whether results are still valid; trying on");
            }
            sleep(LOOK_EVERY).await;
        }
    }

    async fn check_some(self: &Arc<Self>, checks: &Arc<Checks>) -> Result<(), Error> {
        let mut looks = JoinSet::new();
        for (job_type, check) in &checks.by_type {
            let before = self.now().before(check.every);
            let types = std::slice::from_ref(job_type);
            for found in self.store.unchecked(types, before, CHECKS_AT_A_TIME).await? {
                looks.spawn(Arc::clone(self).look_at(Arc::clone(checks), found));
            }
        }
        while let Some(looked) = looks.join_next().await {
            looked.expect("a look does not panic")?;
        }
        Ok(())
    }

    async fn look_at(self: Arc<Self>, checks: Arc<Checks>, found: Found) -> Result<(), Error> {
        let id: JobId = found.job.id;
        match checks.verdict(&found, self.now()).await {
            Verdict::Invalid => self.say(id, Event::Invalid, Payload::default()).await.map(drop),
            // The next look is due as if it had been told.
            Verdict::Valid | Verdict::Unknown => self.store.checked(id, self.now()).await,
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
}
