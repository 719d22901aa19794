//! Deployment tokens: a runner may show a signed token in place of its deployment's id. What it claims is matched on;
//! how far it must be true is set by `warm_start.tokens`. A token itself is kept nowhere and told to nobody.

use std::borrow::Cow;

use jsonwebtoken::dangerous::insecure_decode_claims;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use pilotlight_core::ids::DeploymentId;
use pilotlight_core::pool::PoolKey;
use serde::Deserialize;

use super::error::ApiError;
use crate::config::{self, WarmStartConfig};
use crate::telemetry::metrics::TokenCounts;

/// How tokens are read.
pub struct Tokens {
    mode: Mode,
    counts: TokenCounts,
}

enum Mode {
    /// What they claim is read without trusting it.
    Read,
    /// They are verified.
    Verify { key: Box<DecodingKey>, validation: Box<Validation>, strictness: Strictness },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// One that does not verify is counted, and passes.
    Log,
    /// One that does not verify is refused; a plain id passes.
    Enforce,
    /// There must be one, and for the version that the runner names.
    Strict,
}

/// What a token claims, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Claims {
    ver: u32,
    deployment: String,
    deployment_version: Option<String>,
}

const VERSION: u32 = 1;

impl std::fmt::Debug for Tokens {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Tokens")
    }
}

impl Tokens {
    /// As the section says. Without a secret nothing can be verified.
    #[must_use]
    pub fn new(config: &WarmStartConfig, counts: TokenCounts) -> Self {
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

    /// The key of a poll, with the deployment that its id, or the token in its place, stands for.
    ///
    /// # Errors
    /// 401, when it is to be refused.
    pub fn resolve_key(&self, mut key: PoolKey) -> Result<PoolKey, ApiError> {
        let read = match self.deployment(key.deployment.as_str(), key.version.as_str())? {
            Cow::Borrowed(_) => return Ok(key),
            Cow::Owned(deployment) => DeploymentId::parse(&deployment),
        };
        key.deployment =
            read.map_err(|why| ApiError::bad_request(format!("the deployment that the token claims {why}")))?;
        Ok(key)
    }

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
                    "the deployment token does not verify: wrong secret, expired, or not for this version",
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

/// Three parts of base64url, none of them empty. No deployment's own id has a dot.
fn is_token(id: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    id.split('.').count() == 3 && id.split('.').all(is_part)
}

/// What a token claims, true or not. What only looks like one is an id; a token that claims nothing must not become
/// one, because ids are shown.
fn unverified_deployment(id: &str) -> Result<Cow<'_, str>, ApiError> {
    #[derive(Deserialize)]
    struct Claim {
        deployment: String,
    }
    let claim = is_token(id).then(|| insecure_decode_claims::<Claim>(id).ok()).flatten();
    match claim {
        Some(claim) => Ok(Cow::Owned(claim.deployment)),
        None if is_token(id) && decode_header(id).is_ok() => {
            Err(ApiError::bad_request("the deployment token claims no deployment"))
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

    fn read(tokens: &Tokens, id: &str) -> String {
        tokens.deployment(id, "1").map_or_else(|_| "401".to_owned(), Cow::into_owned)
    }

    #[test]
    fn each_mode_reads_good_bad_and_no_tokens_as_the_contract_says() {
        let good = token(SECRET, EXPIRES, 1);
        let others = [token("another secret", EXPIRES, 1), token(SECRET, 1, 1), token(SECRET, EXPIRES, 2)];
        for (mode, bad, plain) in [
            ("disabled", "dep", "plain"),
            ("log", "dep", "plain"),
            ("enforce", "401", "plain"),
            ("strict", "401", "401"),
        ] {
            let tokens = tokens(mode, SECRET);
            assert_eq!(read(&tokens, &good), "dep", "{mode}");
            for other in &others {
                assert_eq!(read(&tokens, other), bad, "{mode}");
            }
            assert_eq!(read(&tokens, "plain"), plain, "{mode}");
        }
        assert_eq!(read(&tokens("enforce", ""), &others[0]), "dep", "without a secret nothing is verified");
    }

    #[test]
    fn a_strict_token_is_for_one_version() {
        let good = token(SECRET, EXPIRES, 1);
        for (mode, passes) in [("strict", false), ("enforce", true)] {
            assert_eq!(tokens(mode, SECRET).deployment(&good, "2").is_ok(), passes, "{mode}");
        }
    }

    #[test]
    fn an_id_that_looks_like_a_token_is_an_id_where_nothing_is_enforced() {
        for id in ["a.b.c", "a..c", "a.b", "a.b.c.d"] {
            assert_eq!(read(&tokens("log", SECRET), id), id);
        }
        assert_eq!(read(&tokens("enforce", SECRET), "a.b.c"), "401");
        assert_eq!(read(&tokens("enforce", SECRET), "a..c"), "a..c");
    }
}
