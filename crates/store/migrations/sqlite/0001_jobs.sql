-- Jobs with their parameters and outputs, runners, and pending webhook calls.
-- Times are milliseconds since 1970. The columns of `jobs` are documented in `src/columns.rs`.

-- Small rows that change often; large texts are in other tables.
CREATE TABLE jobs (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    job_type TEXT NOT NULL,
    cache_key BLOB NOT NULL CHECK (length(cache_key) = 32),
    is_current INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    run_at INTEGER NOT NULL,
    max_attempts INTEGER NOT NULL,
    retry_backoff_ms INTEGER NOT NULL,
    ttl_ms INTEGER,
    callers INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    ready_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    losses INTEGER NOT NULL,
    lease INTEGER NOT NULL,
    phase INTEGER NOT NULL,
    runner TEXT,
    held_at INTEGER,
    heard_at INTEGER,
    progress_current INTEGER,
    progress_total INTEGER,
    until_at INTEGER,
    fingerprint BLOB,
    failure INTEGER,
    ended_at INTEGER,
    checked_at INTEGER NOT NULL DEFAULT 0,
    input_bytes INTEGER NOT NULL,
    output_bytes INTEGER NOT NULL DEFAULT 0,
    console_bytes INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Phases: 0 ready, 1 delayed, 2 dispatching, 3 claimed, 4 in progress, 5 completed, 6 expired, 7 failed.
CREATE UNIQUE INDEX jobs_current ON jobs (cache_key) WHERE is_current = 1;
CREATE INDEX jobs_by_phase ON jobs (phase);
CREATE INDEX jobs_ready ON jobs (job_type, priority DESC) WHERE phase = 0;
CREATE INDEX jobs_available ON jobs (job_type) WHERE phase = 0;
CREATE INDEX jobs_delayed ON jobs (ready_at) WHERE phase = 1;
CREATE INDEX jobs_dispatching ON jobs (until_at) WHERE phase = 2;
CREATE INDEX jobs_executing ON jobs (heard_at) WHERE phase IN (3, 4);
CREATE INDEX jobs_valid ON jobs (until_at) WHERE phase = 5 AND until_at IS NOT NULL;
CREATE INDEX jobs_unchecked ON jobs (job_type, checked_at) WHERE phase = 5 AND is_current = 1;
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_by_runner ON jobs (runner) WHERE runner IS NOT NULL;

CREATE TABLE inputs (
    job INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    input TEXT NOT NULL
) STRICT;

CREATE TABLE outputs (
    job INTEGER PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    output TEXT,
    error TEXT
) STRICT;

-- The pieces of each job's console, in the order in which they were written. Small pieces are joined up to 16 KiB, so
-- that an append rewrites little.
CREATE TABLE consoles (
    piece INTEGER PRIMARY KEY,
    job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE,
    text TEXT NOT NULL
) STRICT;
CREATE INDEX consoles_by_job ON consoles (job);

-- The job that a submission with this Idempotency-Key (its SHA-256) created or joined.
CREATE TABLE idempotency (
    key BLOB PRIMARY KEY CHECK (length(key) = 32),
    job INTEGER NOT NULL REFERENCES jobs ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_job ON idempotency (job);

CREATE TABLE runners (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    capabilities TEXT NOT NULL,
    registered_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL
) STRICT;
CREATE INDEX runners_by_seen ON runners (seen_at);

-- Pending webhook calls. Events: 0 created, 1 completed, 2 failed. An id is never used twice.
CREATE TABLE hooks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job BLOB NOT NULL,
    job_type TEXT NOT NULL,
    event INTEGER NOT NULL,
    at INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL
) STRICT;
CREATE INDEX hooks_due ON hooks (job_type, due_at);

-- Number of jobs by phase and job type. Every change of a job updates it, so that no query has to count a million rows.
CREATE TABLE tallies (
    phase INTEGER NOT NULL,
    job_type TEXT NOT NULL,
    jobs INTEGER NOT NULL,
    PRIMARY KEY (phase, job_type)
) STRICT, WITHOUT ROWID;

-- The sums that limits are compared with, in one row: the number of waiting jobs (phases 0 and 1), and the bytes of the
-- parameters, results and consoles of waiting, running (2 to 4) and ended (5 to 7) jobs.
CREATE TABLE sums (
    waiting_jobs INTEGER NOT NULL,
    waiting_bytes INTEGER NOT NULL,
    under_way_bytes INTEGER NOT NULL,
    ended_bytes INTEGER NOT NULL
) STRICT;
INSERT INTO sums VALUES (0, 0, 0, 0);
