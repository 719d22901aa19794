//! Randomness of the system, drawn ahead: a name takes a few bytes, and a call of the system as long as the rest of it.

use std::cell::RefCell;

/// How much is drawn at once.
const BUFFER_BYTES: usize = 512;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// So many bytes that nobody else is given.
pub(super) fn bytes<const BYTES: usize>() -> [u8; BYTES] {
    const { assert!(BYTES <= BUFFER_BYTES, "one draw is enough") };
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < BYTES {
            buffer.resize(BUFFER_BYTES, 0);
            getrandom::fill(buffer).expect("the system has randomness");
        }
        let rest = buffer.len() - BYTES;
        let bytes = buffer[rest..].try_into().expect("as many as were asked for");
        buffer.truncate(rest);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_given_twice() {
        let drawn: HashSet<[u8; 10]> = (0..1000).map(|_| bytes()).collect();
        assert_eq!(drawn.len(), 1000);
    }
}
