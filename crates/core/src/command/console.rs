//! What of a command's console is told, and how. It goes to the service in pieces as it is written. The service keeps so
//! much of it and no more, so of a long one the beginning is told at once and the end when the command has ended, with a
//! line between that says how much is missing. When an answer was lost nobody knows whether a piece was taken, so the
//! next word tells all of it anew.

use std::fmt::Write;

use crate::limits::{CONSOLE_BYTES, CONSOLE_CHUNK_BYTES, CONSOLE_TAIL_BYTES};

/// The line that says how much is missing has room here.
const GAP_BYTES: usize = 128;

const HEAD_BYTES: usize = CONSOLE_BYTES - CONSOLE_TAIL_BYTES - GAP_BYTES;

/// What the next word carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tell<'a> {
    /// Nothing new.
    Nothing,
    /// In place of all that was told before.
    Whole(&'a str),
    /// Behind it.
    Piece(&'a str),
}

/// A command's console.
#[derive(Debug, Default)]
pub struct Console {
    head: String,
    /// Of a console that is longer than `head` may be.
    tail: String,
    left_out: u64,
    /// Bytes of `head` that the service has for certain.
    told: usize,
    /// Bytes of `head` with the word on its way.
    telling: usize,
    /// An answer was lost.
    is_unsure: bool,
    /// The service takes no more of it.
    is_full: bool,
    has_ended: bool,
}

impl Console {
    /// The command wrote this.
    pub fn write(&mut self, text: &str) {
        if self.has_ended {
            return;
        }
        let room = if self.tail.is_empty() { HEAD_BYTES - self.head.len() } else { 0 };
        let (head, tail) = text.split_at(text.floor_char_boundary(room));
        self.head.push_str(head);
        self.tail.push_str(tail);
        if self.tail.len() > 2 * CONSOLE_TAIL_BYTES {
            self.shorten();
        }
    }

    /// Whether there is something to tell.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        !self.is_full && (self.is_unsure || self.told < self.head.len())
    }

    /// Words that it takes to tell what is left.
    #[must_use]
    pub const fn pieces_left(&self) -> usize {
        match (self.is_behind(), self.is_unsure) {
            (false, _) => 0,
            (true, true) => 1,
            // A character at the border may take a word more; then there is one more in the next round.
            (true, false) => (self.head.len() - self.told).div_ceil(CONSOLE_CHUNK_BYTES),
        }
    }

    /// The command wrote all it will.
    pub fn end(&mut self) {
        self.shorten();
        if self.left_out > 0 {
            write!(self.head, "\n[{} bytes are left out here]\n", self.left_out)
                .expect("writing to a string does not fail");
        }
        self.head.push_str(&std::mem::take(&mut self.tail));
        self.has_ended = true;
    }

    /// What the next word carries. What became of it is to be said before the next.
    pub fn tell(&mut self) -> Tell<'_> {
        // Whoever sent the last word was interrupted.
        self.unheard();
        if !self.is_behind() {
            return Tell::Nothing;
        }
        if self.is_unsure {
            self.telling = self.head.len();
            return Tell::Whole(&self.head);
        }
        let end = self.head.floor_char_boundary(self.told + CONSOLE_CHUNK_BYTES);
        self.telling = end;
        Tell::Piece(&self.head[self.told..end])
    }

    /// The word was taken.
    pub const fn heard(&mut self) {
        if self.telling > 0 {
            (self.told, self.telling, self.is_unsure) = (self.telling, 0, false);
        }
    }

    /// Nobody knows what became of the word.
    pub const fn unheard(&mut self) {
        self.is_unsure |= self.telling > 0;
        self.telling = 0;
    }

    /// The service takes no more of it.
    pub const fn refused(&mut self) {
        self.is_full = true;
        self.telling = 0;
    }

    fn shorten(&mut self) {
        let start = self.tail.len().saturating_sub(CONSOLE_TAIL_BYTES);
        let start = self.tail.ceil_char_boundary(start);
        self.left_out += start as u64;
        self.tail.drain(..start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that takes every word.
    fn tell_all(console: &mut Console, service: &mut String) {
        loop {
            match console.tell() {
                Tell::Nothing => return,
                Tell::Whole(text) => text.clone_into(service),
                Tell::Piece(text) => service.push_str(text),
            }
            console.heard();
        }
    }

    #[test]
    fn pieces_put_together_are_what_was_written() {
        let (mut console, mut service) = (Console::default(), String::new());
        for text in ["a\n", "", "\u{1f600}", &"b".repeat(CONSOLE_CHUNK_BYTES + 3)] {
            console.write(text);
            tell_all(&mut console, &mut service);
        }
        console.end();
        tell_all(&mut console, &mut service);
        assert_eq!(service, format!("a\n\u{1f600}{}", "b".repeat(CONSOLE_CHUNK_BYTES + 3)));
    }

    #[test]
    fn of_a_long_console_the_service_gets_beginning_and_end_within_its_limit() {
        let (mut console, mut service) = (Console::default(), String::new());
        let line = format!("{}\n", "\u{e9}".repeat(49));
        for number in 0..100_000 {
            console.write(&format!("{number}{line}"));
            if number % 1000 == 0 {
                tell_all(&mut console, &mut service);
            }
            assert!(console.tail.len() <= 3 * CONSOLE_TAIL_BYTES);
        }
        console.write("the end\n");
        console.end();
        tell_all(&mut console, &mut service);
        assert!(service.len() <= CONSOLE_BYTES, "{}", service.len());
        assert!(service.len() > CONSOLE_BYTES - 1000, "{}", service.len());
        assert!(service.starts_with("0\u{e9}") && service.ends_with("the end\n"));
        let (_, gap) = service.split_once("\n[").expect("the gap is told");
        let left_out: usize =
            gap.split_once(' ').and_then(|(number, _)| number.parse().ok()).expect("a number");
        let written: usize = (0..100_000).map(|number: i32| number.to_string().len() + line.len()).sum();
        let gap = format!("\n[{left_out} bytes are left out here]\n").len();
        assert_eq!(service.len() - gap + left_out, written + "the end\n".len());
    }

    #[test]
    fn after_a_lost_answer_all_is_told_anew() {
        let mut console = Console::default();
        console.write("a");
        assert_eq!(console.tell(), Tell::Piece("a"));
        console.unheard();
        console.write("b");
        assert_eq!(console.tell(), Tell::Whole("ab"));
        console.unheard();
        assert_eq!(console.tell(), Tell::Whole("ab"));
        console.heard();
        assert_eq!(console.tell(), Tell::Nothing);
        console.unheard();
        console.write("c");
        assert_eq!(console.tell(), Tell::Piece("c"), "a lost answer to a word without a piece loses nothing");
    }

    #[test]
    fn a_service_that_takes_no_more_is_told_no_more() {
        let mut console = Console::default();
        console.write("a");
        console.tell();
        console.refused();
        console.write("b");
        assert!(!console.is_behind());
        assert_eq!(console.tell(), Tell::Nothing);
    }
}
