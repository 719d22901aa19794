//! The offer log (`log.offers`): writes one JSON line per event to stdout or to a file, which log rotation may move. It
//! must not run on the match path, because writes may block. Lines that cannot be written are counted; the failure is
//! logged once until a write succeeds again.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use pilotlight_net::clock::Clock;

use crate::telemetry::json_line;
use crate::telemetry::metrics::Count;
use crate::telemetry::offer_event::OfferEvent;

/// The buffer is written when it reaches this size, in bytes. It always ends with a whole line.
const CHUNK_BYTES: usize = 64 * 1024;

/// The open offer log.
#[derive(Debug)]
pub(crate) struct OfferLog {
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
    /// A log to stdout.
    #[must_use]
    pub(crate) const fn stdout() -> Self {
        Self::with_sink(Sink::Stdout)
    }

    /// A log that is appended to this file, which is created when it does not exist.
    ///
    /// # Errors
    /// The operating system's, when the file cannot be opened.
    pub(crate) fn file(path: &Path) -> io::Result<Self> {
        Ok(Self::with_sink(Sink::File { path: path.to_owned(), file: open(path)? }))
    }

    const fn with_sink(sink: Sink) -> Self {
        Self { sink, buffer: Vec::new(), is_failing: false }
    }

    /// Whether the log is a file.
    #[must_use]
    pub(crate) const fn is_file(&self) -> bool {
        matches!(self.sink, Sink::File { .. })
    }

    /// Opens the file again, by its name. The old one stays open when that fails.
    pub(crate) fn reopen(&mut self) {
        let Sink::File { path, file } = &mut self.sink else { return };
        match open(path) {
            Ok(opened) => *file = opened,
            Err(error) => self.failed(&error),
        }
    }

    /// Writes a line for each event; `dropped` counts the lines that could not be written.
    pub(crate) fn write(&mut self, events: &[OfferEvent], clock: Clock, dropped: &Count) {
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

    /// Whether the file was moved or removed: its name now belongs to another file, or to none.
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
            tracing::warn!(to, %error, "failed to write the offer log (log.offers); retrying");
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
    fn lines_are_appended_and_a_moved_or_removed_file_is_created_again() {
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
