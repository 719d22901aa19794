//! Deployment tokens: a runner may send a signed token in place of its deployment's id. Its `deployment` claim becomes
//! part of the pool key; the setting `warm_start.tokens` decides whether the token must be valid
//! (`docs/protocols/deployment-tokens.md`). A token must never be stored or appear in a log, a metric or a response.

use std::borrow::Cow;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use pilotlight_core::ids::DeploymentId;
use pilotlight_core::pool::PoolKey;
use serde::Deserialize;

use crate::config::{self, WarmStartConfig};
use crate::http::error::ApiError;
use crate::warm_start::metrics::TokenCounts;

/// Reads deployment tokens as configured, and counts the results.
pub(crate) struct Tokens {
    mode: Mode,
    counts: TokenCounts,
}

enum Mode {
    /// The claims are used without verification.
    Read,
    /// Tokens are verified with this key.
    Verify { key: Box<DecodingKey>, validation: Box<Validation>, strictness: Strictness },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// An invalid token is counted and accepted.
    Log,
    /// An invalid token is refused; a plain id is accepted.
    Enforce,
    /// A valid token for the runner's deployment version is required; a plain id is refused.
    Strict,
}

/// The claims of a token that are used here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Claims {
    ver: u32,
    deployment: String,
    deployment_version: Option<String>,
}

/// The only supported value of the `ver` claim.
const VERSION: u32 = 1;

impl std::fmt::Debug for Tokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tokens")
    }
}

impl Tokens {
    /// Uses the mode and the secret of this configuration section. Without a secret, tokens are not verified.
    #[must_use]
    pub(crate) fn new(config: &WarmStartConfig, counts: TokenCounts) -> Self {
        let strictness = match config.tokens {
            config::TokenMode::Disabled => None,
            config::TokenMode::Log => Some(Strictness::Log),
            config::TokenMode::Enforce => Some(Strictness::Enforce),
            config::TokenMode::Strict => Some(Strictness::Strict),
        };
        let mode = match (strictness, &config.token_secret) {
            (Some(strictness), Some(secret)) => {
                let mut validation = Validation::new(Algorithm::HS256);
                validation.leeway = 0;
                let key = Box::new(DecodingKey::from_secret(secret.reveal().as_bytes()));
                Mode::Verify { key, validation: Box::new(validation), strictness }
            }
            (Some(_) | None, _) => Mode::Read,
        };
        Self { mode, counts }
    }

    /// The pool key of a poll. If `key.deployment` is a token, the deployment id in the token takes its place.
    ///
    /// # Errors
    /// 401 when the token or plain id is refused, 400 when the claimed deployment is missing or not a valid id.
    pub(crate) fn resolve_key(&self, mut key: PoolKey) -> Result<PoolKey, ApiError> {
        let read = match self.deployment(key.deployment.as_str(), key.version.as_str())? {
            Cow::Borrowed(_) => return Ok(key),
            Cow::Owned(deployment) => DeploymentId::parse(&deployment),
        };
        key.deployment =
            read.map_err(|why| ApiError::bad_request(format!("the deployment claim of the token {why}")))?;
        Ok(key)
    }

    /// The deployment id: borrowed when `id` is a plain id, owned when it is a token with the deployment id as a claim.
    fn deployment<'a>(&self, id: &'a str, version: &str) -> Result<Cow<'a, str>, ApiError> {
        match &self.mode {
            Mode::Read => unverified_deployment(id),
            Mode::Verify { strictness: Strictness::Strict, .. } if !is_token(id) => {
                self.counts.refused.inc();
                Err(ApiError::unauthorized("x-trigger-deployment-id must be a signed deployment token"))
            }
            Mode::Verify { .. } if !is_token(id) => Ok(Cow::Borrowed(id)),
            Mode::Verify { key, validation, strictness } => {
                let claims = decode::<Claims>(id, key, validation).map(|token| token.claims);
                let claims = claims.ok().filter(|claims| claims.ver == VERSION);
                self.apply_strictness(
                    id,
                    claims.filter(|claims| strictness.is_met(claims, version)),
                    *strictness,
                )
            }
        }
    }

    fn apply_strictness<'a>(
        &self,
        id: &'a str,
        verified: Option<Claims>,
        strictness: Strictness,
    ) -> Result<Cow<'a, str>, ApiError> {
        match (verified, strictness) {
            (Some(claims), _) => {
                self.counts.verified.inc();
                Ok(Cow::Owned(claims.deployment))
            }
            (None, Strictness::Log) => {
                self.counts.unverified.inc();
                unverified_deployment(id)
            }
            (None, Strictness::Enforce | Strictness::Strict) => {
                self.counts.refused.inc();
                Err(ApiError::unauthorized(
                    "the deployment token is not valid: wrong secret, expired, or not for this version",
                ))
            }
        }
    }
}

impl Strictness {
    fn is_met(self, claims: &Claims, version: &str) -> bool {
        match self {
            Self::Log | Self::Enforce => true,
            Self::Strict => claims.deployment_version.as_deref() == Some(version),
        }
    }
}

/// Whether an id has the shape of a token: three non-empty parts of base64url characters. Plain deployment ids have no
/// dot.
fn is_token(id: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    id.split('.').count() == 3 && id.split('.').all(is_part)
}

/// The `deployment` claim of a token, without verification. An id that has the shape of a token but does not decode as
/// one is a plain id. A token without that claim is refused and not used as an id, because ids are logged and
/// displayed.
fn unverified_deployment(id: &str) -> Result<Cow<'_, str>, ApiError> {
    #[derive(Deserialize)]
    struct Claim {
        deployment: String,
    }
    let claim = is_token(id).then(|| insecure_decode_claims::<Claim>(id).ok()).flatten();
    match claim {
        Some(claim) => Ok(Cow::Owned(claim.deployment)),
        None if is_token(id) && decode_header(id).is_ok() => {
            Err(ApiError::bad_request("the deployment token has no deployment claim"))
        }
        None => Ok(Cow::Borrowed(id)),
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    use super::*;
    use crate::config::load;

    const SECRET: &str = "a secret of the supervisor";
    /// The year 2100, in seconds since 1970.
    const EXPIRES: u64 = 4_102_444_800;

    fn tokens(mode: &str, secret: &str) -> Tokens {
        let env = [("PILOTLIGHT_WARM_START_TOKENS", mode), ("WORKLOAD_TOKEN_SECRET", secret)];
        let env = env.iter().map(|(name, value)| (name.into(), value.into()));
        Tokens::new(&load(None, env).unwrap().config.warm_start, TokenCounts::default())
    }

    fn token(secret: &str, exp: u64, ver: u32) -> String {
        let claims = json!({ "ver": ver, "deployment": "dep", "deployment_version": "1", "exp": exp });
        encode(&Header::default(), &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
    }

    /// The deployment id for a runner of version 1, or "401" when the id or token is refused.
    fn read(tokens: &Tokens, id: &str) -> String {
        tokens.deployment(id, "1").map_or_else(|_| "401".to_owned(), Cow::into_owned)
    }

    #[test]
    fn each_mode_treats_valid_invalid_and_missing_tokens_as_documented() {
        let good = token(SECRET, EXPIRES, 1);
        let invalid = [token("another secret", EXPIRES, 1), token(SECRET, 1, 1), token(SECRET, EXPIRES, 2)];
        // Mode, result for an invalid token, result for a plain id.
        for (mode, for_invalid, for_plain) in [
            ("disabled", "dep", "plain"),
            ("log", "dep", "plain"),
            ("enforce", "401", "plain"),
            ("strict", "401", "401"),
        ] {
            let tokens = tokens(mode, SECRET);
            assert_eq!(read(&tokens, &good), "dep", "{mode}");
            for token in &invalid {
                assert_eq!(read(&tokens, token), for_invalid, "{mode}");
            }
            assert_eq!(read(&tokens, "plain"), for_plain, "{mode}");
        }
        assert_eq!(read(&tokens("enforce", ""), &invalid[0]), "dep", "without a secret nothing is verified");
    }

    #[test]
    fn in_strict_mode_a_token_is_valid_for_one_version_only() {
        let good = token(SECRET, EXPIRES, 1);
        for (mode, is_accepted) in [("strict", false), ("enforce", true)] {
            assert_eq!(tokens(mode, SECRET).deployment(&good, "2").is_ok(), is_accepted, "{mode}");
        }
    }

    #[test]
    fn an_id_that_looks_like_a_token_is_a_plain_id_where_tokens_are_not_enforced() {
        for id in ["a.b.c", "a..c", "a.b", "a.b.c.d"] {
            assert_eq!(read(&tokens("log", SECRET), id), id);
        }
        assert_eq!(read(&tokens("enforce", SECRET), "a.b.c"), "401");
        assert_eq!(read(&tokens("enforce", SECRET), "a..c"), "a..c");
    }
}
