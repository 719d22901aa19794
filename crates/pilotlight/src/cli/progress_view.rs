//! Shows a job as it goes: a bar on stderr where that is a terminal, and the console as it grows. Where it is none there
//! are no bars, no colours, and no line that is not the job's own.

use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pilotlight_wire::jobs::{Console, Job, Progress};
use serde_json::{Value as Json, json};

use super::command::Failure;
use super::follow::{JobUpdate, has_ended};
use super::format;
use super::output;

/// How often the bar moves when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// Where the console goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    /// To stderr: stdout is the result's.
    Stderr,
    /// To stdout: it is what was asked for.
    Stdout,
    /// To stdout, with everything else, as a line of JSON for each event.
    JsonEvents,
    /// Nowhere.
    Discard,
}

/// What is shown of one job.
pub(super) struct ProgressView {
    bar: ProgressBar,
    sink: Sink,
    buffer: ConsoleBuffer,
}

impl ProgressView {
    /// Nothing yet.
    pub(super) fn new(sink: Sink) -> Self {
        // Hidden where stderr is no terminal.
        let bar = ProgressBar::new_spinner();
        bar.set_style(spinner_style());
        bar.enable_steady_tick(TICK);
        Self { bar, sink, buffer: ConsoleBuffer::for_sink(sink) }
    }

    /// Shows it.
    pub(super) fn show(&mut self, update: &JobUpdate) -> Result<(), Failure> {
        match update {
            JobUpdate::Status(job) => self.status(job),
            JobUpdate::Progress(progress) => self.progress(*progress),
            JobUpdate::Console(text) => self.console(text),
            JobUpdate::Unreachable(why) => {
                self.bar.set_message("the service is away, asking again");
                self.bar
                    .suspend(|| output::note(format_args!("failed to {why}; asking again for two minutes")));
                Ok(())
            }
        }
    }

    /// Takes the bar away, so that what follows stands by itself.
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
                self.bar.suspend(|| output::write_stderr(text));
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

/// What is written of a console, and when.
#[derive(Debug)]
enum ConsoleBuffer {
    /// As it comes, byte for byte.
    Unbuffered,
    /// By whole lines, because a bar stands below, and without what would command the terminal.
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

    /// What was held back, as a line.
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
