//! A progress line on stderr that shows the current measurement, if stderr is a terminal.
//!
//! It is drawn only between measurements, so that drawing does not affect them.

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}");
        bar.set_style(style.expect("the template is a valid constant"));
        Self { bar }
    }

    pub(crate) fn next(&self, step: String) {
        self.bar.set_message(step);
        self.bar.inc(1);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
