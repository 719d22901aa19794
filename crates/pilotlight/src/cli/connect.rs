//! The service's URL and API key for commands that call a service: options first, then the environment.
//!
//! The key is read from a file or a variable, never from the command line, where other users of the machine could see
//! it.

use std::env;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, ensure};
use pilotlight_client::{ApiKey, Client};
use pilotlight_server::config::{ENV_KEY, ENV_KEY_FILE, ENV_URL, read_secret};
use pilotlight_server::https_client_builder;
use tokio::runtime::Builder;

use super::exit_code::Code;
use super::failure::Failure;

/// The URL when neither an option nor a variable sets it.
const DEFAULT_URL: &str = "http://localhost:8080";

/// How long a command retries when the service does not answer: longer than a restart of the service takes.
const RETRY_FOR: Duration = Duration::from_secs(10);

/// The service's URL and the API key.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ConnectOptions {
    /// The service's URL, also given by PILOTLIGHT_URL; http://localhost:8080 if neither is set.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file with the API key, also given by PILOTLIGHT_KEY_FILE; PILOTLIGHT_KEY is the key itself.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl ConnectOptions {
    /// A client that retries calls for [`RETRY_FOR`] where a call may safely be repeated.
    ///
    /// # Errors
    /// The URL or the key is invalid: the error is printed, the exit code is 2.
    pub(super) fn client(&self) -> Result<Client, Failure> {
        let client = self.build_client();
        let client = client.map_err(|error| Failure::report(Code::Usage, format_args!("{error:#}")))?;
        Ok(client.with_retry_for(RETRY_FOR))
    }

    /// A client that never retries, for commands that only show something: the user can simply run them again.
    ///
    /// # Errors
    /// The same as [`Self::client`].
    pub(super) fn client_without_retry(&self) -> Result<Client, Failure> {
        Ok(self.client()?.with_retry_for(Duration::ZERO))
    }

    fn build_client(&self) -> anyhow::Result<Client> {
        let text = self.url.clone().or_else(|| variable(ENV_URL)).unwrap_or_else(|| DEFAULT_URL.to_owned());
        let url = reqwest::Url::parse(&text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none()
        });
        let url = url.context("--url (or PILOTLIGHT_URL) is not a URL such as http://localhost:8080")?;
        Ok(Client::new(https_client_builder()?, url, self.key()?)?)
    }

    fn key(&self) -> anyhow::Result<Option<ApiKey>> {
        let file = self.key_file.clone().or_else(|| variable(ENV_KEY_FILE).map(PathBuf::from));
        let variable_key = variable(ENV_KEY).filter(|_| self.key_file.is_none());
        let text = match (variable_key, file) {
            (Some(variable_key), _) => variable_key,
            (None, Some(file)) => {
                let read = read_secret(&file).map_err(anyhow::Error::msg);
                read.with_context(|| format!("failed to read the key from {}", file.display()))?
            }
            (None, None) => return Ok(None),
        };
        let key = ApiKey::parse(&text);
        ensure!(
            key.is_some(),
            "the key (--key-file, PILOTLIGHT_KEY_FILE or PILOTLIGHT_KEY) is not a single line of text"
        );
        Ok(key)
    }
}

/// Runs `work` to its end on a new runtime, without waiting for background tasks such as a DNS lookup in progress.
pub(super) fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(work);
    runtime.shutdown_background();
    ended
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
