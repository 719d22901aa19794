//! One quiet line on stderr that says what is being measured; nothing when nobody looks.
//!
//! It is drawn between measurements only, so that drawing is never measured.

use indicatif::{ProgressBar, ProgressStyle};

pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    pub(crate) fn new(steps: usize) -> Self {
        let bar = ProgressBar::new(u64::try_from(steps).unwrap_or(u64::MAX));
        let style = ProgressStyle::with_template("{bar:24} {pos}/{len}  {msg}");
        bar.set_style(style.expect("the template is a constant that indicatif reads"));
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
