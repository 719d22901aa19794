//! Randomness of the system, drawn ahead: a name takes a few bytes, and a call of the system as long as the rest of it.

use std::cell::RefCell;

/// How much is drawn at once.
const DRAWN_BYTES: usize = 512;

thread_local! {
    static DRAWN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// So many bytes that nobody else is given.
pub(super) fn bytes<const BYTES: usize>() -> [u8; BYTES] {
    const { assert!(BYTES <= DRAWN_BYTES, "one draw is enough") };
    DRAWN.with_borrow_mut(|drawn| {
        if drawn.len() < BYTES {
            drawn.resize(DRAWN_BYTES, 0);
            getrandom::fill(drawn).expect("the system has randomness");
        }
        let rest = drawn.len() - BYTES;
        let bytes = drawn[rest..].try_into().expect("as many as were asked for");
        drawn.truncate(rest);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice() {
        let given: HashSet<[u8; 10]> = (0..1000).map(|_| bytes()).collect();
        assert_eq!(given.len(), 1000);
    }
}
