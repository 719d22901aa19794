//! Shows a running job: a progress bar on stderr if stderr is a terminal, and the console output as it grows.
//!
//! Without a terminal there are no bars and no colours, and only the job's own console output is written.

use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pilotlight_wire::jobs::{Console, Job, Progress};
use serde_json::{Value as Json, json};

use super::failure::Failure;
use super::follow::{JobUpdate, has_ended};
use super::{format, messages, output};

/// How often the spinner is redrawn.
const TICK: Duration = Duration::from_millis(100);

/// Where the console output is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    /// To stderr, because stdout is for the result.
    Stderr,
    /// To stdout, because the console output is the command's answer.
    Stdout,
    /// To stdout, as one line of JSON per event, with all other events.
    JsonEvents,
    /// Nowhere.
    Discard,
}

/// The view of one job.
pub(super) struct ProgressView {
    bar: ProgressBar,
    sink: Sink,
    buffer: ConsoleBuffer,
}

impl ProgressView {
    /// A view that shows only a spinner.
    pub(super) fn new(sink: Sink) -> Self {
        // indicatif hides the spinner if stderr is not a terminal.
        let bar = ProgressBar::new_spinner();
        bar.set_style(spinner_style());
        bar.enable_steady_tick(TICK);
        Self { bar, sink, buffer: ConsoleBuffer::for_sink(sink) }
    }

    /// Shows an update of the job.
    pub(super) fn show(&mut self, update: &JobUpdate) -> Result<(), Failure> {
        match update {
            JobUpdate::Status(job) => self.status(job),
            JobUpdate::Progress(progress) => self.progress(*progress),
            JobUpdate::Console(text) => self.console(text),
            JobUpdate::Unreachable(why) => {
                self.bar.set_message("the service is unreachable, trying again");
                self.bar.suspend(|| {
                    messages::note(format_args!("failed to {why}; trying again for two minutes"))
                });
                Ok(())
            }
        }
    }

    /// Removes the bar and writes buffered console output, so that later output is not mixed with them.
    pub(super) fn clear(&mut self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let rest = self.buffer.flush();
        self.write(&rest)
    }

    fn status(&mut self, job: &Job) -> Result<(), Failure> {
        self.bar.set_message(format!(
            "{} {}",
            format::status(job.status),
            output::sanitize_line(&job.job_type)
        ));
        if !has_ended(job.status) && job.progress.is_none() {
            self.bar.set_style(spinner_style());
        }
        if let Some(progress) = job.progress {
            self.draw(progress);
        }
        self.print_event("status", || serde_json::to_value(job))
    }

    fn progress(&mut self, progress: Progress) -> Result<(), Failure> {
        self.draw(progress);
        self.print_event("progress", || serde_json::to_value(progress))
    }

    fn draw(&self, Progress { current, total }: Progress) {
        if total == 0 {
            return;
        }
        self.bar.set_style(bar_style());
        self.bar.set_length(total);
        self.bar.set_position(current.min(total));
    }

    fn console(&mut self, text: &str) -> Result<(), Failure> {
        let printable = self.buffer.push(text);
        self.write(&printable)?;
        self.print_event("console", || serde_json::to_value(Console { is_whole: false, text: text.into() }))
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        match self.sink {
            Sink::Stderr => {
                self.bar.suspend(|| messages::write(text));
                Ok(())
            }
            Sink::Stdout => self.bar.suspend(|| output::write(text)),
            Sink::JsonEvents | Sink::Discard => Ok(()),
        }
    }

    fn print_event(
        &self,
        name: &str,
        data: impl FnOnce() -> serde_json::Result<Json>,
    ) -> Result<(), Failure> {
        match self.sink {
            Sink::JsonEvents => {
                let event = json!({ "event": name, "data": data()? });
                self.bar.suspend(|| output::json(&event))
            }
            Sink::Stderr | Sink::Stdout | Sink::Discard => Ok(()),
        }
    }
}

fn spinner_style() -> ProgressStyle {
    let style = "{spinner:.cyan} {msg} {elapsed:.dim}";
    ProgressStyle::with_template(style).expect("the template is well formed")
}

fn bar_style() -> ProgressStyle {
    let style = "{spinner:.cyan} {msg} {bar:30.cyan/dim} {pos}/{len} {percent}% {eta:.dim} to go";
    ProgressStyle::with_template(style).expect("the template is well formed")
}

/// Buffers console output if it is written to a terminal.
#[derive(Debug)]
enum ConsoleBuffer {
    /// Output is written at once, byte for byte.
    Unbuffered,
    /// Output is written in whole lines, because the bar is drawn below it, and with control characters made visible.
    /// Contains the incomplete last line.
    ByLine(String),
}

impl ConsoleBuffer {
    fn for_sink(sink: Sink) -> Self {
        let is_terminal = match sink {
            Sink::Stderr => stderr().is_terminal(),
            Sink::Stdout => stdout().is_terminal(),
            Sink::JsonEvents | Sink::Discard => false,
        };
        if is_terminal { Self::ByLine(String::new()) } else { Self::Unbuffered }
    }

    fn push(&mut self, text: &str) -> String {
        match self {
            Self::Unbuffered => text.to_owned(),
            Self::ByLine(pending) => {
                pending.push_str(text);
                let rest = pending.split_off(pending.rfind('\n').map_or(0, |at| at + 1));
                output::sanitize(&std::mem::replace(pending, rest))
            }
        }
    }

    /// Takes the buffered incomplete line, with a line break.
    fn flush(&mut self) -> String {
        match self {
            Self::Unbuffered => String::new(),
            Self::ByLine(pending) if pending.is_empty() => String::new(),
            Self::ByLine(pending) => output::sanitize(&std::mem::take(pending)) + "\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_gets_only_complete_lines() {
        let mut buffer = ConsoleBuffer::ByLine(String::new());
        assert_eq!(buffer.push("ha"), "");
        assert_eq!(buffer.push("lf\nand \x1b[31m"), "half\n");
        assert_eq!(buffer.flush(), "and \u{241b}[31m\n");
        assert_eq!(buffer.flush(), "");
    }

    #[test]
    fn a_pipe_gets_the_console_unchanged() {
        let mut buffer = ConsoleBuffer::Unbuffered;
        assert_eq!(buffer.push("\x1b[31mha"), "\x1b[31mha");
        assert_eq!(buffer.flush(), "");
    }
}
