//! Parses a command's stderr into console text and progress lines such as `::progress 3/10`. The bytes arrive in chunks
//! of any size. The parser delays only a possible beginning of a progress line and the bytes of an incomplete
//! character.

use crate::job::Progress;
use crate::limits::{MAX_STDERR_LINE_BYTES, PROGRESS_LINE_BYTES};

const PROGRESS_PREFIX: &[u8] = b"::progress ";

/// The largest integer that every JSON parser reads exactly.
const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

/// The parsed content of some bytes.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ParsedOutput {
    /// Console text.
    pub text: String,
    /// The latest progress.
    pub progress: Option<Progress>,
}

/// Parser of one command's stderr.
#[derive(Debug)]
pub struct StderrParser {
    /// The beginning of a possible progress line, or of a character.
    pending: Vec<u8>,
    is_line_start: bool,
    /// The current line so far, cut at [`MAX_STDERR_LINE_BYTES`].
    line: String,
    /// The last complete line that is not blank.
    last_line: String,
}

impl Default for StderrParser {
    fn default() -> Self {
        Self { pending: Vec::new(), is_line_start: true, line: String::new(), last_line: String::new() }
    }
}

impl StderrParser {
    /// Parses the next bytes.
    pub fn push(&mut self, bytes: &[u8]) -> ParsedOutput {
        let mut output = ParsedOutput::default();
        let mut rest = bytes;
        while !rest.is_empty() {
            rest = if self.is_line_start {
                self.line_start(rest, &mut output)
            } else {
                self.rest_of_line(rest, &mut output)
            };
        }
        output
    }

    /// Parses what is pending; no more bytes follow.
    pub fn finish(&mut self) -> ParsedOutput {
        let mut output = ParsedOutput::default();
        let pending = std::mem::take(&mut self.pending);
        match parse_progress(&pending).filter(|_| self.is_line_start) {
            Some(progress) => output.progress = Some(progress),
            None => self.emit(&String::from_utf8_lossy(&pending), &mut output),
        }
        self.is_line_start = true;
        output
    }

    /// The last line that is not blank.
    #[must_use]
    pub fn last_stderr_line(&self) -> &str {
        let line = self.line.trim();
        if line.is_empty() { &self.last_line } else { line }
    }

    /// Parses the start of a line: waits for more bytes while the line may be a progress line.
    fn line_start<'a>(&mut self, bytes: &'a [u8], output: &mut ParsedOutput) -> &'a [u8] {
        let space = PROGRESS_LINE_BYTES - self.pending.len();
        let (line, is_whole) = match bytes.iter().take(space).position(|byte| *byte == b'\n') {
            Some(end) => (&bytes[..=end], true),
            None => (&bytes[..bytes.len().min(space)], false),
        };
        self.pending.extend_from_slice(line);
        let may_be_progress =
            self.pending.iter().zip(PROGRESS_PREFIX).all(|(pending, prefix)| pending == prefix);
        let progress = parse_progress(&self.pending).filter(|_| is_whole);
        if let Some(progress) = progress {
            output.progress = Some(progress);
            self.pending.clear();
        } else if is_whole || !may_be_progress || self.pending.len() == PROGRESS_LINE_BYTES {
            let pending = std::mem::take(&mut self.pending);
            self.is_line_start = is_whole;
            self.decode(&pending, output);
        }
        &bytes[line.len()..]
    }

    /// Parses the rest of a line of console text.
    fn rest_of_line<'a>(&mut self, bytes: &'a [u8], output: &mut ParsedOutput) -> &'a [u8] {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.map_or(bytes.len(), |end| end + 1));
        self.is_line_start = end.is_some();
        if self.pending.is_empty() {
            self.decode(line, output);
        } else {
            let mut pending = std::mem::take(&mut self.pending);
            pending.extend_from_slice(line);
            self.decode(&pending, output);
        }
        rest
    }

    /// Decodes the bytes as UTF-8; an incomplete character at the end becomes pending.
    fn decode(&mut self, bytes: &[u8], output: &mut ParsedOutput) {
        let whole = bytes.len() - incomplete_char_len(bytes);
        self.emit(&String::from_utf8_lossy(&bytes[..whole]), output);
        self.pending = bytes[whole..].to_vec();
    }

    fn emit(&mut self, text: &str, output: &mut ParsedOutput) {
        // Neither databases nor terminals need these control characters, and each takes six bytes in JSON.
        let is_printable =
            |letter: char| !letter.is_ascii_control() || matches!(letter, '\t' | '\n' | '\r' | '\u{1b}');
        output.text.extend(text.chars().map(|letter| if is_printable(letter) { letter } else { '\u{fffd}' }));
        for piece in text.split_inclusive('\n') {
            self.update_last_line(piece);
        }
    }

    fn update_last_line(&mut self, piece: &str) {
        let space = MAX_STDERR_LINE_BYTES.saturating_sub(self.line.len());
        let cut = &piece[..piece.floor_char_boundary(space)];
        self.line.extend(cut.chars().filter(|letter| !letter.is_control()));
        if piece.ends_with('\n') {
            let line = std::mem::take(&mut self.line);
            if !line.trim().is_empty() {
                line.trim().clone_into(&mut self.last_line);
            }
        }
    }
}

/// Number of bytes at the end that are the beginning of a character.
fn incomplete_char_len(bytes: &[u8]) -> usize {
    let from = bytes.len().saturating_sub(3);
    let lead_byte = (from..bytes.len()).rev().find(|at| bytes[*at] & 0xc0 != 0x80);
    let Some(lead_byte) = lead_byte else { return 0 };
    match std::str::from_utf8(&bytes[lead_byte..]) {
        Err(error) if error.error_len().is_none() => bytes.len() - lead_byte,
        Ok(_) | Err(_) => 0,
    }
}

fn parse_progress(line: &[u8]) -> Option<Progress> {
    let text = std::str::from_utf8(line.strip_prefix(PROGRESS_PREFIX)?).ok()?;
    let (current, total) = text.trim().split_once('/')?;
    let number = |text: &str| text.trim().parse().ok().filter(|number| *number <= MAX_SAFE_INTEGER);
    Some(Progress { current: number(current)?, total: number(total)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The text, the latest progress and the last line. They must be the same for chunks of every size.
    fn read(bytes: &[u8]) -> (String, Option<(u64, u64)>, String) {
        let read = |size: usize| {
            let mut parser = StderrParser::default();
            let (mut text, mut progress) = (String::new(), None);
            let mut collect = |output: ParsedOutput| {
                text.push_str(&output.text);
                progress = output.progress.or(progress);
            };
            bytes.chunks(size).for_each(|piece| collect(parser.push(piece)));
            collect(parser.finish());
            (text, progress.map(|at| (at.current, at.total)), parser.last_stderr_line().to_owned())
        };
        let whole = read(bytes.len().max(1));
        for size in 1..bytes.len() {
            assert_eq!(read(size), whole, "in pieces of {size}");
        }
        whole
    }

    #[test]
    fn progress_lines_are_parsed_and_all_other_lines_are_console_text() {
        for (bytes, text, progress, last_line) in [
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
            assert_eq!(read(bytes), (text.to_owned(), progress, last_line.to_owned()));
        }
    }

    #[test]
    fn a_long_line_is_passed_through() {
        let mut line = b"::progress ".to_vec();
        line.resize(PROGRESS_LINE_BYTES, b'1');
        let mut parser = StderrParser::default();
        assert_eq!(parser.push(&line).text.len(), PROGRESS_LINE_BYTES);
        assert_eq!(parser.push(b"/1\n").progress, None);
        assert!(parser.last_stderr_line().len() <= MAX_STDERR_LINE_BYTES);
    }
}
