//! A violation: `core` and the model differ, or an invariant does not hold.

use std::fmt;

/// A rule that was violated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation(pub String);

impl Violation {
    /// # Errors
    /// When `holds` is false.
    pub fn check(holds: bool, message: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self(message())) }
    }

    /// # Errors
    /// When `core` and the model return different values.
    pub fn check_same<T: PartialEq + fmt::Debug>(what: &str, core: &T, model: &T) -> Result<(), Self> {
        Self::check(core == model, || format!("{what}: core has {core:?}, the model has {model:?}"))
    }
}
