//! A one-value channel for the outcome of a parked poll. Unlike other channels it can be filled without waking the
//! poll's task: when the response was written directly to the poll's connection, the task has nothing to do until its
//! next request wakes it.

use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

/// The dispatcher's end. If it is dropped without a value, the poll's connection is closed without a byte.
#[derive(Debug)]
pub struct HandoffSender<V>(Arc<Shared<V>>);

/// The poll's end.
#[derive(Debug)]
pub struct HandoffReceiver<V>(Arc<Shared<V>>);

#[derive(Debug)]
struct Shared<V>(Mutex<State<V>>);

#[derive(Debug)]
struct State<V> {
    slot: Option<Slot<V>>,
    waker: Option<Waker>,
    wake_on_send: bool,
    receiver_dropped: bool,
}

#[derive(Debug)]
enum Slot<V> {
    Value(V),
    Closed,
}

/// The two ends of a new channel.
pub fn handoff<V>() -> (HandoffSender<V>, HandoffReceiver<V>) {
    let state = State { slot: None, waker: None, wake_on_send: false, receiver_dropped: false };
    let shared = Arc::new(Shared(Mutex::new(state)));
    (HandoffSender(Arc::clone(&shared)), HandoffReceiver(shared))
}

impl<V> HandoffSender<V> {
    /// Sends the outcome and wakes the poll's task; returns the outcome as an error when the poll has left.
    pub fn send(self, value: V) -> Result<(), V> {
        let mut state = self.0.lock();
        if state.receiver_dropped {
            return Err(value);
        }
        state.slot = Some(Slot::Value(value));
        wake(state);
        Ok(())
    }

    /// Sends an outcome that the poll's task need not know before its next request. Wakes the task only after
    /// [`HandoffReceiver::wake_on_send`].
    pub fn send_without_wake(self, value: V) {
        let mut state = self.0.lock();
        state.slot = Some(Slot::Value(value));
        if state.wake_on_send {
            wake(state);
        }
    }
}

impl<V> Drop for HandoffSender<V> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.slot.is_none() && !state.receiver_dropped {
            state.slot = Some(Slot::Closed);
            wake(state);
        }
    }
}

impl<V> HandoffReceiver<V> {
    /// The outcome, once; `None` means that the connection must be closed without a byte.
    pub fn poll(&self, cx: &Context<'_>) -> Poll<Option<V>> {
        let mut state = self.0.lock();
        match state.slot.replace(Slot::Closed) {
            Some(Slot::Value(value)) => Poll::Ready(Some(value)),
            Some(Slot::Closed) => Poll::Ready(None),
            None => {
                state.slot = None;
                match &mut state.waker {
                    Some(waker) => waker.clone_from(cx.waker()),
                    None => state.waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
        }
    }

    /// From now on every send wakes the poll's task.
    pub fn wake_on_send(&self) {
        self.0.lock().wake_on_send = true;
    }
}

impl<V> Drop for HandoffReceiver<V> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.receiver_dropped = true;
        // An outcome that was not received is dropped, which gives its run back. That happens outside the lock.
        let unclaimed = state.slot.take();
        drop(state);
        drop(unclaimed);
    }
}

impl<V> Shared<V> {
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
    struct CountingWaker(AtomicUsize);

    impl Wake for CountingWaker {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn poll_counting_wakes(receiver: &HandoffReceiver<&'static str>) -> (Arc<CountingWaker>, bool) {
        let wakes = Arc::new(CountingWaker::default());
        let waker = Waker::from(Arc::clone(&wakes));
        let pending = receiver.poll(&Context::from_waker(&waker)).is_pending();
        (wakes, pending)
    }

    fn poll_now(receiver: &HandoffReceiver<&'static str>) -> Poll<Option<&'static str>> {
        receiver.poll(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn send_without_wake_wakes_only_after_wake_on_send() {
        for urgent in [false, true] {
            let (sender, receiver) = handoff();
            let (wakes, pending) = poll_counting_wakes(&receiver);
            assert!(pending);
            if urgent {
                receiver.wake_on_send();
            }
            sender.send_without_wake("answered");
            assert_eq!(wakes.0.load(Ordering::Relaxed), usize::from(urgent));
            assert_eq!(poll_now(&receiver), Poll::Ready(Some("answered")));
        }
    }

    #[test]
    fn send_and_drop_of_the_sender_wake_the_receiver() {
        let (sender, receiver) = handoff();
        let (wakes, _) = poll_counting_wakes(&receiver);
        assert!(sender.send("retired").is_ok());
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll_now(&receiver), Poll::Ready(Some("retired")));

        let (sender, receiver) = handoff();
        let (wakes, _) = poll_counting_wakes(&receiver);
        drop(sender);
        assert_eq!(wakes.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll_now(&receiver), Poll::Ready(None));
    }

    #[test]
    fn send_to_a_dropped_receiver_returns_the_value() {
        let (sender, receiver) = handoff();
        drop(receiver);
        assert!(sender.send("retired").is_err());
    }
}
