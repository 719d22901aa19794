//! `cargo xtask soak`: the tests again, with the bigger counts they read from `PILOTLIGHT_SOAK`, and hours to finish.
//!
//! No test is left out of the usual run for being long: a long one does less there.

use crate::test::{self, Plan, Report};

/// Runs the plan, which names the size.
pub(crate) fn run(plan: &Plan) -> anyhow::Result<Report> {
    test::run(plan)
}
