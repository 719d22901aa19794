//! The state shared by all measurements of this bench: contenders, run numbers, counts of all runs, and progress.

use std::collections::BTreeMap;

use anyhow::Result;

use super::contender::Contender;
use crate::binaries::Binaries;
use crate::load::run_counts::RunCounts;
use crate::load::supervisor::RunNumbers;
use crate::progress::Progress;
use crate::server_process::Server;

pub(crate) struct Bench {
    binaries: Binaries,
    progress: Progress,
    pub(crate) numbers: RunNumbers,
    pub(crate) run_counts_by_contender: BTreeMap<Contender, RunCounts>,
}

impl Bench {
    pub(crate) fn new(binaries: Binaries, steps: usize) -> Self {
        let (numbers, run_counts_by_contender) = (RunNumbers::default(), BTreeMap::new());
        Self { binaries, progress: Progress::new(steps), numbers, run_counts_by_contender }
    }

    pub(crate) fn round_order(&self, round: usize) -> Vec<Contender> {
        Contender::round_order(&self.binaries, round)
    }

    pub(crate) fn start(&self, contender: Contender) -> Result<Server> {
        contender.start(&self.binaries)
    }

    /// Shows what is measured next.
    pub(crate) fn announce(&self, step: String) {
        self.progress.next(step);
    }

    /// Adds to the counts of the contender's runs.
    pub(crate) fn count(&mut self, contender: Contender, run_counts: RunCounts) {
        let sum = self.run_counts_by_contender.entry(contender).or_default();
        *sum = sum.plus(run_counts);
    }
}
