//! All SQL statements, in one file so that one test prepares them all on a real server. Statements that read jobs
//! return the columns of [`crate::columns::JobColumns`] in order, then the other columns of a
//! [`crate::job_row::JobRow`].

use crate::columns::columns;

/// The settings of each new connection: every wait has a timeout, and a commit is answered only when it is on disk.
pub(super) const SESSION: &str = "SET search_path = pilotlight; SET client_min_messages = warning; \
     SET statement_timeout = '10s'; SET lock_timeout = '8s'; SET idle_in_transaction_session_timeout = '20s'; \
     SET jit = off; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Each statement sees the latest committed rows, not a snapshot of the transaction's beginning.
pub(super) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE";
pub(super) const COMMIT: &str = "COMMIT";
pub(super) const ROLLBACK: &str = "ROLLBACK";

/// Begins a migration under an advisory lock. The lock's number is arbitrary, and must be the same in all versions.
pub(super) const BEGIN_MIGRATION: &str = "BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE; \
     SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '5min'; \
     SET LOCAL idle_in_transaction_session_timeout = '10min'; \
     SELECT pg_advisory_xact_lock(7164210597); \
     DO $$ BEGIN \
       IF to_regnamespace('pilotlight') IS NULL THEN CREATE SCHEMA pilotlight; END IF; \
     END $$; \
     CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)";
pub(super) const SCHEMA: &str = "SELECT value FROM meta WHERE name = 'schema'";
pub(super) const READABLE_FROM: &str = "SELECT value FROM meta WHERE name = 'readable_from'";
pub(super) const SET_META: &str = "INSERT INTO meta (name, value) VALUES ($1, $2) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

/// Commits on this connection do not wait for the disk: notifications that are lost in a server crash are replaced by a
/// resync.
pub(super) const LISTEN: &str =
    "SET synchronous_commit = off; SET statement_timeout = '5s'; LISTEN pilotlight";
pub(super) const NOTIFY: &str = "SELECT pg_notify('pilotlight', $1)";
pub(super) const PING: &str = "SELECT 1";

/// The time of this call in milliseconds since 1970, not of the transaction's beginning.
pub(super) const CLOCK: &str = "SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/// The columns of a [`crate::job_row::JobRow`].
macro_rules! job_row {
    () => {
        concat!(columns!(), ", seq, ended_at, input_bytes, output_bytes, console_bytes")
    };
}

/// The console of the job in the outer query.
macro_rules! console {
    () => {
        "(SELECT string_agg(text, ''::bytea ORDER BY piece) FROM consoles WHERE consoles.job = seq)"
    };
}

/// A `SELECT` of jobs with their outputs.
macro_rules! select_record {
    () => {
        concat!(
            "SELECT ",
            job_row!(),
            ", output, error, ",
            console!(),
            " FROM jobs LEFT JOIN outputs ON job = seq "
        )
    };
}

pub(super) const FIND_JOB: &str = concat!(select_record!(), "WHERE id = $1");
pub(super) const FIND_CURRENT: &str = concat!(select_record!(), "WHERE cache_key = $1 AND is_current");
pub(super) const INPUT: &str = "SELECT input FROM inputs JOIN jobs ON job = seq WHERE id = $1";

pub(super) const LOCK_JOB: &str = concat!("SELECT ", job_row!(), " FROM jobs WHERE id = $1 FOR UPDATE");
pub(super) const LOCK_CURRENT: &str =
    concat!("SELECT ", job_row!(), " FROM jobs WHERE cache_key = $1 AND is_current FOR UPDATE");
pub(super) const LOCK_SEVERAL: &str =
    concat!("SELECT ", job_row!(), " FROM jobs WHERE id = ANY($1) ORDER BY seq FOR UPDATE");

/// The counter share of this connection.
macro_rules! counter_share {
    () => {
        "(pg_backend_pid() % 16)::smallint"
    };
}

/// Inserts a new job with its parameters, idempotency key, webhook call and counters, unless its cache key has a
/// current job. Can run as a transaction of its own. Returns one row if the job was inserted.
pub(super) const INSERT: &str = concat!(
    "WITH made AS ( \
       INSERT INTO jobs (id, job_type, cache_key, is_current, priority, run_at, max_attempts, retry_backoff_ms, \
                         ttl_ms, callers, created_at, updated_at, ready_at, attempts, losses, lease, phase, \
                         input_bytes) \
       VALUES ($1::bytea, $2::bytea, $3, $4, $5, $6, $7, $8, $9, $10, $11::bigint, $12, $13, $14, \
               $15, $16, $17::smallint, length($18::bytea)) \
       ON CONFLICT (cache_key) WHERE is_current DO NOTHING RETURNING seq, input_bytes \
     ), given AS ( \
       INSERT INTO inputs (job, input) SELECT seq, $18::bytea FROM made \
     ), named AS ( \
       INSERT INTO idempotency (key, job) SELECT $19::bytea, seq FROM made WHERE $19::bytea IS NOT NULL \
     ), hooked AS ( \
       INSERT INTO hooks (job, job_type, event, at, due_at) \
       SELECT $1::bytea, $2::bytea, 0, $11::bigint, $11::bigint FROM made WHERE $20::boolean \
     ), counted AS ( \
       INSERT INTO tallies (phase, job_type, share, jobs, bytes) \
       SELECT $17::smallint, $2::bytea, ",
    counter_share!(),
    ", 1, input_bytes FROM made \
       ON CONFLICT (phase, job_type, share) DO UPDATE \
       SET jobs = tallies.jobs + excluded.jobs, bytes = tallies.bytes + excluded.bytes \
     ) SELECT seq FROM made"
);

pub(super) const UPDATE: &str = "UPDATE jobs SET is_current = $2, priority = $3, run_at = $4, callers = $5, \
     updated_at = $6, ready_at = $7, attempts = $8, losses = $9, lease = $10, phase = $11, runner = $12, \
     held_at = $13, heard_at = $14, progress_current = $15, progress_total = $16, until_at = $17, \
     fingerprint = $18, failure = $19, ended_at = $20, output_bytes = $21, console_bytes = $22 WHERE seq = $1";
/// Makes a job that was read before no longer current. If another job has become current since, the statement that
/// makes a second job current fails: a unique index allows one current job for each cache key.
pub(super) const CLEAR_CURRENT: &str = "UPDATE jobs SET is_current = false WHERE seq = $1";

pub(super) const FIND_BY_IDEMPOTENCY: &str =
    concat!(select_record!(), "WHERE seq = (SELECT job FROM idempotency WHERE key = $1)");
/// Stores the idempotency key of a caller that joined a job.
pub(super) const SET_IDEMPOTENCY: &str = "INSERT INTO idempotency (key, job) VALUES ($1, $2)";

pub(super) const JOB_OUTPUT: &str =
    concat!("SELECT output, error, ", console!(), " FROM jobs LEFT JOIN outputs ON job = seq WHERE seq = $1");
pub(super) const SET_OUTPUT: &str = "INSERT INTO outputs (job, output, error) VALUES ($1, $2, $3) \
     ON CONFLICT (job) DO UPDATE SET output = excluded.output, error = excluded.error";
pub(super) const CLEAR_CONSOLE: &str = "DELETE FROM consoles WHERE job = $1";
/// Appends to the last piece if it is below 16 KiB; otherwise begins a new piece.
pub(super) const ADD_TO_CONSOLE: &str = "WITH grown AS ( \
       UPDATE consoles SET text = text || $2 \
       WHERE piece = (SELECT max(piece) FROM consoles WHERE job = $1) AND length(text) < 16384 RETURNING piece \
     ) INSERT INTO consoles (job, text) SELECT $1, $2 WHERE NOT EXISTS (SELECT 1 FROM grown)";

/// Updates the counters in the order of their keys, so that two connections with the same share never deadlock.
pub(super) const ADD_TO_COUNTERS: &str = concat!(
    "INSERT INTO tallies (phase, job_type, share, jobs, bytes) SELECT p, t, ",
    counter_share!(),
    ", j, b FROM unnest($1::smallint[], $2::bytea[], $3::bigint[], $4::bigint[]) AS delta (p, t, j, b) \
     ORDER BY p, t \
     ON CONFLICT (phase, job_type, share) DO UPDATE \
     SET jobs = tallies.jobs + excluded.jobs, bytes = tallies.bytes + excluded.bytes"
);
pub(super) const COUNTS_BY_STATUS: &str =
    "SELECT phase, sum(jobs)::bigint, sum(bytes)::bigint FROM tallies GROUP BY phase";
pub(super) const COUNTS_BY_TYPE: &str = "SELECT job_type, sum(jobs)::bigint FROM tallies WHERE phase = $1 \
     GROUP BY job_type HAVING sum(jobs) > 0 ORDER BY job_type";

/// Locks the next ready job of these types, and skips jobs that other transactions have locked. The first $3 jobs of
/// each type are candidates; $3 only has to exceed the number of jobs that are locked at this moment.
pub(super) const LOCK_NEXT: &str = concat!(
    "SELECT ",
    job_row!(),
    ", (SELECT input FROM inputs WHERE job = seq) FROM jobs \
     WHERE phase = 0 AND seq IN ( \
       SELECT first.seq FROM unnest($1::bytea[]) AS wanted (job_type) CROSS JOIN LATERAL ( \
         SELECT seq FROM jobs WHERE job_type = wanted.job_type AND phase = 0 AND ready_at <= $2 \
         ORDER BY priority DESC, seq LIMIT $3 \
       ) AS first \
     ) ORDER BY priority DESC, seq LIMIT 1 FOR UPDATE SKIP LOCKED"
);
pub(super) const AVAILABLE: &str = concat!(
    "SELECT ",
    job_row!(),
    ", (SELECT input FROM inputs WHERE job = seq) FROM jobs \
     WHERE seq IN ( \
       SELECT first.seq FROM unnest($1::bytea[]) AS wanted (job_type) CROSS JOIN LATERAL ( \
         SELECT seq FROM jobs WHERE job_type = wanted.job_type AND phase = 0 AND ready_at <= $2 \
         ORDER BY seq LIMIT $3 \
       ) AS first \
     ) ORDER BY seq LIMIT $3"
);
/// Makes due delayed jobs ready, at most 10,000, and updates the counters. If more are due, [`NEXT_DELAYED`] is in the
/// past and the caller asks again. Returns the updated counters: for each type one row of phase 0 and one of phase 1.
pub(super) const PROMOTE: &str = concat!(
    "WITH ripe AS ( \
       SELECT seq FROM jobs WHERE phase = 1 AND ready_at <= $1 ORDER BY ready_at LIMIT 10000 \
       FOR UPDATE SKIP LOCKED \
     ), promoted AS ( \
       UPDATE jobs SET phase = 0 FROM ripe WHERE jobs.seq = ripe.seq \
       RETURNING job_type, input_bytes + output_bytes + console_bytes AS bytes \
     ) INSERT INTO tallies (phase, job_type, share, jobs, bytes) SELECT p, job_type, ",
    counter_share!(),
    ", sign * count(*), sign * sum(bytes)::bigint \
     FROM promoted CROSS JOIN (VALUES (0::smallint, 1), (1::smallint, -1)) AS move (p, sign) \
     GROUP BY p, sign, job_type ORDER BY p, job_type \
     ON CONFLICT (phase, job_type, share) DO UPDATE \
     SET jobs = tallies.jobs + excluded.jobs, bytes = tallies.bytes + excluded.bytes \
     RETURNING job_type, phase"
);
pub(super) const NEXT_DELAYED: &str = "SELECT min(ready_at) FROM jobs WHERE phase = 1";

/// Locks due jobs: first those with a dispatch that was not started or with a lost lease, then those with an expired
/// result, which is only marked.
pub(super) const LOCK_DUE: &str = concat!(
    "SELECT ",
    job_row!(),
    " FROM jobs WHERE seq IN ( \
       (SELECT seq FROM jobs WHERE phase = 2 AND until_at <= $1 ORDER BY until_at LIMIT $3) UNION ALL \
       (SELECT seq FROM jobs WHERE phase = 3 AND heard_at <= $2 LIMIT $3) UNION ALL \
       (SELECT seq FROM jobs WHERE phase = 4 AND heard_at <= $2 LIMIT $3) UNION ALL \
       (SELECT seq FROM jobs WHERE phase = 5 AND until_at <= $1 ORDER BY until_at LIMIT $3) \
     ) ORDER BY phase = 5, seq LIMIT $3 FOR UPDATE SKIP LOCKED"
);

pub(super) const LIST: &str = concat!("SELECT ", job_row!(), " FROM jobs ORDER BY seq DESC LIMIT $1");
pub(super) const LIST_BY_STATUS: &str = concat!(
    "SELECT ",
    job_row!(),
    " FROM jobs WHERE seq IN ( \
       SELECT newest.seq FROM unnest($1::smallint[]) AS wanted (phase) CROSS JOIN LATERAL ( \
         SELECT seq FROM jobs WHERE phase = wanted.phase ORDER BY seq DESC LIMIT $2 \
       ) AS newest \
     ) ORDER BY seq DESC LIMIT $2"
);
/// Excludes expired results, even before a sweep has marked them.
pub(super) const LIST_COMPLETED: &str = concat!(
    "SELECT ",
    job_row!(),
    " FROM jobs WHERE phase = 5 AND (until_at IS NULL OR until_at > $2) ORDER BY seq DESC LIMIT $1"
);
/// Includes expired results, even before a sweep has marked them.
pub(super) const LIST_EXPIRED: &str = concat!(
    "SELECT ",
    job_row!(),
    " FROM jobs WHERE seq IN ( \
       (SELECT seq FROM jobs WHERE phase = 6 ORDER BY seq DESC LIMIT $1) UNION ALL \
       (SELECT seq FROM jobs WHERE phase = 5 AND until_at <= $2) \
     ) ORDER BY seq DESC LIMIT $1"
);
pub(super) const COUNT_OVERDUE: &str = "SELECT count(*) FROM jobs WHERE phase = 5 AND until_at <= $1";
pub(super) const LIST_OF_RUNNER: &str =
    concat!("SELECT ", job_row!(), " FROM jobs WHERE runner = $1 ORDER BY seq DESC LIMIT $2");

pub(super) const DUE_FOR_VALIDATION: &str = concat!(
    select_record!(),
    "WHERE seq IN ( \
       SELECT oldest.seq FROM unnest($1::bytea[]) AS wanted (job_type) CROSS JOIN LATERAL ( \
         SELECT seq FROM jobs WHERE job_type = wanted.job_type AND phase = 5 AND is_current AND checked_at < $2 \
         ORDER BY checked_at LIMIT $3 \
       ) AS oldest \
     ) ORDER BY checked_at, seq LIMIT $3"
);
pub(super) const MARK_VALIDATED: &str = "UPDATE jobs SET checked_at = $2 WHERE id = $1";

pub(super) const LOCK_OLDEST: &str = concat!(
    "SELECT ",
    job_row!(),
    " FROM jobs WHERE ended_at IS NOT NULL ORDER BY ended_at, seq LIMIT $1 FOR UPDATE SKIP LOCKED"
);
/// Deletes the counters of types without jobs, except shares that another transaction has locked.
pub(super) const DELETE_EMPTY_COUNTERS: &str = "WITH idle AS ( \
       SELECT phase, job_type FROM tallies GROUP BY phase, job_type HAVING sum(jobs) = 0 AND sum(bytes) = 0 LIMIT 100 \
     ), locked AS ( \
       SELECT phase, job_type, share, jobs, bytes FROM tallies JOIN idle USING (phase, job_type) \
       ORDER BY phase, job_type, share FOR UPDATE OF tallies SKIP LOCKED \
     ), empty AS ( \
       SELECT phase, job_type FROM locked GROUP BY phase, job_type HAVING sum(jobs) = 0 AND sum(bytes) = 0 \
     ) DELETE FROM tallies USING locked JOIN empty USING (phase, job_type) \
     WHERE tallies.phase = locked.phase AND tallies.job_type = locked.job_type AND tallies.share = locked.share";
pub(super) const DELETE: &str = "DELETE FROM jobs WHERE seq = ANY($1)";
pub(super) const BYTES: &str = "SELECT coalesce(sum(bytes), 0)::bigint FROM tallies";
pub(super) const ENDED_BYTES: &str =
    "SELECT coalesce(sum(bytes), 0)::bigint FROM tallies WHERE phase IN (5, 6, 7)";
pub(super) const QUEUE_USAGE: &str = "SELECT coalesce(sum(jobs), 0)::bigint, coalesce(sum(bytes), 0)::bigint \
     FROM tallies WHERE phase IN (0, 1)";

pub(super) const REGISTER: &str = "INSERT INTO runners (id, name, capabilities, registered_at, seen_at) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET name = excluded.name, \
     capabilities = excluded.capabilities, registered_at = excluded.registered_at, seen_at = excluded.seen_at";
pub(super) const TOUCH_RUNNER: &str =
    "UPDATE runners SET seen_at = greatest(seen_at, $2) WHERE id = $1 RETURNING seen_at";
pub(super) const RUNNER: &str =
    "SELECT id, name, capabilities, registered_at, seen_at FROM runners WHERE id = $1";
pub(super) const RUNNERS: &str =
    "SELECT id, name, capabilities, registered_at, seen_at FROM runners ORDER BY seen_at DESC, id LIMIT $1";
pub(super) const COUNT_RUNNERS: &str = "SELECT count(*), count(*) FILTER (WHERE seen_at > $1) FROM runners";

/// A runner that is seen meanwhile no longer matches `seen_at < $1` when its row is locked.
pub(super) const DELETE_RUNNERS: &str = "DELETE FROM runners WHERE id IN ( \
       SELECT id FROM runners WHERE seen_at < $1 AND NOT EXISTS (SELECT 1 FROM jobs WHERE runner = runners.id) \
       ORDER BY seen_at LIMIT $2 FOR UPDATE SKIP LOCKED \
     )";

pub(super) const INSERT_WEBHOOK: &str =
    "INSERT INTO hooks (job, job_type, event, at, due_at) VALUES ($1, $2, $3, $4, $4)";
/// Claims due webhook calls, of each type at most its capacity: many due calls of one type do not delay other types.
pub(super) const CLAIM_WEBHOOKS: &str = "WITH due AS ( \
       SELECT first.id FROM unnest($3::bytea[], $4::bigint[]) AS wanted (job_type, room) CROSS JOIN LATERAL ( \
         SELECT id FROM hooks WHERE job_type = wanted.job_type AND due_at <= $1 \
         ORDER BY due_at, id LIMIT wanted.room FOR UPDATE SKIP LOCKED \
       ) AS first \
     ), leased AS ( \
       UPDATE hooks SET due_at = $2 FROM due WHERE hooks.id = due.id \
       RETURNING hooks.id, job, job_type, event, at, failures \
     ) SELECT id, job, job_type, event, at, failures FROM leased ORDER BY id";
pub(super) const DELETE_WEBHOOK: &str = "DELETE FROM hooks WHERE id = $1";
pub(super) const RETRY_WEBHOOK: &str = "UPDATE hooks SET failures = failures + 1, due_at = $2 WHERE id = $1";
/// Finds the job types one after the other: each is one index lookup, however many calls a type has.
pub(super) const DROP_WEBHOOKS: &str = "WITH RECURSIVE types (job_type) AS ( \
       (SELECT job_type FROM hooks ORDER BY job_type LIMIT 1) UNION ALL \
       SELECT (SELECT job_type FROM hooks WHERE job_type > before.job_type ORDER BY job_type LIMIT 1) \
       FROM types AS before WHERE before.job_type IS NOT NULL \
     ) DELETE FROM hooks WHERE id IN ( \
       SELECT first.id FROM types CROSS JOIN LATERAL ( \
         SELECT id FROM hooks WHERE job_type = types.job_type AND due_at < $2 \
         ORDER BY due_at, id LIMIT $3 FOR UPDATE SKIP LOCKED \
       ) AS first WHERE types.job_type <> ALL($1::bytea[]) LIMIT $3 \
     )";

/// All statements of [`super::integrity`] see one snapshot.
pub(super) const BEGIN_INTEGRITY_CHECK: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; \
     SET LOCAL statement_timeout = '10min'; SET LOCAL idle_in_transaction_session_timeout = '10min'";
pub(super) const DUPLICATE_CURRENT: &str = "SELECT max(encode(id, 'hex')) FROM jobs WHERE is_current \
     GROUP BY cache_key HAVING count(*) > 1 LIMIT 20";
pub(super) const WRONG_END: &str =
    "SELECT encode(id, 'hex') FROM jobs WHERE (phase >= 5) <> (ended_at IS NOT NULL) LIMIT 20";
pub(super) const NO_INPUT: &str =
    "SELECT encode(id, 'hex') FROM jobs WHERE NOT EXISTS (SELECT 1 FROM inputs WHERE job = seq) LIMIT 20";
pub(super) const NO_OUTPUT: &str = "SELECT encode(id, 'hex') FROM jobs LEFT JOIN outputs ON job = seq \
     WHERE phase IN (5, 6) AND output IS NULL LIMIT 20";
pub(super) const WRONG_SIZE: &str = "SELECT encode(id, 'hex') FROM jobs LEFT JOIN outputs ON job = seq \
     WHERE input_bytes <> (SELECT length(input) FROM inputs WHERE job = seq) \
     OR output_bytes <> coalesce(length(output), 0) + coalesce(length(error), 0) \
     OR console_bytes <> (SELECT coalesce(sum(length(text)), 0) FROM consoles WHERE job = seq) LIMIT 20";
pub(super) const WRONG_BYTES: &str = "SELECT wrong::text FROM ( \
       SELECT (SELECT coalesce(sum(bytes), 0) FROM tallies) \
         - (SELECT coalesce(sum(input_bytes + output_bytes + console_bytes), 0) FROM jobs) AS wrong \
     ) AS sums WHERE wrong <> 0";
pub(super) const WRONG_COUNT: &str = "SELECT phase::text FROM ( \
       SELECT phase, job_type, jobs, bytes FROM tallies \
       UNION ALL SELECT phase, job_type, -count(*), -sum(input_bytes + output_bytes + console_bytes) \
       FROM jobs GROUP BY phase, job_type \
     ) AS counts GROUP BY phase, job_type HAVING sum(jobs) <> 0 OR sum(bytes) <> 0 LIMIT 20";
pub(super) const PAGE: &str =
    concat!("SELECT ", job_row!(), " FROM jobs WHERE seq > $1 ORDER BY seq LIMIT $2");

#[cfg(test)]
mod tests {
    use super::*;

    /// Statements that are prepared. The others are sent as plain SQL.
    const PREPARED: &[&str] = &[
        SCHEMA,
        READABLE_FROM,
        SET_META,
        NOTIFY,
        PING,
        CLOCK,
        FIND_JOB,
        FIND_CURRENT,
        INPUT,
        LOCK_JOB,
        LOCK_CURRENT,
        LOCK_SEVERAL,
        INSERT,
        UPDATE,
        CLEAR_CURRENT,
        FIND_BY_IDEMPOTENCY,
        SET_IDEMPOTENCY,
        JOB_OUTPUT,
        SET_OUTPUT,
        CLEAR_CONSOLE,
        ADD_TO_CONSOLE,
        ADD_TO_COUNTERS,
        COUNTS_BY_STATUS,
        COUNTS_BY_TYPE,
        LOCK_NEXT,
        AVAILABLE,
        PROMOTE,
        NEXT_DELAYED,
        LOCK_DUE,
        LIST,
        LIST_BY_STATUS,
        LIST_COMPLETED,
        LIST_EXPIRED,
        COUNT_OVERDUE,
        LIST_OF_RUNNER,
        DUE_FOR_VALIDATION,
        MARK_VALIDATED,
        LOCK_OLDEST,
        DELETE_EMPTY_COUNTERS,
        DELETE,
        BYTES,
        ENDED_BYTES,
        QUEUE_USAGE,
        REGISTER,
        TOUCH_RUNNER,
        RUNNER,
        RUNNERS,
        COUNT_RUNNERS,
        DELETE_RUNNERS,
        INSERT_WEBHOOK,
        CLAIM_WEBHOOKS,
        DELETE_WEBHOOK,
        RETRY_WEBHOOK,
        DROP_WEBHOOKS,
        DUPLICATE_CURRENT,
        WRONG_END,
        NO_INPUT,
        NO_OUTPUT,
        WRONG_SIZE,
        WRONG_BYTES,
        WRONG_COUNT,
        PAGE,
    ];
    const UNPREPARED: &[&str] =
        &[SESSION, BEGIN_MIGRATION, LISTEN, BEGIN_INTEGRITY_CHECK, BEGIN, COMMIT, ROLLBACK];

    #[test]
    fn every_statement_is_in_one_of_the_lists() {
        let all = include_str!("statements.rs").matches("\npub(super) const ").count();
        assert_eq!(PREPARED.len() + UNPREPARED.len(), all);
    }

    #[tokio::test]
    async fn a_real_server_can_prepare_every_statement() {
        pilotlight_testkit::need!("postgresql");
        let cluster = pilotlight_testkit::postgres::PostgresCluster::shared();
        let url = cluster.database();
        crate::postgres::tests::open(&url).await;
        let config: tokio_postgres::Config = url.parse().unwrap();
        let (client, connection) = config.connect(tokio_postgres::NoTls).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        tasks.spawn(connection);
        client.batch_execute(SESSION).await.unwrap();
        for statement in PREPARED {
            let prepared = client.prepare(statement).await;
            assert!(prepared.is_ok(), "{statement}: {:?}", prepared.err());
        }
    }
}
