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
pub enum LogChunk<'a> {
    /// Nothing new.
    None,
    /// In place of all that was told before.
    Replace(&'a str),
    /// Behind it.
    Append(&'a str),
}

/// A command's console.
#[derive(Debug, Default)]
pub struct Console {
    head: String,
    /// Of a console that is longer than `head` may be.
    tail: String,
    omitted_bytes: u64,
    /// Bytes of `head` that the service has for certain.
    acked_bytes: usize,
    /// Bytes of `head` with the word on its way.
    sent_bytes: usize,
    /// An answer was lost.
    needs_resend: bool,
    /// The service takes no more of it.
    is_closed: bool,
    is_finished: bool,
}

impl Console {
    /// The command wrote this.
    pub fn write(&mut self, text: &str) {
        if self.is_finished {
            return;
        }
        let room = if self.tail.is_empty() { HEAD_BYTES - self.head.len() } else { 0 };
        let (head, tail) = text.split_at(text.floor_char_boundary(room));
        self.head.push_str(head);
        self.tail.push_str(tail);
        if self.tail.len() > 2 * CONSOLE_TAIL_BYTES {
            self.trim_tail();
        }
    }

    /// Whether there is something to tell.
    #[must_use]
    pub const fn has_unsent(&self) -> bool {
        !self.is_closed && (self.needs_resend || self.acked_bytes < self.head.len())
    }

    /// Words that it takes to tell what is left.
    #[must_use]
    pub const fn chunks_left(&self) -> usize {
        match (self.has_unsent(), self.needs_resend) {
            (false, _) => 0,
            (true, true) => 1,
            // A character at the border may take a word more; then there is one more in the next round.
            (true, false) => (self.head.len() - self.acked_bytes).div_ceil(CONSOLE_CHUNK_BYTES),
        }
    }

    /// The command wrote all it will.
    pub fn finish(&mut self) {
        self.trim_tail();
        if self.omitted_bytes > 0 {
            write!(self.head, "\n[{} bytes are left out here]\n", self.omitted_bytes)
                .expect("writing to a string does not fail");
        }
        self.head.push_str(&std::mem::take(&mut self.tail));
        self.is_finished = true;
    }

    /// What the next word carries. What became of it is to be said before the next.
    pub fn next_chunk(&mut self) -> LogChunk<'_> {
        // Whoever sent the last word was interrupted.
        self.nacked();
        if !self.has_unsent() {
            return LogChunk::None;
        }
        if self.needs_resend {
            self.sent_bytes = self.head.len();
            return LogChunk::Replace(&self.head);
        }
        let end = self.head.floor_char_boundary(self.acked_bytes + CONSOLE_CHUNK_BYTES);
        self.sent_bytes = end;
        LogChunk::Append(&self.head[self.acked_bytes..end])
    }

    /// The word was taken.
    pub const fn acked(&mut self) {
        if self.sent_bytes > 0 {
            (self.acked_bytes, self.sent_bytes, self.needs_resend) = (self.sent_bytes, 0, false);
        }
    }

    /// Nobody knows what became of the word.
    pub const fn nacked(&mut self) {
        self.needs_resend |= self.sent_bytes > 0;
        self.sent_bytes = 0;
    }

    /// The service takes no more of it.
    pub const fn close(&mut self) {
        self.is_closed = true;
        self.sent_bytes = 0;
    }

    fn trim_tail(&mut self) {
        let start = self.tail.len().saturating_sub(CONSOLE_TAIL_BYTES);
        let start = self.tail.ceil_char_boundary(start);
        self.omitted_bytes += start as u64;
        self.tail.drain(..start);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A service that takes every word.
    fn send_all(console: &mut Console, service: &mut String) {
        loop {
            match console.next_chunk() {
                LogChunk::None => return,
                LogChunk::Replace(text) => text.clone_into(service),
                LogChunk::Append(text) => service.push_str(text),
            }
            console.acked();
        }
    }

    #[test]
    fn chunks_add_up_to_what_was_written() {
        let (mut console, mut service) = (Console::default(), String::new());
        for text in ["a\n", "", "\u{1f600}", &"b".repeat(CONSOLE_CHUNK_BYTES + 3)] {
            console.write(text);
            send_all(&mut console, &mut service);
        }
        console.finish();
        send_all(&mut console, &mut service);
        assert_eq!(service, format!("a\n\u{1f600}{}", "b".repeat(CONSOLE_CHUNK_BYTES + 3)));
    }

    #[test]
    fn a_long_console_keeps_its_beginning_and_end_within_the_limit() {
        let (mut console, mut service) = (Console::default(), String::new());
        let line = format!("{}\n", "\u{e9}".repeat(49));
        for number in 0..100_000 {
            console.write(&format!("{number}{line}"));
            if number % 1000 == 0 {
                send_all(&mut console, &mut service);
            }
            assert!(console.tail.len() <= 3 * CONSOLE_TAIL_BYTES);
        }
        console.write("the end\n");
        console.finish();
        send_all(&mut console, &mut service);
        assert!(service.len() <= CONSOLE_BYTES, "{}", service.len());
        assert!(service.len() > CONSOLE_BYTES - 1000, "{}", service.len());
        assert!(service.starts_with("0\u{e9}") && service.ends_with("the end\n"));
        let (_, gap) = service.split_once("\n[").expect("the gap is told");
        let omitted_bytes: usize =
            gap.split_once(' ').and_then(|(number, _)| number.parse().ok()).expect("a number");
        let written: usize = (0..100_000).map(|number: i32| number.to_string().len() + line.len()).sum();
        let gap = format!("\n[{omitted_bytes} bytes are left out here]\n").len();
        assert_eq!(service.len() - gap + omitted_bytes, written + "the end\n".len());
    }

    #[test]
    fn a_lost_response_causes_a_full_resend() {
        let mut console = Console::default();
        console.write("a");
        assert_eq!(console.next_chunk(), LogChunk::Append("a"));
        console.nacked();
        console.write("b");
        assert_eq!(console.next_chunk(), LogChunk::Replace("ab"));
        console.nacked();
        assert_eq!(console.next_chunk(), LogChunk::Replace("ab"));
        console.acked();
        assert_eq!(console.next_chunk(), LogChunk::None);
        console.nacked();
        console.write("c");
        assert_eq!(
            console.next_chunk(),
            LogChunk::Append("c"),
            "a lost answer to a word without a piece loses nothing"
        );
    }

    #[test]
    fn a_closed_console_sends_nothing_more() {
        let mut console = Console::default();
        console.write("a");
        console.next_chunk();
        console.close();
        console.write("b");
        assert!(!console.has_unsent());
        assert_eq!(console.next_chunk(), LogChunk::None);
    }
}
