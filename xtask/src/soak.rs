//! `cargo xtask soak`: the tests with bigger counts, which they read from `PILOTLIGHT_SOAK`, and hours to finish.
//!
//! Every test is in the normal run too; a long one does less work there.

use crate::test::{self, Report, TestPlan};

/// Runs the plan, which names the scale.
pub(crate) fn run(plan: &TestPlan) -> anyhow::Result<Report> {
    test::run(plan)
}
