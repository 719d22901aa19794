//! Decides which parts of a command's console are sent to the service, and in which requests. The console is sent in
//! chunks while the command writes it. The service stores [`CONSOLE_BYTES`] at most: of a longer console the beginning
//! is sent at once, and the end after the command has ended, with a line between them that gives the number of missing
//! bytes. After a lost response it is unknown whether the service stored the chunk, so the next request sends the whole
//! console again.

use std::fmt::Write;

use crate::limits::{CONSOLE_BYTES, CONSOLE_CHUNK_BYTES, CONSOLE_TAIL_BYTES};

/// Space for the line that gives the number of missing bytes.
const GAP_BYTES: usize = 128;

const HEAD_BYTES: usize = CONSOLE_BYTES - CONSOLE_TAIL_BYTES - GAP_BYTES;

/// The console text in the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogChunk<'a> {
    /// No new text.
    None,
    /// Replaces all text that was sent before.
    Replace(&'a str),
    /// Is appended to the text that was sent before.
    Append(&'a str),
}

/// A command's console.
#[derive(Debug, Default)]
pub struct Console {
    head: String,
    /// The end of a console that does not fit in `head`.
    tail: String,
    omitted_bytes: u64,
    /// Bytes of `head` that the service has certainly stored.
    acked_bytes: usize,
    /// Bytes of `head` that the service has once the request in flight is acknowledged; 0 when none is in flight.
    sent_bytes: usize,
    /// A response was lost, so the whole console is sent again.
    needs_resend: bool,
    /// The service accepts no more of this console.
    is_closed: bool,
    is_finished: bool,
}

impl Console {
    /// Adds text that the command wrote.
    pub fn write(&mut self, text: &str) {
        if self.is_finished {
            return;
        }
        let space = if self.tail.is_empty() { HEAD_BYTES - self.head.len() } else { 0 };
        let (head, tail) = text.split_at(text.floor_char_boundary(space));
        self.head.push_str(head);
        self.tail.push_str(tail);
        if self.tail.len() > 2 * CONSOLE_TAIL_BYTES {
            self.trim_tail();
        }
    }

    /// Whether text waits to be sent.
    #[must_use]
    pub const fn has_unsent(&self) -> bool {
        !self.is_closed && (self.needs_resend || self.acked_bytes < self.head.len())
    }

    /// Number of requests that the remaining text takes.
    #[must_use]
    pub const fn chunks_left(&self) -> usize {
        match (self.has_unsent(), self.needs_resend) {
            (false, _) => 0,
            (true, true) => 1,
            // A character at a chunk boundary may need one more request; then the next round counts it.
            (true, false) => (self.head.len() - self.acked_bytes).div_ceil(CONSOLE_CHUNK_BYTES),
        }
    }

    /// The command has ended and writes no more.
    pub fn finish(&mut self) {
        self.trim_tail();
        if self.omitted_bytes > 0 {
            write!(self.head, "\n[{} bytes are left out here]\n", self.omitted_bytes)
                .expect("writing to a string does not fail");
        }
        self.head.push_str(&std::mem::take(&mut self.tail));
        self.is_finished = true;
    }

    /// The console text for the next request. Report its outcome with [`Console::acked`] or [`Console::nacked`] before
    /// the next call.
    pub fn next_chunk(&mut self) -> LogChunk<'_> {
        // The previous request may have been dropped without an outcome.
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

    /// The service accepted the request.
    pub const fn acked(&mut self) {
        if self.sent_bytes > 0 {
            (self.acked_bytes, self.sent_bytes, self.needs_resend) = (self.sent_bytes, 0, false);
        }
    }

    /// The outcome of the request is unknown.
    pub const fn nacked(&mut self) {
        self.needs_resend |= self.sent_bytes > 0;
        self.sent_bytes = 0;
    }

    /// The service accepts no more of this console.
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

    /// Sends all chunks to a service that accepts every request.
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
        let (_, gap) = service.split_once("\n[").expect("the console has a gap line");
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
            "a lost response to a request without a chunk loses nothing"
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
