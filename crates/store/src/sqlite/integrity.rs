//! Checks the whole store for contradictions. It changes nothing, and its texts never contain the contents of jobs.

use rusqlite::Connection;

use super::jobs::{job_row, select_jobs};
use crate::error::Error;

/// The maximum number of reported violations of one rule, because one rule can be violated a million times.
const MAX_REPORTED: usize = 20;

/// The text for a violation, and the query that finds violations. Each query returns one column, which follows the
/// text.
const RULES: &[(&str, &str)] = &[
    (
        "more than one current job for the cache key of job",
        "SELECT lower(hex(max(id))) FROM jobs WHERE is_current = 1 GROUP BY cache_key HAVING count(*) > 1",
    ),
    (
        "an ended job without an end time, or an end time of a job that has not ended: job",
        "SELECT lower(hex(id)) FROM jobs WHERE (phase >= 5) <> (ended_at IS NOT NULL)",
    ),
    (
        "no parameters for job",
        "SELECT lower(hex(id)) FROM jobs WHERE NOT EXISTS (SELECT 1 FROM inputs WHERE job = seq)",
    ),
    (
        "no result for completed job",
        "SELECT lower(hex(id)) FROM jobs LEFT JOIN outputs ON job = seq WHERE phase IN (5, 6) AND output IS NULL",
    ),
    (
        "wrong stored sizes of job",
        "SELECT lower(hex(id)) FROM jobs LEFT JOIN outputs ON job = seq \
         WHERE input_bytes <> (SELECT octet_length(input) FROM inputs WHERE job = seq) \
         OR output_bytes <> coalesce(octet_length(output), 0) + coalesce(octet_length(error), 0) \
         OR console_bytes <> (SELECT coalesce(sum(octet_length(text)), 0) FROM consoles WHERE job = seq)",
    ),
    (
        "wrong totals of waiting (0), running (2) or ended (5) jobs: phases from",
        "WITH kept (first, jobs, bytes) AS ( \
           SELECT 0, waiting_jobs, waiting_bytes FROM sums UNION ALL \
           SELECT 2, 0, under_way_bytes FROM sums UNION ALL SELECT 5, 0, ended_bytes FROM sums \
         ), found (first, jobs, bytes) AS ( \
           SELECT CASE WHEN phase <= 1 THEN 0 WHEN phase <= 4 THEN 2 ELSE 5 END, phase <= 1, \
                  input_bytes + output_bytes + console_bytes FROM jobs \
         ) SELECT first FROM (SELECT * FROM kept UNION ALL SELECT first, -jobs, -bytes FROM found) \
         GROUP BY first HAVING sum(jobs) <> 0 OR sum(bytes) <> 0",
    ),
    (
        "wrong number of jobs in phase",
        "SELECT phase FROM (SELECT phase, job_type, jobs FROM tallies \
         UNION ALL SELECT phase, job_type, -count(*) FROM jobs GROUP BY phase, job_type) \
         GROUP BY phase, job_type HAVING sum(jobs) <> 0",
    ),
    ("a row refers to a job that does not exist, in table", "SELECT \"table\" FROM pragma_foreign_key_check"),
];

/// See [`crate::Store::verify_integrity`].
pub(super) fn verify_integrity(db: &Connection) -> Result<Vec<String>, Error> {
    let snapshot = db.unchecked_transaction()?;
    let mut violations = Vec::new();
    collect_violations(
        &snapshot,
        "PRAGMA integrity_check(20)",
        |it| if it == "ok" { None } else { Some(it) },
        &mut violations,
    )?;
    // In a damaged file the other rules would only report the same damage.
    if !violations.is_empty() {
        return Ok(violations);
    }
    for (text, sql) in RULES {
        collect_violations(&snapshot, sql, |it| Some(format!("{text} {it}")), &mut violations)?;
    }
    collect_unreadable(&snapshot, &mut violations)?;
    Ok(violations)
}

fn collect_violations(
    db: &Connection,
    sql: &str,
    format_violation: impl Fn(String) -> Option<String>,
    violations: &mut Vec<String>,
) -> Result<(), Error> {
    let mut statement = db.prepare(sql)?;
    let mut rows = statement.query([])?;
    let limit = violations.len() + MAX_REPORTED;
    while let Some(row) = rows.next()? {
        let it = row.get_ref(0)?;
        let it = it.as_str().map(str::to_owned).or_else(|_| it.as_i64().map(|it| it.to_string()));
        violations.extend(format_violation(it.unwrap_or_default()));
        if violations.len() >= limit {
            break;
        }
    }
    Ok(())
}

/// Reports jobs whose rows have invalid values.
fn collect_unreadable(db: &Connection, violations: &mut Vec<String>) -> Result<(), Error> {
    let mut statement = db.prepare(select_jobs!("ORDER BY seq"))?;
    let mut rows = statement.query([])?;
    let limit = violations.len() + MAX_REPORTED;
    while let Some(row) = rows.next()? {
        if let Err(error) = job_row(row) {
            violations.push(error.to_string());
        }
        if violations.len() >= limit {
            break;
        }
    }
    Ok(())
}
