//! Where a parked poll's verdict arrives. Unlike a channel it can be filled without waking the poll's task: a poll
//! that was answered on its connection has nothing to do until its next request wakes it anyway.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// The dispatcher's end. Dropped without a word, it means: close the connection without a byte.
#[derive(Debug)]
pub(crate) struct Tell<V>(Arc<Slot<V>>);

/// The poll's end.
#[derive(Debug)]
pub(crate) struct Told<V>(Arc<Slot<V>>);

#[derive(Debug)]
struct Slot<V>(Mutex<State<V>>);

#[derive(Debug)]
struct State<V> {
    word: Option<Word<V>>,
    waker: Option<Waker>,
    is_urgent: bool,
    nobody_asks: bool,
}

#[derive(Debug)]
enum Word<V> {
    Verdict(V),
    Nothing,
}

/// The two ends of a new slot.
pub(crate) fn slot<V>() -> (Tell<V>, Told<V>) {
    let state = State { word: None, waker: None, is_urgent: false, nobody_asks: false };
    let slot = Arc::new(Slot(Mutex::new(state)));
    (Tell(Arc::clone(&slot)), Told(slot))
}

impl<V> Tell<V> {
    /// Says the verdict, or gives it back when the poll left.
    pub(crate) fn say(self, verdict: V) -> Result<(), V> {
        let mut state = self.0.lock();
        if state.nobody_asks {
            return Err(verdict);
        }
        state.word = Some(Word::Verdict(verdict));
        wake(state);
        Ok(())
    }

    /// Says what the poll's task needs not know before its next request, and wakes it only when it has asked for that.
    pub(crate) fn say_in_passing(self, verdict: V) {
        let mut state = self.0.lock();
        state.word = Some(Word::Verdict(verdict));
        if state.is_urgent {
            wake(state);
        }
    }
}

impl<V> Drop for Tell<V> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.word.is_none() && !state.nobody_asks {
            state.word = Some(Word::Nothing);
            wake(state);
        }
    }
}

impl<V> Told<V> {
    /// The verdict, once; `None` means to close the connection without a byte.
    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Option<V>> {
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
    pub(crate) fn is_urgent(&self) {
        self.0.lock().is_urgent = true;
    }
}

impl<V> Drop for Told<V> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.nobody_asks = true;
        // What nobody took is given back, outside the lock.
        let untaken = state.word.take();
        drop(state);
        drop(untaken);
    }
}

impl<V> Slot<V> {
    fn lock(&self) -> MutexGuard<'_, State<V>> {
        self.0.lock().expect("nothing panics under this lock")
    }
}

fn wake<V>(mut state: MutexGuard<'_, State<V>>) {
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

    fn asked(told: &Told<&'static str>) -> (Arc<Wakes>, bool) {
        let wakes = Arc::new(Wakes::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let pending = told.poll(&Context::from_waker(&waker)).is_pending();
        (wakes, pending)
    }

    fn answered(told: &Told<&'static str>) -> Poll<Option<&'static str>> {
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
            tell.say_in_passing("answered");
            assert_eq!(wakes.0.load(Ordering::Relaxed), usize::from(urgent));
            assert_eq!(answered(&told), Poll::Ready(Some("answered")));
        }
    }

    #[test]
    fn every_other_word_wakes_the_poll() {
        let (tell, told) = slot();
        let (wakes, _) = asked(&told);
        assert!(tell.say("retired").is_ok());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(answered(&told), Poll::Ready(Some("retired")));

        let (tell, told) = slot();
        let (wakes, _) = asked(&told);
        drop(tell);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(answered(&told), Poll::Ready(None));
    }

    #[test]
    fn a_poll_that_left_takes_nothing() {
        let (tell, told) = slot();
        drop(told);
        assert!(tell.say("retired").is_err());
    }
}
