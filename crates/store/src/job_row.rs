//! A job as both stores read it: with what only a store knows of it.

use pilotlight_core::job::{Job, SubmissionOrder};

use crate::columns::StoredStatus;

/// Where the columns begin that follow those of a [`JobRow`].
pub(crate) const JOB_ROW_COLUMNS: usize = 30;

/// A job, and what only the store knows of it.
#[derive(Debug)]
pub(crate) struct JobRow {
    pub(crate) job: Job,
    /// Its place in the order of submission.
    pub(crate) seq: i64,
    pub(crate) status: StoredStatus,
    pub(crate) ended_at: Option<i64>,
    pub(crate) bytes: JobBytes,
}

impl JobRow {
    /// When it was submitted, beside this one.
    pub(crate) const fn order_to(&self, beside: &Self) -> SubmissionOrder {
        if self.seq < beside.seq { SubmissionOrder::Earlier } else { SubmissionOrder::Later }
    }
}

/// What a job's large things come to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct JobBytes {
    pub(crate) input: i64,
    /// Result and error message.
    pub(crate) output: i64,
    pub(crate) console: i64,
}

impl JobBytes {
    pub(crate) const fn sum(self) -> i64 {
        self.input + self.output + self.console
    }
}

/// A text's length as it is stored.
pub(crate) fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}
