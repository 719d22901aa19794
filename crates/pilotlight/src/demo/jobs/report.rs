//! The report of the jobs scene: the measured times side by side, and a check of what the scene demonstrates.

use std::collections::HashSet;
use std::fmt;

use console::style;
use serde::Serialize;

use super::callers::TimedResult;
use crate::demo::times::format_time;

const BAR_WIDTH: u64 = 40;

/// Block characters from one eighth of a cell to a whole cell.
const EIGHTHS: [&str; 8] = ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"];

/// The measurements of the scene.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct JobsReport {
    /// The interpreter that executed the jobs.
    pub(crate) program: &'static str,
    /// No runner was waiting: a runner and a process were started for each job.
    pub(crate) cold: Measurements,
    /// A runner was waiting, with a warm process that had loaded everything.
    pub(crate) warm: Measurements,
    /// The same job was submitted again; its result was cached.
    pub(crate) cached: Measurements,
    /// A new job, submitted by all callers at once.
    pub(crate) together: Measurements,
}

/// Measurements of some submissions of one job, from the submission to the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Measurements {
    /// The number of submissions.
    pub(crate) submissions: usize,
    /// How often the program executed a job meanwhile, counted by the program.
    pub(crate) executions: usize,
    /// The number of different processes that computed the results.
    pub(crate) processes: usize,
    /// The number of different results, compared byte for byte.
    pub(crate) results: usize,
    /// The number of wrong results.
    pub(crate) wrong: usize,
    /// The median time in microseconds.
    pub p50_us: u64,
    /// The longest time in microseconds.
    pub(crate) longest_us: u64,
}

impl Measurements {
    pub(super) fn new(answers: &[TimedResult], prime: u32, executions: usize) -> Self {
        let mut times: Vec<_> = answers.iter().map(|answer| answer.took_us).collect();
        times.sort_unstable();
        Self {
            submissions: answers.len(),
            executions,
            processes: answers.iter().map(|answer| answer.process).collect::<HashSet<_>>().len(),
            results: answers.iter().map(|answer| &answer.text).collect::<HashSet<_>>().len(),
            wrong: answers.iter().filter(|answer| answer.prime != prime).count(),
            p50_us: times.get(times.len() / 2).copied().unwrap_or(0),
            longest_us: times.last().copied().unwrap_or(0),
        }
    }
}

impl JobsReport {
    /// A sentence for each rule that the measurements violate.
    #[must_use]
    pub(crate) fn violations(&self) -> Vec<String> {
        let Self { program: _, cold, warm, cached, together } = self;
        let rules = [
            (cold.executions == cold.submissions, "each cold job is executed once"),
            (cold.processes == cold.submissions, "each cold job has its own process"),
            (warm.executions == warm.submissions, "each warm job is executed once"),
            (warm.processes == 1, "one process executes all warm jobs"),
            (cached.executions == 0, "a cached job is not executed again"),
            (cached.results == 1, "a cached result is the same each time"),
            (together.executions == 1, "a job that all callers submit at once is executed once"),
            (together.results == 1, "all callers of this job get the same result"),
            (self.measured().iter().all(|measured| measured.wrong == 0), "every result is correct"),
        ];
        let violations = rules.into_iter().filter(|(holds, _)| !holds);
        violations.map(|(_, rule)| format!("this does not hold: {rule}")).collect()
    }

    const fn measured(&self) -> [&Measurements; 4] {
        [&self.cold, &self.warm, &self.cached, &self.together]
    }

    /// The name of each row and the time that it shows.
    fn rows(&self) -> [(String, u64); 4] {
        [
            ("cold".to_owned(), self.cold.p50_us),
            ("warm".to_owned(), self.warm.p50_us),
            ("cached".to_owned(), self.cached.p50_us),
            (format!("{} callers", self.together.submissions), self.together.longest_us),
        ]
    }

    fn descriptions(&self) -> [String; 4] {
        let Self { program, cold, warm, cached, together } = self;
        [
            format!(
                "no runner waits: a runner is started, and {program} for the job ({} times, {} processes)",
                cold.submissions, cold.processes
            ),
            format!(
                "a runner waits, its {program} has loaded everything ({} times, {} process)",
                warm.submissions, warm.processes
            ),
            format!(
                "the same submission again: no runner is needed ({} times, {} executions)",
                cached.submissions, cached.executions
            ),
            format!(
                "a new job, submitted by all callers at once: {} execution, {} equal results, the last after {}",
                together.executions,
                together.submissions,
                format_time(together.longest_us)
            ),
        ]
    }
}

impl fmt::Display for JobsReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows = self.rows();
        let longest = rows.iter().map(|(_, us)| *us).max().unwrap_or(0);
        writeln!(out, "From the submission to the result:\n")?;
        for (number, (name, us)) in rows.iter().enumerate() {
            let bar = style(bar(*us, longest));
            let bar = if number == 0 { bar.blue() } else { bar.yellow() };
            writeln!(out, "  {name:<11}  {:>8}  {bar}", format_time(*us))?;
        }
        writeln!(out)?;
        for ((name, _), words) in rows.iter().zip(self.descriptions()) {
            writeln!(out, "  {name:<11}  {words}")?;
        }
        Ok(())
    }
}

/// A bar whose length is proportional to `us`; `longest` gives the full width. It is never empty.
fn bar(us: u64, longest: u64) -> String {
    let eighths = (us * BAR_WIDTH * 8).div_ceil(longest.max(1)).max(1);
    let whole = "█".repeat(usize::try_from((eighths - 1) / 8).unwrap_or(0));
    let last = usize::try_from((eighths - 1) % 8).unwrap_or(0);
    whole + EIGHTHS[last]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(took_us: u64, process: u32) -> TimedResult {
        TimedResult { took_us, prime: 7, process, text: format!("{process}") }
    }

    fn measured(submissions: usize, executions: usize) -> Measurements {
        let answers: Vec<_> = (0..submissions).map(|number| answer(number as u64, 1)).collect();
        Measurements::new(&answers, 7, executions)
    }

    fn report() -> JobsReport {
        let cold = Measurements::new(&[answer(90_000, 1), answer(80_000, 2), answer(99_000, 3)], 7, 3);
        let (warm, cached, together) = (measured(50, 50), measured(200, 0), measured(100, 1));
        JobsReport { program: "sh", cold, warm, cached, together }
    }

    #[test]
    fn measurements_are_counted() {
        let two = Measurements::new(&[answer(5, 1), answer(3, 2), answer(4, 2)], 7, 3);
        let counts = (two.submissions, two.executions, two.processes, two.results, two.wrong);
        assert_eq!((counts, two.p50_us, two.longest_us), ((3, 3, 2, 2, 0), 4, 5));
        assert_eq!(Measurements::new(&[answer(5, 1)], 8, 1).wrong, 1);
    }

    #[test]
    fn every_violation_is_reported() {
        assert!(report().violations().is_empty());
        let violations = [
            JobsReport { together: measured(100, 2), ..report() },
            JobsReport { together: Measurements { results: 2, ..measured(100, 1) }, ..report() },
            JobsReport { cached: measured(200, 1), ..report() },
            JobsReport { cached: Measurements { results: 2, ..measured(200, 0) }, ..report() },
            JobsReport { warm: measured(50, 49), ..report() },
            JobsReport { warm: Measurements { processes: 2, ..measured(50, 50) }, ..report() },
            JobsReport { cold: Measurements { processes: 2, ..report().cold }, ..report() },
            JobsReport { cold: Measurements { executions: 2, ..report().cold }, ..report() },
            JobsReport { warm: Measurements { wrong: 1, ..measured(50, 50) }, ..report() },
        ];
        for report in violations {
            assert_eq!(report.violations().len(), 1, "{report:?}");
        }
    }

    #[test]
    fn a_bar_is_proportional_to_the_longest_time() {
        assert_eq!([bar(80, 80), bar(40, 80)], ["█".repeat(40), "█".repeat(20)]);
        assert_eq!([bar(0, 80), bar(1, 80), bar(1, 1000)], ["▏", "▌", "▏"]);
        assert_eq!(bar(0, 0), "▏");
    }

    #[test]
    fn times_are_printed_with_their_descriptions() {
        let text = console::strip_ansi_codes(&report().to_string()).into_owned();
        assert!(text.contains("  cold          90.0 ms  ████"), "{text}");
        assert!(text.contains("  100 callers     99 µs  ▏\n"), "{text}");
        assert!(text.contains("1 execution, 100 equal results"), "{text}");
    }
}
