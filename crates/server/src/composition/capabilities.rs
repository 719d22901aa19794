//! The list of all capabilities.

use crate::capability::Builder;
use crate::{dashboard, jobs, warm_start};

/// All capabilities, in the order in which they are built and documented. The dashboard is the last one, because it
/// shows the others.
pub const CAPABILITIES: &[Builder] = &[warm_start::BUILDER, jobs::BUILDER, dashboard::BUILDER];
