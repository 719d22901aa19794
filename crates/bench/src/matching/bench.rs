//! What every measurement of this bench needs: who takes part, run numbers, the count of all runs, and progress.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Result;

use super::contender::Contender;
use crate::child::Server;
use crate::load::supervisor::RunNumbers;
use crate::load::tally::Tally;
use crate::progress::Progress;

pub(crate) struct Bench {
    server: Option<PathBuf>,
    progress: Progress,
    pub(crate) numbers: RunNumbers,
    pub(crate) tallies: BTreeMap<Contender, Tally>,
}

impl Bench {
    pub(crate) fn new(server: Option<PathBuf>, steps: usize) -> Self {
        let (numbers, tallies) = (RunNumbers::default(), BTreeMap::new());
        Self { server, progress: Progress::new(steps), numbers, tallies }
    }

    pub(crate) fn in_turn(&self, round: usize) -> Vec<Contender> {
        Contender::in_turn(self.server.as_deref(), round)
    }

    pub(crate) fn start(&self, contender: Contender) -> Result<Server> {
        contender.start(self.server.as_deref())
    }

    /// Tells people what is measured next.
    pub(crate) fn announce(&self, step: String) {
        self.progress.next(step);
    }

    /// Adds to what became of the contender's runs.
    pub(crate) fn count(&mut self, contender: Contender, tally: Tally) {
        let sum = self.tallies.entry(contender).or_default();
        *sum = sum.plus(tally);
    }
}
