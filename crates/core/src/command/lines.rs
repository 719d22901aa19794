//! What a command writes to stderr: text for people, and lines that tell how far it is: `::progress 3/10`. Bytes come in
//! pieces of any size; nothing but the beginning of such a line is held back.

use crate::limits::{MAX_STDERR_LINE_BYTES, PROGRESS_LINE_BYTES};

const MARK: &[u8] = b"::progress ";

/// The largest number that every reader of JSON keeps exactly.
const EXACT: u64 = (1 << 53) - 1;

/// How far a command is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Steps done.
    pub current: u64,
    /// Steps in all.
    pub total: u64,
}

/// What came of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Said {
    /// For people.
    pub text: String,
    /// The last that was told.
    pub progress: Option<Progress>,
}

/// Reads stderr.
#[derive(Debug)]
pub struct Lines {
    /// The beginning of a line that may tell progress, or of a character.
    held: Vec<u8>,
    at_start: bool,
    /// The line under way, as far as it is kept.
    line: String,
    /// The last whole line with anything in it.
    last: String,
}

impl Default for Lines {
    fn default() -> Self {
        Self { held: Vec::new(), at_start: true, line: String::new(), last: String::new() }
    }
}

impl Lines {
    /// Takes the next bytes.
    pub fn read(&mut self, bytes: &[u8]) -> Said {
        let mut said = Said::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = if self.at_start { self.begin(rest, &mut said) } else { self.go_on(rest, &mut said) };
        }
        said
    }

    /// Nothing more comes: what was held back is what it looks like.
    pub fn end(&mut self) -> Said {
        let mut said = Said::default();
        let held = std::mem::take(&mut self.held);
        match progress(&held).filter(|_| self.at_start) {
            Some(progress) => said.progress = Some(progress),
            None => self.tell(&String::from_utf8_lossy(&held), &mut said),
        }
        self.at_start = true;
        said
    }

    /// The last line with anything in it.
    #[must_use]
    pub fn last_words(&self) -> &str {
        let line = self.line.trim();
        if line.is_empty() { &self.last } else { line }
    }

    /// At the start of a line: holds it back as long as it may tell progress.
    fn begin<'a>(&mut self, bytes: &'a [u8], said: &mut Said) -> &'a [u8] {
        let room = PROGRESS_LINE_BYTES - self.held.len();
        let (line, is_whole) = match bytes.iter().take(room).position(|byte| *byte == b'\n') {
            Some(end) => (&bytes[..=end], true),
            None => (&bytes[..bytes.len().min(room)], false),
        };
        self.held.extend_from_slice(line);
        let may_be = self.held.iter().zip(MARK).all(|(held, mark)| held == mark);
        let progress = progress(&self.held).filter(|_| is_whole);
        if let Some(progress) = progress {
            said.progress = Some(progress);
            self.held.clear();
        } else if is_whole || !may_be || self.held.len() == PROGRESS_LINE_BYTES {
            let held = std::mem::take(&mut self.held);
            self.at_start = is_whole;
            self.decode(&held, said);
        }
        &bytes[line.len()..]
    }

    /// Within a line for people: all up to its end.
    fn go_on<'a>(&mut self, bytes: &'a [u8], said: &mut Said) -> &'a [u8] {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.at_start = end.is_some();
        if self.held.is_empty() {
            self.decode(line, said);
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(line);
            self.decode(&held, said);
        }
        rest
    }

    /// Holds back the beginning of a character.
    fn decode(&mut self, bytes: &[u8], said: &mut Said) {
        let whole = bytes.len() - unfinished(bytes);
        self.tell(&String::from_utf8_lossy(&bytes[..whole]), said);
        self.held = bytes[whole..].to_vec();
    }

    fn tell(&mut self, text: &str, said: &mut Said) {
        // Neither databases nor terminals have a use for them, and as JSON each is six bytes.
        let kept =
            |letter: char| !letter.is_ascii_control() || matches!(letter, '\t' | '\n' | '\r' | '\u{1b}');
        said.text.extend(text.chars().map(|letter| if kept(letter) { letter } else { '\u{fffd}' }));
        for piece in text.split_inclusive('\n') {
            self.remember(piece);
        }
    }

    fn remember(&mut self, piece: &str) {
        let room = MAX_STDERR_LINE_BYTES.saturating_sub(self.line.len());
        let kept = &piece[..piece.floor_char_boundary(room)];
        self.line.extend(kept.chars().filter(|letter| !letter.is_control()));
        if piece.ends_with('\n') {
            let line = std::mem::take(&mut self.line);
            if !line.trim().is_empty() {
                line.trim().clone_into(&mut self.last);
            }
        }
    }
}

/// Bytes at the end that are the beginning of a character.
fn unfinished(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    let lead = (from..bytes.len()).rev().find(|at| bytes[*at] & 0xc0 != 0x80);
    let Some(lead) = lead else { return 0 };
    match std::str::from_utf8(&bytes[lead..]) {
        Err(error) if error.error_len().is_none() => bytes.len() - lead,
        Ok(_) | Err(_) => 0,
    }
}

fn progress(line: &[u8]) -> Option<Progress> {
    let text = std::str::from_utf8(line.strip_prefix(MARK)?).ok()?;
    let (current, total) = text.trim().split_once('/')?;
    let number = |text: &str| text.trim().parse().ok().filter(|number| *number <= EXACT);
    Some(Progress { current: number(current)?, total: number(total)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text, the last progress, and the last words, the same for pieces of every size.
    fn read(bytes: &[u8]) -> (String, Option<(u64, u64)>, String) {
        let read = |size: usize| {
            let mut lines = Lines::default();
            let (mut text, mut progress) = (String::new(), None);
            let mut hear = |said: Said| {
                text.push_str(&said.text);
                progress = said.progress.or(progress);
            };
            bytes.chunks(size).for_each(|piece| hear(lines.read(piece)));
            hear(lines.end());
            (text, progress.map(|at| (at.current, at.total)), lines.last_words().to_owned())
        };
        let whole = read(bytes.len().max(1));
        for size in 1..bytes.len() {
            assert_eq!(read(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn progress_is_told_on_lines_of_its_own_and_all_else_is_console() {
        for (bytes, text, progress, last) in [
            (&b""[..], "", None, ""),
            (b"a\n::progress 1/2\nb\n", "a\nb\n", Some((1, 2)), "b"),
            (b"::progress 1/2\r\n::progress 2/2\n", "", Some((2, 2)), ""),
            (b"::progress  3 / 4 ", "", Some((3, 4)), ""),
            (b"a ::progress 1/2\n", "a ::progress 1/2\n", None, "a ::progress 1/2"),
            (b"::progress half\n", "::progress half\n", None, "::progress half"),
            (b"::progress -1/2\n", "::progress -1/2\n", None, "::progress -1/2"),
            (b"::prog", "::prog", None, "::prog"),
            (
                b"::progress 9007199254740992/1\n",
                "::progress 9007199254740992/1\n",
                None,
                "::progress 9007199254740992/1",
            ),
            ("gr\u{fc}n\n \n".as_bytes(), "gr\u{fc}n\n \n", None, "gr\u{fc}n"),
            (b"\xff\x00a\n", "\u{fffd}\u{fffd}a\n", None, "\u{fffd}a"),
        ] {
            assert_eq!(read(bytes), (text.to_owned(), progress, last.to_owned()));
        }
    }

    #[test]
    fn a_long_line_is_not_held_back() {
        let mut line = b"::progress ".to_vec();
        line.resize(PROGRESS_LINE_BYTES, b'1');
        let mut lines = Lines::default();
        assert_eq!(lines.read(&line).text.len(), PROGRESS_LINE_BYTES);
        assert_eq!(lines.read(b"/1\n").progress, None);
        assert!(lines.last_words().len() <= MAX_STDERR_LINE_BYTES);
    }
}
