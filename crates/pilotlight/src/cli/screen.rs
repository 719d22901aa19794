//! Shows a job as it goes: a bar on stderr where that is a terminal, and the console as it grows. Where it is none there
//! are no bars, no colours, and no line that is not the job's own.

use std::io::{IsTerminal, stderr, stdout};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pilotlight_wire::jobs::{Console, Job, Progress};
use serde_json::{Value as Json, json};

use super::command::Failure;
use super::following::{Told, has_ended};
use super::out;
use super::shown;

/// How often the bar moves when nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// Where the console goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sink {
    /// To stderr: stdout is the result's.
    Aside,
    /// To stdout: it is what was asked for.
    Answer,
    /// To stdout, with everything else, as a line of JSON for each event.
    Events,
    /// Nowhere.
    Nowhere,
}

/// What is shown of one job.
pub(super) struct Screen {
    bar: ProgressBar,
    sink: Sink,
    lines: Lines,
}

impl Screen {
    /// Nothing yet.
    pub(super) fn new(sink: Sink) -> Self {
        // Hidden where stderr is no terminal.
        let bar = ProgressBar::new_spinner();
        bar.set_style(waiting());
        bar.enable_steady_tick(TICK);
        Self { bar, sink, lines: Lines::of(sink) }
    }

    /// Shows it.
    pub(super) fn tell(&mut self, told: &Told) -> Result<(), Failure> {
        match told {
            Told::Status(job) => self.status(job),
            Told::Progress(progress) => self.progress(*progress),
            Told::Console(text) => self.console(text),
            Told::Away(why) => {
                self.bar.set_message("the service is away, asking again");
                self.bar.suspend(|| out::note(format_args!("failed to {why}; asking again for two minutes")));
                Ok(())
            }
        }
    }

    /// Takes the bar away, so that what follows stands by itself.
    pub(super) fn clear(&mut self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        let rest = self.lines.rest();
        self.write(&rest)
    }

    fn status(&mut self, job: &Job) -> Result<(), Failure> {
        self.bar.set_message(format!("{} {}", shown::status(job.status), out::on_one_line(&job.job_type)));
        if !has_ended(job.status) && job.progress.is_none() {
            self.bar.set_style(waiting());
        }
        if let Some(progress) = job.progress {
            self.draw(progress);
        }
        self.event("status", || serde_json::to_value(job))
    }

    fn progress(&mut self, progress: Progress) -> Result<(), Failure> {
        self.draw(progress);
        self.event("progress", || serde_json::to_value(progress))
    }

    fn draw(&self, Progress { current, total }: Progress) {
        if total == 0 {
            return;
        }
        self.bar.set_style(measured());
        self.bar.set_length(total);
        self.bar.set_position(current.min(total));
    }

    fn console(&mut self, text: &str) -> Result<(), Failure> {
        let whole = self.lines.take(text);
        self.write(&whole)?;
        self.event("console", || serde_json::to_value(Console { is_whole: false, text: text.into() }))
    }

    fn write(&self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        match self.sink {
            Sink::Aside => {
                self.bar.suspend(|| out::aside(text));
                Ok(())
            }
            Sink::Answer => self.bar.suspend(|| out::piece(text)),
            Sink::Events | Sink::Nowhere => Ok(()),
        }
    }

    fn event(&self, name: &str, data: impl FnOnce() -> serde_json::Result<Json>) -> Result<(), Failure> {
        match self.sink {
            Sink::Events => {
                let event = json!({ "event": name, "data": data()? });
                self.bar.suspend(|| out::json(&event))
            }
            Sink::Aside | Sink::Answer | Sink::Nowhere => Ok(()),
        }
    }
}

fn waiting() -> ProgressStyle {
    let style = "{spinner:.cyan} {msg} {elapsed:.dim}";
    ProgressStyle::with_template(style).expect("the template is well formed")
}

fn measured() -> ProgressStyle {
    let style = "{spinner:.cyan} {msg} {bar:30.cyan/dim} {pos}/{len} {percent}% {eta:.dim} to go";
    ProgressStyle::with_template(style).expect("the template is well formed")
}

/// What is written of a console, and when.
#[derive(Debug)]
enum Lines {
    /// As it comes, byte for byte.
    AsTheyCome,
    /// By whole lines, because a bar stands below, and without what would command the terminal.
    Whole(String),
}

impl Lines {
    fn of(sink: Sink) -> Self {
        let is_terminal = match sink {
            Sink::Aside => stderr().is_terminal(),
            Sink::Answer => stdout().is_terminal(),
            Sink::Events | Sink::Nowhere => false,
        };
        if is_terminal { Self::Whole(String::new()) } else { Self::AsTheyCome }
    }

    fn take(&mut self, text: &str) -> String {
        match self {
            Self::AsTheyCome => text.to_owned(),
            Self::Whole(held) => {
                held.push_str(text);
                let rest = held.split_off(held.rfind('\n').map_or(0, |at| at + 1));
                out::harmless(&std::mem::replace(held, rest))
            }
        }
    }

    /// What was held back, as a line.
    fn rest(&mut self) -> String {
        match self {
            Self::AsTheyCome => String::new(),
            Self::Whole(held) if held.is_empty() => String::new(),
            Self::Whole(held) => out::harmless(&std::mem::take(held)) + "\n",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_a_bar_there_are_only_whole_lines() {
        let mut lines = Lines::Whole(String::new());
        assert_eq!(lines.take("ha"), "");
        assert_eq!(lines.take("lf\nand \x1b[31m"), "half\n");
        assert_eq!(lines.rest(), "and \u{241b}[31m\n");
        assert_eq!(lines.rest(), "");
    }

    #[test]
    fn into_a_pipe_a_console_goes_byte_for_byte() {
        let mut lines = Lines::AsTheyCome;
        assert_eq!(lines.take("\x1b[31mha"), "\x1b[31mha");
        assert_eq!(lines.rest(), "");
    }
}
