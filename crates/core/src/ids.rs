//! Ids and names, validated once at the edge: not empty, not longer than their cap, and without U+0000 where a database
//! stores them. Code that has such a value need not validate it again. Cloning is cheap.

use std::fmt;
use std::sync::Arc;

use crate::limits::{DEPLOYMENT_BYTES, ID_BYTES};

/// Why a text is not a valid id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// It is empty or only white space.
    #[error("is empty")]
    Empty,
    /// It has more bytes than the service stores.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// The cap in bytes.
        limit: usize,
    },
    /// It contains a character that databases cannot store.
    #[error("has the character U+0000, which cannot be stored")]
    Null,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $limit:expr $(, $also:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Validates `text`: it must not be empty, must be within the cap, and must be storable where it is stored.
            ///
            /// # Errors
            /// [`BadId`] names the rule that `text` breaks.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                validated(text, $limit)$(.and_then($also))?.map(|text| Self(text.into()))
            }

            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, out)
            }
        }
    };
}

fn validated(text: &str, limit: usize) -> Result<&str, BadId> {
    if text.trim().is_empty() {
        return Err(BadId::Empty);
    }
    if text.len() > limit {
        return Err(BadId::TooLong { limit });
    }
    Ok(text)
}

fn without_null(text: &str) -> Result<&str, BadId> {
    if text.contains('\0') { Err(BadId::Null) } else { Ok(text) }
}

text_id! {
    /// The friendly id of a deployment.
    DeploymentId, DEPLOYMENT_BYTES
}
text_id! {
    /// A deployment's version, such as `20240101.1`.
    Version, ID_BYTES
}
text_id! {
    /// The id that a runner gives itself.
    RunnerId, ID_BYTES, without_null
}
text_id! {
    /// The friendly id of a run.
    RunId, ID_BYTES
}
text_id! {
    /// The type of a job.
    JobType, ID_BYTES, without_null
}
text_id! {
    /// The node that a runner runs on. It is shown to users, never used for matching.
    WorkerName, ID_BYTES
}

/// An amount of a machine's resource: a finite number of at least 0. Two spellings of the same number are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount(u64);

/// The number is not a valid amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a finite number of at least 0")]
pub struct BadAmount;

impl Amount {
    /// The amount 0.
    pub const ZERO: Self = Self(0);

    /// Accepts a finite number of at least 0; `-0` becomes 0.
    ///
    /// # Errors
    /// [`BadAmount`] for every other number.
    pub fn new(value: f64) -> Result<Self, BadAmount> {
        if !value.is_finite() || value < 0.0 {
            return Err(BadAmount);
        }
        Ok(Self((value + 0.0).to_bits()))
    }

    /// Parses a number as JavaScript's `String(number)` writes it: `0.5`, `1e-7`, `1e+21`.
    ///
    /// # Errors
    /// [`BadAmount`] when the text is not such a number.
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        let value = text.trim().parse::<f64>().map_err(|_| BadAmount)?;
        Self::new(value)
    }

    /// The amount as a number.
    #[must_use]
    pub fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.value(), out)
    }
}

impl fmt::Debug for Amount {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value(), out)
    }
}

/// The identity of a runner, as the runner sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// The runner's id.
    pub id: RunnerId,
    /// The node that the runner runs on.
    pub worker: WorkerName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_not_empty_not_too_long_and_storable() {
        assert_eq!(RunnerId::parse(" "), Err(BadId::Empty));
        assert_eq!(RunnerId::parse(&"x".repeat(257)), Err(BadId::TooLong { limit: 256 }));
        assert_eq!(RunnerId::parse("a\0b"), Err(BadId::Null));
        assert_eq!(JobType::parse("a\0b"), Err(BadId::Null));
        assert!(DeploymentId::parse("a\0b").is_ok());
        assert_eq!(RunnerId::parse("runner").map(|id| id.to_string()), Ok("runner".into()));
    }

    #[test]
    fn amounts_compare_as_numbers() {
        let half = Amount::parse("0.5");
        for text in ["0.50", "5e-1", ".5", " 0.5 "] {
            assert_eq!(Amount::parse(text), half, "{text}");
        }
        assert_eq!(Amount::parse("-0"), Ok(Amount::ZERO));
        assert_eq!(Amount::parse("1e+21"), Amount::new(1e21));
    }

    #[test]
    fn invalid_amounts_are_refused() {
        for text in ["", "NaN", "inf", "Infinity", "-1", "1e999", "0x10", "1,5", "undefined"] {
            assert_eq!(Amount::parse(text), Err(BadAmount), "{text}");
        }
    }
}
