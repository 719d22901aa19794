//! Applies a history to `core` and to the model in parallel. After every event both states must be equal, and no
//! invariant may be violated.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use pilotlight_core::delivery::Next;
use pilotlight_core::history::RecordId;
use pilotlight_core::matching::{Matching, ParkResult};
use pilotlight_core::pool::{self, Poll, PollId, PollTiming};
use pilotlight_core::retire::RunnerFilter;
use pilotlight_core::time::Moment;

use super::checked_offer::{CheckedOffer, OfferSpec};
use super::event::{Event, Observation, RetireTarget, Settings, TimedEvent};
use super::fixtures;
use super::invariants::{Coverage, Invariants};
use super::model::{Model, ParkOutcome};
use super::violation::Violation;

mod compare;

/// The complete state at one moment of a history.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    now: Moment,
    steps: u64,
    core: Matching<u32>,
    model: Model,
    invariants: Invariants,
    ids: HashMap<u32, PollId>,
    dead_polls: HashSet<u32>,
    offers: BTreeMap<u32, CheckedOffer>,
    warm_offers: Vec<(u32, RecordId)>,
}

impl World {
    /// The state at the beginning of a history.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let timing = PollTiming::for_clients(settings.timeout());
        Self {
            settings,
            now: Moment::default(),
            steps: 0,
            core: Matching::new(settings.order, timing, settings.max_polls),
            model: Model::new(settings),
            invariants: Invariants::default(),
            ids: HashMap::new(),
            dead_polls: HashSet::new(),
            offers: BTreeMap::new(),
            warm_offers: Vec::new(),
        }
    }

    /// The model.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The open offers, by number.
    #[must_use]
    pub const fn offers(&self) -> &BTreeMap<u32, CheckedOffer> {
        &self.offers
    }

    /// The offers that were answered warm and are in the history, the oldest first.
    pub fn warm_offers(&self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
        self.warm_offers.iter().map(|(run, _)| *run)
    }

    /// The coverage so far.
    #[must_use]
    pub fn coverage(&self) -> Coverage {
        self.invariants.coverage()
    }

    /// Applies an event.
    ///
    /// # Errors
    /// The violation that it causes.
    pub fn apply(&mut self, (at, event): TimedEvent) -> Result<(), Violation> {
        let at = Moment::from_micros(at);
        self.now = self.now.max(at);
        self.steps += 1;
        match event {
            Event::Park { poll, runner, pool, number_format } => {
                self.park(poll, runner, (pool, number_format))
            }
            Event::Leave { poll } => self.leave(poll),
            Event::Die { poll } => {
                self.dead_polls.insert(poll);
                Ok(())
            }
            Event::Offer { run, pool, number_format, ack_mode, bytes } => {
                self.offer(OfferSpec { run, pool, number_format, ack_mode, bytes })
            }
            Event::SelectPoll { run } => self.select(run, at),
            Event::Observe { run, observation } => self.observe(run, at, observation),
            Event::FinishOffer { run } => self.finish_offer(run, at),
            Event::Unread { run } => self.mark_unread(run),
            Event::Retire { target, within_ms } => self.retire(target, Duration::from_millis(within_ms)),
            Event::Expire => self.expire(),
            Event::Clear => {
                self.core.clear_history();
                self.model.clear_history();
                Ok(())
            }
            Event::Drain => self.drain(),
        }?;
        self.compare()
    }

    fn park(&mut self, poll: u32, runner: u16, (pool, number_format): (u8, u8)) -> Result<(), Violation> {
        let key = fixtures::key(pool, number_format);
        let result =
            self.core.park(Poll { key, runner: fixtures::runner(runner), parked_at: self.now, handle: poll });
        let expected = self.model.park(poll, runner, pool, self.now);
        let (id, core_result) = match result {
            ParkResult::Parked { id, replaced } => {
                (Some(id), ParkOutcome::Parked { replaced: replaced.map(|older| older.handle) })
            }
            ParkResult::Retired => (None, ParkOutcome::Retired),
            ParkResult::Closed => (None, ParkOutcome::Closed),
        };
        Violation::check_same("parking", &core_result, &expected)?;
        if let ParkOutcome::Parked { replaced: Some(older) } = core_result {
            self.invariants.poll_left(older)?;
        }
        if let Some(id) = id {
            self.ids.insert(poll, id);
            self.invariants.poll_parked(poll)?;
        }
        Ok(())
    }

    fn leave(&mut self, poll: u32) -> Result<(), Violation> {
        let Some(id) = self.ids.get(&poll) else { return Ok(()) };
        self.core.leave(*id);
        self.model.leave(poll);
        if self.invariants.is_parked(poll) { self.invariants.poll_left(poll) } else { Ok(()) }
    }

    fn offer(&mut self, spec: OfferSpec) -> Result<(), Violation> {
        self.invariants.offer_started(&spec);
        self.offers.insert(spec.run, CheckedOffer::new(spec, self.settings, self.now)?);
        Ok(())
    }

    /// Selects polls until the connection of one seems to be open. Before the next step, other offers may select polls,
    /// and polls may park and leave.
    fn select(&mut self, run: u32, at: Moment) -> Result<(), Violation> {
        let Some(mut offer) = self.offers.remove(&run) else { return Ok(()) };
        if offer.next() == Next::SelectPoll {
            offer.set_clock(at);
            self.select_for(&mut offer, at)?;
        }
        self.offers.insert(run, offer);
        Ok(())
    }

    fn select_for(&mut self, offer: &mut CheckedOffer, at: Moment) -> Result<(), Violation> {
        let OfferSpec { run, pool, number_format, .. } = offer.spec;
        loop {
            let actual = self.core.select(&fixtures::key(pool, number_format), at);
            let expected = self.model.select(pool, at);
            let expected_poll = expected.map(|selected| selected.poll.poll);
            Violation::check_same(
                "the next poll",
                &actual.as_ref().map(|selected| selected.poll.handle),
                &expected_poll,
            )?;
            let (Some(pool::SelectedPoll { id, poll }), Some(selected)) = (actual, expected) else {
                offer.no_poll()?;
                return self.record_outcome(offer);
            };
            self.check_selected(offer.spec, &poll, at)?;
            if !self.dead_polls.contains(&poll.handle) {
                self.invariants.offer_dispatched(run, poll.handle)?;
                offer.dispatch((selected, id), at, u64::from(poll.handle % 3))?;
                return self.record_outcome(offer);
            }
        }
    }

    fn check_selected(&mut self, spec: OfferSpec, poll: &Poll<u32>, at: Moment) -> Result<(), Violation> {
        self.invariants.poll_selected(poll.handle, spec.run)?;
        let fits = fixtures::pool_number(spec.pool).is(&poll.key);
        Violation::check(fits, || format!("offer {} got poll {poll:?} of another pool", spec.run))?;
        let age = at.since(poll.parked_at);
        Violation::check(age < self.model.selectable_for(), || {
            format!("an unselectable poll was selected: {poll:?} {age:?}")
        })
    }

    fn observe(&mut self, run: u32, at: Moment, observation: Observation) -> Result<(), Violation> {
        let Some(mut offer) = self.offers.remove(&run) else { return Ok(()) };
        offer.set_clock(at);
        if let Some(event) = offer.event(observation) {
            self.invariants.event_delivered(run, event);
            offer.handle(event)?;
            self.record_outcome(&offer)?;
        }
        self.offers.insert(run, offer);
        Ok(())
    }

    fn record_outcome(&mut self, offer: &CheckedOffer) -> Result<(), Violation> {
        match offer.outcome() {
            Some(outcome) => self.invariants.offer_finished(offer.spec.run, outcome),
            None => Ok(()),
        }
    }

    fn finish_offer(&mut self, run: u32, at: Moment) -> Result<(), Violation> {
        let Some(outcome) = self.offers.get(&run).and_then(CheckedOffer::outcome) else { return Ok(()) };
        let Some(offer) = self.offers.remove(&run) else { return Ok(()) };
        let (record, selected) = offer.finish(outcome, at);
        let record_id = self.core.finish_offer(record.clone());
        self.model.finish_offer(run, record, selected);
        if selected.is_some() {
            self.warm_offers.push((run, record_id));
        }
        Ok(())
    }

    fn mark_unread(&mut self, run: u32) -> Result<(), Violation> {
        let Some(index) = self.warm_offers.iter().position(|(other, _)| *other == run) else { return Ok(()) };
        let (run, record_id) = self.warm_offers.remove(index);
        let expected = self.model.mark_unread(run);
        Violation::check_same("an unread run", &self.core.mark_unread(&record_id).cloned(), &expected)
    }

    fn retire(&mut self, target: RetireTarget, within: Duration) -> Result<(), Violation> {
        let Some(runner_filter) = runner_filter(target) else { return Ok(()) };
        let removed = self.core.retire(runner_filter, self.now, within);
        let expected = self.model.retire(target, self.now, within);
        self.check_removed("the retired polls", removed, expected)
    }

    fn expire(&mut self) -> Result<(), Violation> {
        let removed = self.core.expire(self.now);
        let expected = self.model.expire(self.now);
        self.check_removed("the expired polls", removed, expected)
    }

    fn drain(&mut self) -> Result<(), Violation> {
        let removed = self.core.drain();
        let expected = self.model.drain();
        self.check_removed("the drained polls", removed, expected)
    }

    fn check_removed(
        &mut self,
        what: &str,
        removed: Vec<Poll<u32>>,
        mut expected: Vec<u32>,
    ) -> Result<(), Violation> {
        let mut removed: Vec<_> = removed.into_iter().map(|poll| poll.handle).collect();
        removed.sort_unstable();
        expected.sort_unstable();
        Violation::check_same(what, &removed, &expected)?;
        removed.into_iter().try_for_each(|poll| self.invariants.poll_left(poll))
    }
}

fn runner_filter(target: RetireTarget) -> Option<RunnerFilter> {
    RunnerFilter::new(
        target.deployment_of.map(|number| fixtures::deployment(fixtures::pool_number(number))),
        target.version_of.map(|number| fixtures::version(fixtures::pool_number(number))),
        target.runner.map(fixtures::runner_id),
    )
}
