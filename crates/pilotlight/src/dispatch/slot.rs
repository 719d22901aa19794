//! Where a parked poll's verdict arrives. Unlike a channel it can be filled without waking the poll's task: a poll
//! that was answered on its connection has nothing to do until its next request wakes it anyway.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use super::park::Verdict;

/// The dispatcher's end. Dropped without a word, it means: close the connection without a byte.
#[derive(Debug)]
pub(super) struct Tell(Arc<Slot>);

/// The poll's end.
#[derive(Debug)]
pub(super) struct Told(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    word: Option<Word>,
    waker: Option<Waker>,
    is_urgent: bool,
    nobody_asks: bool,
}

#[derive(Debug)]
enum Word {
    Verdict(Verdict),
    Nothing,
}

/// The two ends of a new slot.
pub(super) fn slot() -> (Tell, Told) {
    let slot = Arc::new(Slot::default());
    (Tell(Arc::clone(&slot)), Told(slot))
}

impl Tell {
    /// Says the verdict, or gives it back when the poll left.
    pub(super) fn say(self, verdict: Verdict) -> Result<(), Verdict> {
        let mut state = self.0.lock();
        if state.nobody_asks {
            return Err(verdict);
        }
        state.word = Some(Word::Verdict(verdict));
        wake(state);
        Ok(())
    }

    /// Says that the poll was answered on its connection. Wakes its task only when that has asked to be woken.
    pub(super) fn say_answered(self) {
        let mut state = self.0.lock();
        state.word = Some(Word::Verdict(Verdict::Answered));
        if state.is_urgent {
            wake(state);
        }
    }
}

impl Drop for Tell {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.word.is_none() && !state.nobody_asks {
            state.word = Some(Word::Nothing);
            wake(state);
        }
    }
}

impl Told {
    /// The verdict, once; `None` means to close the connection without a byte.
    pub(super) fn poll(&self, cx: &Context<'_>) -> Poll<Option<Verdict>> {
        let mut state = self.0.lock();
        match state.word.replace(Word::Nothing) {
            Some(Word::Verdict(verdict)) => Poll::Ready(Some(verdict)),
            Some(Word::Nothing) => Poll::Ready(None),
            None => {
                state.word = None;
                match &mut state.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => state.waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// From now on every word wakes the poll's task.
    pub(super) fn is_urgent(&self) {
        self.0.lock().is_urgent = true;
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.nobody_asks = true;
        // What nobody took is given back, outside the lock.
        let untaken = state.word.take();
        drop(state);
        drop(untaken);
    }
}

impl Slot {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Wakes(AtomicUsize);

    impl Wake for Wakes {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn asked(told: &Told) -> (Arc<Wakes>, bool) {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let pending = told.poll(&Context::from_waker(&waker)).is_pending();
        (wakes, pending)
    }

    fn answered(told: &Told) -> Poll<Option<Verdict>> {
        told.poll(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn an_answered_poll_is_not_woken_unless_it_is_urgent() {
        for urgent in [false, true] {
            let (tell, told) = slot();
            let (wakes, pending) = asked(&told);
            assert!(pending);
            if urgent {
                told.is_urgent();
            }
            tell.say_answered();
            assert_eq!(wakes.0.load(Ordering::Relaxed), usize::from(urgent));
            assert!(matches!(answered(&told), Poll::Ready(Some(Verdict::Answered))));
        }
    }

    #[test]
    fn every_other_word_wakes_the_poll() {
        let (tell, told) = slot();
        let (wakes, _) = asked(&told);
        assert!(tell.say(Verdict::Retired).is_ok());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(matches!(answered(&told), Poll::Ready(Some(Verdict::Retired))));

        let (tell, told) = slot();
        let (wakes, _) = asked(&told);
        drop(tell);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert!(matches!(answered(&told), Poll::Ready(None)));
    }

    #[test]
    fn a_poll_that_left_takes_nothing() {
        let (tell, told) = slot();
        drop(told);
        assert!(tell.say(Verdict::Retired).is_err());
    }
}
