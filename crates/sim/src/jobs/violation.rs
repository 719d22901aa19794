//! A violation: the store and the model differ, or an invariant does not hold.

use std::fmt;

/// A rule that was violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobViolation(pub String);

impl JobViolation {
    /// # Errors
    /// When `holds` is false.
    pub fn check(holds: bool, message: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self(message())) }
    }

    /// # Errors
    /// When the store and the model return different values.
    pub fn check_same<T: PartialEq + fmt::Debug>(what: &str, store: &T, model: &T) -> Result<(), Self> {
        Self::check(store == model, || format!("{what}: the store has {store:?}, the model has {model:?}"))
    }
}

impl From<pilotlight_store::Error> for JobViolation {
    fn from(error: pilotlight_store::Error) -> Self {
        Self(format!("the store failed: {error:?}"))
    }
}
