//! Where the lines about offers go: stdout, or a file that others may rotate. It never waits on the match path, and
//! what it cannot write is counted and told once.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::json_line;
use super::metrics::Count;
use super::offer_event::OfferEvent;
use crate::clock::Clock;

/// Written at once at most; whole lines.
const CHUNK_BYTES: usize = 64 * 1024;

/// The log of offers.
#[derive(Debug)]
pub struct OfferLog {
    sink: Sink,
    buffer: Vec<u8>,
    is_failing: bool,
}

#[derive(Debug)]
enum Sink {
    Stdout,
    File { path: PathBuf, file: File },
}

impl OfferLog {
    /// To stdout.
    #[must_use]
    pub const fn stdout() -> Self {
        Self::with_sink(Sink::Stdout)
    }

    /// To the end of a file, which is made when it is not there.
    ///
    /// # Errors
    /// The kernel's.
    pub fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::with_sink(Sink::File { path: path.to_owned(), file: open(path)? }))
    }

    const fn with_sink(sink: Sink) -> Self {
        Self { sink, buffer: Vec::new(), is_failing: false }
    }

    /// Whether it is a file.
    #[must_use]
    pub const fn is_file(&self) -> bool {
        matches!(self.sink, Sink::File { .. })
    }

    /// Opens its file anew; the old one stays when that fails.
    pub fn reopen(&mut self) {
        let Sink::File { path, file } = &mut self.sink else { return };
        match open(path) {
            Ok(opened) => *file = opened,
            Err(error) => self.failed(&error),
        }
    }

    /// Writes a line for each; `dropped` counts those that could not be written.
    pub fn write(&mut self, events: &[OfferEvent], clock: Clock, dropped: &Count) {
        if self.was_moved() {
            self.reopen();
        }
        let mut pending = 0;
        for event in events {
            json_line::append(&mut self.buffer, event, clock);
            pending += 1;
            if self.buffer.len() >= CHUNK_BYTES {
                self.flush(std::mem::take(&mut pending), dropped);
            }
        }
        self.flush(pending, dropped);
    }

    /// Whether another file, or none, is where ours was.
    fn was_moved(&self) -> bool {
        let Sink::File { path, file } = &self.sink else { return false };
        let inode = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
        match (path.metadata().map(inode), file.metadata().map(inode)) {
            (Ok(current_file), Ok(open_file)) => current_file != open_file,
            (Err(_), _) => true,
            (_, Err(_)) => false,
        }
    }

    fn flush(&mut self, lines: u64, dropped: &Count) {
        let written = match &mut self.sink {
            Sink::Stdout => io::stdout().write_all(&self.buffer).and_then(|()| io::stdout().flush()),
            Sink::File { file, .. } => file.write_all(&self.buffer),
        };
        self.buffer.clear();
        match written {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                dropped.inc_by(lines);
                self.failed(&error);
            }
        }
    }

    fn failed(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.is_failing, true) {
            let to = match &self.sink {
                Sink::Stdout => "stdout".to_owned(),
                Sink::File { path, .. } => path.display().to_string(),
            };
            tracing::warn!(to, %error, "failed to write about offers (log.offers); it is tried again");
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use super::*;
    use crate::telemetry::json_line::tests::cold;

    fn write(log: &mut OfferLog, offers: usize, dropped: &Count) {
        let events: Vec<_> = (0..offers).map(|_| OfferEvent::Ended(Arc::new(cold()))).collect();
        log.write(&events, Clock::start(), dropped);
    }

    fn lines(path: &Path) -> usize {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.lines().all(|line| line.starts_with('{') && line.ends_with('}')), "{text}");
        text.lines().count()
    }

    #[test]
    fn lines_are_appended_and_follow_the_name_when_the_file_is_moved_or_removed() {
        let path = std::env::temp_dir().join(format!("pilotlight-offers-{}.jsonl", std::process::id()));
        let moved = path.with_extension("1");
        fs::write(&path, "{}\n").unwrap();
        let (mut log, dropped) = (OfferLog::file(&path).unwrap(), Count::default());
        write(&mut log, 1000, &dropped);
        assert_eq!(lines(&path), 1001);
        fs::rename(&path, &moved).unwrap();
        write(&mut log, 2, &dropped);
        assert_eq!((lines(&moved), lines(&path)), (1001, 2));
        fs::remove_file(&path).unwrap();
        write(&mut log, 3, &dropped);
        assert_eq!((lines(&path), dropped.get()), (3, 0));
        fs::remove_file(&path).unwrap();
        fs::remove_file(&moved).unwrap();
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn lines_that_cannot_be_written_are_counted() {
        let (mut log, dropped) = (OfferLog::file(Path::new("/dev/full")).unwrap(), Count::default());
        write(&mut log, 1000, &dropped);
        assert_eq!(dropped.get(), 1000);
    }
}
