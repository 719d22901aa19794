//! Decides which runners' polls are refused because the runners were retired. A retirement stays in force for a while,
//! so that it also reaches runners that are executing when it is made and poll later.

use std::collections::VecDeque;
use std::time::Duration;

use crate::ids::{DeploymentId, RunnerId, Version};
use crate::limits::MAX_RETIREMENTS;
use crate::pool::Poll;
use crate::time::Moment;

/// Selects runners: those that match every given name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerFilter {
    deployment: Option<DeploymentId>,
    version: Option<Version>,
    runner: Option<RunnerId>,
}

impl RunnerFilter {
    /// `None` when no name is given, so that an empty request does not retire all runners.
    #[must_use]
    pub fn new(
        deployment: Option<DeploymentId>,
        version: Option<Version>,
        runner: Option<RunnerId>,
    ) -> Option<Self> {
        let any = deployment.is_some() || version.is_some() || runner.is_some();
        any.then_some(Self { deployment, version, runner })
    }

    /// Whether the poll's runner matches.
    #[must_use]
    pub fn matches<H>(&self, poll: &Poll<H>) -> bool {
        matches(self.deployment.as_ref(), &poll.key.deployment)
            && matches(self.version.as_ref(), &poll.key.version)
            && matches(self.runner.as_ref(), &poll.runner.id)
    }
}

fn matches<T: PartialEq>(wanted: Option<&T>, actual: &T) -> bool {
    wanted.is_none_or(|wanted| wanted == actual)
}

/// The retirements that are in force.
#[derive(Debug, Default)]
pub struct Retirements {
    rules: VecDeque<(RunnerFilter, Moment)>,
}

impl Retirements {
    /// Puts a retirement in force for `within`. Repeating it replaces its end; beyond [`MAX_RETIREMENTS`] the oldest
    /// one ends.
    pub fn add(&mut self, filter: RunnerFilter, now: Moment, within: Duration) {
        self.rules.retain(|(known, until)| *known != filter && now < *until);
        if self.rules.len() == MAX_RETIREMENTS {
            self.rules.pop_front();
        }
        self.rules.push_back((filter, now.after(within)));
    }

    /// Whether this poll must be refused.
    pub fn covers<H>(&mut self, poll: &Poll<H>, now: Moment) -> bool {
        self.rules.retain(|(_, until)| now < *until);
        self.rules.iter().any(|(filter, _)| filter.matches(poll))
    }
}
