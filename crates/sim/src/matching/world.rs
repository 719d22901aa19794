//! Plays a history to `core` and to the model at once. After every event both must say the same of everything, and
//! the ledger must have nothing against it.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::time::Duration;

use pilotlight_core::delivery::Next;
use pilotlight_core::history::RecordId;
use pilotlight_core::matching::{Matching, ParkResult};
use pilotlight_core::pool::{self, Poll, PollId, PollTiming};
use pilotlight_core::retire::RunnerFilter;
use pilotlight_core::time::Moment;

use super::cast;
use super::course::{Course, Wish};
use super::event::{Event, Names, Seen, Settings, Timed};
use super::ledger::{Ledger, Tally};
use super::model::{Model, Parked};

mod compare;

/// What does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken(pub String);

impl Broken {
    /// # Errors
    /// When it does not hold.
    pub fn unless(holds: bool, what: impl FnOnce() -> String) -> Result<(), Self> {
        if holds { Ok(()) } else { Err(Self(what())) }
    }

    /// # Errors
    /// When `core` says another thing than the model.
    pub fn unless_same<T: PartialEq + fmt::Debug>(what: &str, core: &T, model: &T) -> Result<(), Self> {
        Self::unless(core == model, || format!("{what}: core says {core:?}, the model says {model:?}"))
    }
}

/// Everything at one moment of a history.
#[derive(Debug)]
pub struct World {
    settings: Settings,
    now: Moment,
    played: u64,
    real: Matching<u32>,
    model: Model,
    ledger: Ledger,
    ids: HashMap<u32, PollId>,
    dead: HashSet<u32>,
    courses: BTreeMap<u32, Course>,
    warm: Vec<(u32, RecordId)>,
}

impl World {
    /// The beginning.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let timing = PollTiming::for_clients(settings.timeout());
        Self {
            settings,
            now: Moment::default(),
            played: 0,
            real: Matching::new(settings.order, timing, settings.max_polls),
            model: Model::new(settings),
            ledger: Ledger::default(),
            ids: HashMap::new(),
            dead: HashSet::new(),
            courses: BTreeMap::new(),
            warm: Vec::new(),
        }
    }

    /// What the model knows.
    #[must_use]
    pub const fn model(&self) -> &Model {
        &self.model
    }

    /// The offers under way, by number.
    #[must_use]
    pub const fn courses(&self) -> &BTreeMap<u32, Course> {
        &self.courses
    }

    /// The offers that were told warm and are in the books, the oldest first.
    pub fn warm(&self) -> impl DoubleEndedIterator<Item = u32> + ExactSizeIterator {
        self.warm.iter().map(|(run, _)| *run)
    }

    /// How much came about so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.ledger.tally()
    }

    /// Lets it happen.
    ///
    /// # Errors
    /// What does not hold after it.
    pub fn play(&mut self, (at, event): Timed) -> Result<(), Broken> {
        let at = Moment::from_micros(at);
        self.now = self.now.max(at);
        self.played += 1;
        match event {
            Event::Park { poll, runner, pool, spelling } => self.park(poll, runner, (pool, spelling)),
            Event::Leave { poll } => self.leave(poll),
            Event::Die { poll } => {
                self.dead.insert(poll);
                Ok(())
            }
            Event::Offer { run, pool, spelling, ack_mode, bytes } => {
                self.offer(Wish { run, pool, spelling, ack_mode, bytes })
            }
            Event::SelectPoll { run } => self.select(run, at),
            Event::See { run, seen } => self.see(run, at, seen),
            Event::FinishOffer { run } => self.finish_offer(run, at),
            Event::Unread { run } => self.mark_unread(run),
            Event::Retire { who, within_ms } => self.retire(who, Duration::from_millis(within_ms)),
            Event::Expire => self.expire(),
            Event::Clear => {
                self.real.clear_history();
                self.model.clear_history();
                Ok(())
            }
            Event::Drain => self.drain(),
        }?;
        self.compare()
    }

    fn park(&mut self, poll: u32, runner: u16, (pool, spelling): (u8, u8)) -> Result<(), Broken> {
        let key = cast::key(pool, spelling);
        let parking =
            self.real.park(Poll { key, runner: cast::runner(runner), parked_at: self.now, handle: poll });
        let expected = self.model.park(poll, runner, pool, self.now);
        let (id, core_says) = match parking {
            ParkResult::Parked { id, replaced } => {
                (Some(id), Parked::Waits { instead_of: replaced.map(|older| older.handle) })
            }
            ParkResult::Retired => (None, Parked::Retired),
            ParkResult::Closed => (None, Parked::Closed),
        };
        Broken::unless_same("parking", &core_says, &expected)?;
        if let Parked::Waits { instead_of: Some(older) } = core_says {
            self.ledger.left(older)?;
        }
        if let Some(id) = id {
            self.ids.insert(poll, id);
            self.ledger.parked(poll)?;
        }
        Ok(())
    }

    fn leave(&mut self, poll: u32) -> Result<(), Broken> {
        let Some(id) = self.ids.get(&poll) else { return Ok(()) };
        self.real.leave(*id);
        self.model.leave(poll);
        if self.ledger.waits(poll) { self.ledger.left(poll) } else { Ok(()) }
    }

    fn offer(&mut self, wish: Wish) -> Result<(), Broken> {
        self.ledger.offered(&wish);
        self.courses.insert(wish.run, Course::new(wish, self.settings, self.now)?);
        Ok(())
    }

    /// Chooses polls until one of them looks alive. Others may choose, park and leave before the next step.
    fn select(&mut self, run: u32, at: Moment) -> Result<(), Broken> {
        let Some(mut course) = self.courses.remove(&run) else { return Ok(()) };
        if course.next() == Next::SelectPoll {
            course.set_clock(at);
            self.choose_for(&mut course, at)?;
        }
        self.courses.insert(run, course);
        Ok(())
    }

    fn choose_for(&mut self, course: &mut Course, at: Moment) -> Result<(), Broken> {
        let Wish { run, pool, spelling, .. } = course.wish;
        loop {
            let got = self.real.select(&cast::key(pool, spelling), at);
            let expected = self.model.select(pool, at);
            let expected_poll = expected.map(|chosen| chosen.waited.poll);
            Broken::unless_same("the next poll", &got.as_ref().map(|got| got.poll.handle), &expected_poll)?;
            let (Some(pool::SelectedPoll { id, poll }), Some(chosen)) = (got, expected) else {
                course.nobody_waits()?;
                return self.note_answer(course);
            };
            self.check_chosen(course.wish, &poll, at)?;
            if !self.dead.contains(&poll.handle) {
                self.ledger.dispatched(run, poll.handle)?;
                course.hand_over((chosen, id), at, u64::from(poll.handle % 3))?;
                return self.note_answer(course);
            }
        }
    }

    fn check_chosen(&mut self, wish: Wish, poll: &Poll<u32>, at: Moment) -> Result<(), Broken> {
        self.ledger.chosen(poll.handle, wish.run)?;
        let fits = cast::pool_of(wish.pool).is(&poll.key);
        Broken::unless(fits, || format!("offer {} got the unfit poll {poll:?}", wish.run))?;
        let age = at.since(poll.parked_at);
        Broken::unless(age < self.model.selectable_for(), || format!("chosen in its guard: {poll:?} {age:?}"))
    }

    fn see(&mut self, run: u32, at: Moment, seen: Seen) -> Result<(), Broken> {
        let Some(mut course) = self.courses.remove(&run) else { return Ok(()) };
        course.set_clock(at);
        if let Some(event) = course.event(seen) {
            self.ledger.told(run, event);
            course.handle(event)?;
            self.note_answer(&course)?;
        }
        self.courses.insert(run, course);
        Ok(())
    }

    fn note_answer(&mut self, course: &Course) -> Result<(), Broken> {
        match course.answer() {
            Some(answer) => self.ledger.answered(course.wish.run, answer),
            None => Ok(()),
        }
    }

    fn finish_offer(&mut self, run: u32, at: Moment) -> Result<(), Broken> {
        let Some(answer) = self.courses.get(&run).and_then(Course::answer) else { return Ok(()) };
        let Some(course) = self.courses.remove(&run) else { return Ok(()) };
        let (offered, chosen) = course.settled(answer, at);
        let entry = self.real.finish_offer(offered.clone());
        self.model.finish_offer(run, offered, chosen);
        if chosen.is_some() {
            self.warm.push((run, entry));
        }
        Ok(())
    }

    fn mark_unread(&mut self, run: u32) -> Result<(), Broken> {
        let Some(place) = self.warm.iter().position(|(known, _)| *known == run) else { return Ok(()) };
        let (run, entry) = self.warm.remove(place);
        let expected = self.model.mark_unread(run);
        Broken::unless_same("an unread run", &self.real.mark_unread(&entry).cloned(), &expected)
    }

    fn retire(&mut self, who: Names, within: Duration) -> Result<(), Broken> {
        let Some(named) = named(who) else { return Ok(()) };
        let left = self.real.retire(named, self.now, within);
        let expected = self.model.retire(who, self.now, within);
        self.all_left("the retired", left, expected)
    }

    fn expire(&mut self) -> Result<(), Broken> {
        let left = self.real.expire(self.now);
        let expected = self.model.expire(self.now);
        self.all_left("the polls let go", left, expected)
    }

    fn drain(&mut self) -> Result<(), Broken> {
        let left = self.real.drain();
        let expected = self.model.drain();
        self.all_left("the drained", left, expected)
    }

    fn all_left(&mut self, what: &str, left: Vec<Poll<u32>>, mut expected: Vec<u32>) -> Result<(), Broken> {
        let mut left: Vec<_> = left.into_iter().map(|poll| poll.handle).collect();
        left.sort_unstable();
        expected.sort_unstable();
        Broken::unless_same(what, &left, &expected)?;
        left.into_iter().try_for_each(|poll| self.ledger.left(poll))
    }
}

fn named(who: Names) -> Option<RunnerFilter> {
    RunnerFilter::new(
        who.deployment_of.map(|number| cast::deployment(cast::pool_of(number))),
        who.version_of.map(|number| cast::version(cast::pool_of(number))),
        who.runner.map(cast::runner_id),
    )
}
