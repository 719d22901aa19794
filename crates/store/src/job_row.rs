//! A job row as both stores read it: the job, and the columns that only a store uses.

use pilotlight_core::job::{Job, SubmissionOrder};

use crate::columns::StoredStatus;

/// Number of columns of a [`JobRow`] in a `SELECT`; the index of the first column after them.
pub(crate) const JOB_ROW_COLUMNS: usize = 30;

/// A job, and the columns of its row that only the store uses.
#[derive(Debug)]
pub(crate) struct JobRow {
    pub(crate) job: Job,
    /// Its position in the order of submission.
    pub(crate) seq: i64,
    pub(crate) status: StoredStatus,
    /// When it ended, in milliseconds since 1970.
    pub(crate) ended_at: Option<i64>,
    pub(crate) bytes: JobBytes,
}

impl JobRow {
    /// Whether this job was submitted before or after the other one.
    pub(crate) const fn order_to(&self, other: &Self) -> SubmissionOrder {
        if self.seq < other.seq { SubmissionOrder::Earlier } else { SubmissionOrder::Later }
    }
}

/// Sizes of a job's texts, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct JobBytes {
    /// Parameters.
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

/// A text's length in bytes, as a database stores it.
pub(crate) fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}
