//! Figures, their goals, and their output as a table and as JSON.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use serde::Serialize;

/// Options for the report and for checking goals.
#[derive(Debug, Args)]
pub(crate) struct ReportArgs {
    /// Write the measurements to this file as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Exit with 0 even if a goal is missed.
    #[arg(long)]
    no_check: bool,
}

impl ReportArgs {
    /// Prints the table and writes the JSON record. Returns true if every goal was met, or with `--no-check`.
    pub(crate) fn print_and_check(
        &self,
        headline: impl Display,
        figures: &[Figure],
        record: &impl Serialize,
    ) -> Result<bool> {
        println!("{headline}\n\n{}", table(figures));
        if let Some(path) = &self.json {
            write_json(path, record)?;
        }
        Ok(all_met(figures) || self.no_check)
    }
}

/// The goal of a figure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "kind", content = "bound", rename_all = "snake_case")]
pub(crate) enum Goal {
    RatioAtLeast(f64),
    RatioAtMost(f64),
    /// The ratio differs from 1 by at most this: for two measurements of the same program.
    RatioNearOne(f64),
    ValueAtMost(f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Ok,
    Missed,
    /// The figure has no goal; it is shown for information.
    NoGoal,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    pub(crate) floor: Option<f64>,
    pub(crate) ratio: Option<f64>,
    pub(crate) goal: Option<Goal>,
    pub(crate) verdict: Verdict,
}

/// A figure before it is judged.
pub(crate) struct Measurement {
    pub(crate) name: String,
    pub(crate) unit: &'static str,
    pub(crate) value: f64,
    pub(crate) floor: Option<f64>,
    pub(crate) ratio: Option<f64>,
}

impl Measurement {
    pub(crate) fn judge(self, goal: Option<Goal>) -> Figure {
        let verdict = goal.map_or(Verdict::NoGoal, |goal| goal.judge(self.value, self.ratio));
        let Self { name, unit, value, floor, ratio } = self;
        Figure { name, unit, value, floor, ratio, goal, verdict }
    }
}

impl Goal {
    /// A goal for a ratio counts as missed if the ratio was not measured.
    fn judge(self, value: f64, ratio: Option<f64>) -> Verdict {
        let met = match self {
            Self::RatioAtLeast(bound) => ratio.is_some_and(|ratio| ratio >= bound),
            Self::RatioAtMost(bound) => ratio.is_some_and(|ratio| ratio <= bound),
            Self::RatioNearOne(share) => ratio.is_some_and(|ratio| (ratio - 1.0).abs() <= share),
            Self::ValueAtMost(bound) => value <= bound,
        };
        if met { Verdict::Ok } else { Verdict::Missed }
    }
}

impl Display for Goal {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::RatioAtLeast(bound) => write!(f, "ratio >= {bound}"),
            Self::RatioAtMost(bound) => write!(f, "ratio <= {bound}"),
            Self::RatioNearOne(share) => write!(f, "ratio 1 +- {share}"),
            Self::ValueAtMost(bound) => write!(f, "at most {bound}"),
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Missed => "MISSED",
            Self::NoGoal => "",
        })
    }
}

pub(crate) fn all_met(figures: &[Figure]) -> bool {
    figures.iter().all(|figure| figure.verdict != Verdict::Missed)
}

/// One line per figure below a line of headings, without trailing spaces.
fn table(figures: &[Figure]) -> String {
    const HEADINGS: [&str; 7] = ["", "measured", "floor", "", "ratio", "goal", ""];
    let headings = HEADINGS.map(str::to_owned);
    let rows: Vec<[String; 7]> = std::iter::once(headings).chain(figures.iter().map(cells)).collect();
    let widths: [usize; 7] =
        std::array::from_fn(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0));
    rows.iter().map(|row| line(row, widths)).collect()
}

fn cells(figure: &Figure) -> [String; 7] {
    [
        figure.name.clone(),
        number(figure.value),
        figure.floor.map(number).unwrap_or_default(),
        figure.unit.to_owned(),
        figure.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
        figure.goal.map(|goal| goal.to_string()).unwrap_or_default(),
        figure.verdict.to_string(),
    ]
}

/// Writes the record as JSON.
fn write_json(path: &Path, record: &impl Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(record)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// One line of the table: text is left-aligned, numbers are right-aligned.
fn line([name, value, floor, unit, ratio, goal, verdict]: &[String; 7], widths: [usize; 7]) -> String {
    let [w_name, w_value, w_floor, w_unit, w_ratio, w_goal, _] = widths;
    let line = format!(
        "{name:w_name$}  {value:>w_value$}  {floor:>w_floor$} {unit:w_unit$}  {ratio:>w_ratio$}  {goal:w_goal$}  {verdict}"
    );
    format!("{}\n", line.trim_end())
}

/// Formats a value with one decimal below 100, and with thousands separators from 10,000.
fn number(value: f64) -> String {
    let text = match value.abs() {
        0.0 => "0".to_owned(),
        small if small < 100.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    };
    match text.len() {
        length @ 5.. if !text.contains('.') => {
            format!("{},{}", thousands(&text[..length - 3]), &text[length - 3..])
        }
        _ => text,
    }
}

fn thousands(digits: &str) -> String {
    match digits.len() {
        length @ 4.. => format!("{},{}", thousands(&digits[..length - 3]), &digits[length - 3..]),
        _ => digits.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measurement(value: f64, ratio: Option<f64>) -> Measurement {
        Measurement { name: "answer p50, ack on".into(), unit: "us", value, floor: Some(50.0), ratio }
    }

    #[test]
    fn goals_are_met_at_their_bound_and_missed_past_it_or_without_a_ratio() {
        let table = [
            (Goal::RatioAtLeast(0.65), Some(0.65), Verdict::Ok),
            (Goal::RatioAtLeast(0.65), Some(0.64), Verdict::Missed),
            (Goal::RatioAtMost(2.5), Some(2.5), Verdict::Ok),
            (Goal::RatioAtMost(2.5), Some(2.6), Verdict::Missed),
            (Goal::RatioNearOne(0.05), Some(0.96), Verdict::Ok),
            (Goal::RatioNearOne(0.05), Some(1.06), Verdict::Missed),
            (Goal::RatioAtMost(2.5), None, Verdict::Missed),
            (Goal::ValueAtMost(100.0), None, Verdict::Ok),
            (Goal::ValueAtMost(99.0), None, Verdict::Missed),
        ];
        for (goal, ratio, verdict) in table {
            assert_eq!(measurement(100.0, ratio).judge(Some(goal)).verdict, verdict, "{goal} of {ratio:?}");
        }
        assert_eq!(measurement(100.0, None).judge(None).verdict, Verdict::NoGoal);
    }

    #[test]
    fn numbers_are_readable() {
        let table = [
            (0.0, "0"),
            (9.04, "9.0"),
            (123.4, "123"),
            (1_234.0, "1234"),
            (12_345.6, "12,346"),
            (1e6, "1,000,000"),
        ];
        for (value, text) in table {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn table_columns_are_aligned() {
        let figures = [
            measurement(123.4, Some(2.468)).judge(Some(Goal::RatioAtMost(2.5))),
            measurement(7.0, None).judge(None),
        ];
        let expected = "                    measured  floor     ratio  goal\n\
                        answer p50, ack on       123   50.0 us   2.47  ratio <= 2.5  ok\n\
                        answer p50, ack on       7.0   50.0 us\n";
        assert_eq!(table(&figures), expected);
    }
}
