//! The names things go by, checked once at the edge: not empty, not longer than their cap, and those that stores keep
//! without what databases do not. Whoever holds one need not check again. Cloning is cheap.

use std::fmt;
use std::sync::Arc;

use crate::limits::{DEPLOYMENT_BYTES, ID_BYTES};

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadId {
    /// Nothing, or only white space.
    #[error("is empty")]
    Empty,
    /// More bytes than we keep.
    #[error("is longer than {limit} bytes")]
    TooLong {
        /// The cap in bytes.
        limit: usize,
    },
    /// It has a character that databases do not keep.
    #[error("has the character U+0000, which cannot be kept")]
    Null,
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $limit:expr $(, $also:ident)?) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes `text` when it is not empty, within its cap, and can be kept where it is to be.
            ///
            /// # Errors
            /// [`BadId`] says which of these it is not.
            pub fn parse(text: &str) -> Result<Self, BadId> {
                validated(text, $limit)$(.and_then($also))?.map(|text| Self(text.into()))
            }

            /// The id as it was given.
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
    /// A deployment, by its friendly id.
    DeploymentId, DEPLOYMENT_BYTES
}
text_id! {
    /// A deployment's version, such as `20240101.1`.
    Version, ID_BYTES
}
text_id! {
    /// A runner, by the identity it gives itself.
    RunnerId, ID_BYTES, without_null
}
text_id! {
    /// A run, by the id people know it by.
    RunId, ID_BYTES
}
text_id! {
    /// What kind of work a job is.
    JobType, ID_BYTES, without_null
}
text_id! {
    /// The node a runner lives on; for people, never for matching.
    WorkerName, ID_BYTES
}

/// An amount of a machine's resource: a finite number of at least 0. Two spellings of one number are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Amount(u64);

/// A number that is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is not a finite number of at least 0")]
pub struct BadAmount;

impl Amount {
    /// None of it.
    pub const ZERO: Self = Self(0);

    /// Takes a finite number of at least 0; `-0` is 0.
    ///
    /// # Errors
    /// [`BadAmount`] for all others.
    pub fn new(value: f64) -> Result<Self, BadAmount> {
        if !value.is_finite() || value < 0.0 {
            return Err(BadAmount);
        }
        Ok(Self((value + 0.0).to_bits()))
    }

    /// Reads a number as JavaScript's `String(number)` writes it: `0.5`, `1e-7`, `1e+21`.
    ///
    /// # Errors
    /// [`BadAmount`] when it is no such number.
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        let value = text.trim().parse::<f64>().map_err(|_| BadAmount)?;
        Self::new(value)
    }

    /// The number itself.
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

/// A runner as it presents itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runner {
    /// Who it is.
    pub id: RunnerId,
    /// Where it lives.
    pub worker: WorkerName,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_not_empty_and_not_too_long_and_can_be_kept() {
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
    fn what_is_no_amount_is_refused() {
        for text in ["", "NaN", "inf", "Infinity", "-1", "1e999", "0x10", "1,5", "undefined"] {
            assert_eq!(Amount::parse(text), Err(BadAmount), "{text}");
        }
    }
}
