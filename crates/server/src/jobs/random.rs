//! Random bytes from the operating system, read ahead into a buffer per thread. An id takes a few bytes, and a system
//! call for each id would take as long as all its other work.

use std::cell::RefCell;

/// How many bytes are read at once.
const BUFFER_BYTES: usize = 512;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Random bytes. No byte of the buffer is returned twice.
pub(super) fn bytes<const BYTES: usize>() -> [u8; BYTES] {
    const { assert!(BYTES <= BUFFER_BYTES, "one refill of the buffer is enough") };
    BUFFER.with_borrow_mut(|buffer| {
        if buffer.len() < BYTES {
            buffer.resize(BUFFER_BYTES, 0);
            getrandom::fill(buffer).expect("the operating system provides random bytes");
        }
        let rest = buffer.len() - BYTES;
        let bytes = buffer[rest..].try_into().expect("the slice is BYTES long");
        buffer.truncate(rest);
        bytes
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_bytes_are_returned_twice() {
        let drawn: HashSet<[u8; 10]> = (0..1000).map(|_| bytes()).collect();
        assert_eq!(drawn.len(), 1000);
    }
}
