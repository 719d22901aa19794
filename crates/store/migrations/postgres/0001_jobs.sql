-- Jobs with their parameters and outputs, runners, and pending webhook calls.
-- Times are milliseconds since 1970. The columns of `jobs` are documented in `src/columns.rs`.
-- Texts from clients are BYTEA: TEXT cannot store the character NUL. `SET bytea_output = escape` makes them readable.

-- Small rows that change often; large texts are in other tables. `fillfactor` leaves space on each page for the next
-- version of a row.
CREATE TABLE jobs (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id BYTEA NOT NULL UNIQUE CHECK (length(id) = 16),
    job_type BYTEA NOT NULL,
    cache_key BYTEA NOT NULL CHECK (length(cache_key) = 32),
    is_current BOOLEAN NOT NULL,
    priority BIGINT NOT NULL,
    run_at BIGINT NOT NULL,
    max_attempts BIGINT NOT NULL,
    retry_backoff_ms BIGINT NOT NULL,
    ttl_ms BIGINT,
    callers BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    ready_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    losses BIGINT NOT NULL,
    lease BIGINT NOT NULL,
    phase SMALLINT NOT NULL,
    runner BYTEA,
    held_at BIGINT,
    heard_at BIGINT,
    progress_current BIGINT,
    progress_total BIGINT,
    until_at BIGINT,
    fingerprint BYTEA,
    failure SMALLINT,
    ended_at BIGINT,
    checked_at BIGINT NOT NULL DEFAULT 0,
    input_bytes BIGINT NOT NULL,
    output_bytes BIGINT NOT NULL DEFAULT 0,
    console_bytes BIGINT NOT NULL DEFAULT 0
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- Phases: 0 ready, 1 delayed, 2 dispatching, 3 claimed, 4 in progress, 5 completed, 6 expired, 7 failed.
CREATE UNIQUE INDEX jobs_current ON jobs (cache_key) WHERE is_current;
-- Also finds running jobs with a lost lease. `heard_at` is in no index, so that a heartbeat writes no index.
CREATE INDEX jobs_by_phase ON jobs (phase, seq);
CREATE INDEX jobs_ready ON jobs (job_type, priority DESC, seq) WHERE phase = 0;
CREATE INDEX jobs_available ON jobs (job_type, seq) WHERE phase = 0;
CREATE INDEX jobs_delayed ON jobs (ready_at) WHERE phase = 1;
CREATE INDEX jobs_dispatching ON jobs (until_at) WHERE phase = 2;
CREATE INDEX jobs_valid ON jobs (until_at) WHERE phase = 5 AND until_at IS NOT NULL;
CREATE INDEX jobs_unchecked ON jobs (job_type, checked_at) WHERE phase = 5 AND is_current;
CREATE INDEX jobs_ended ON jobs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX jobs_by_runner ON jobs (runner, seq) WHERE runner IS NOT NULL;

CREATE TABLE inputs (
    job BIGINT PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    input BYTEA NOT NULL
);

CREATE TABLE outputs (
    job BIGINT PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    output BYTEA,
    error BYTEA
);

-- The pieces of each job's console, in the order in which they were written. Small pieces are joined up to 16 KiB, so
-- that an append rewrites little.
CREATE TABLE consoles (
    piece BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job BIGINT NOT NULL REFERENCES jobs ON DELETE CASCADE,
    text BYTEA NOT NULL
);
CREATE INDEX consoles_by_job ON consoles (job, piece);

-- The job that a submission with this Idempotency-Key (its SHA-256) created or joined.
CREATE TABLE idempotency (
    key BYTEA PRIMARY KEY CHECK (length(key) = 32),
    job BIGINT NOT NULL REFERENCES jobs ON DELETE CASCADE
);
CREATE INDEX idempotency_by_job ON idempotency (job);

CREATE TABLE runners (
    id BYTEA PRIMARY KEY,
    name BYTEA NOT NULL,
    capabilities BYTEA NOT NULL,
    registered_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX runners_by_seen ON runners (seen_at);

-- Pending webhook calls. Events: 0 created, 1 completed, 2 failed. An id is never used twice.
CREATE TABLE hooks (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    job BYTEA NOT NULL,
    job_type BYTEA NOT NULL,
    event SMALLINT NOT NULL,
    at BIGINT NOT NULL,
    failures BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL
);
CREATE INDEX hooks_due ON hooks (job_type, due_at, id);

-- Number of jobs, and bytes of their parameters, results and consoles, by phase and job type. Every change of a job
-- updates them, so that no query has to count a million rows. They are split into shares, of which each connection
-- updates one: a single row would serialize all transactions. A share may be negative; the sum of all shares is not.
CREATE TABLE tallies (
    phase SMALLINT NOT NULL,
    job_type BYTEA NOT NULL,
    share SMALLINT NOT NULL,
    jobs BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (phase, job_type, share)
) WITH (fillfactor = 50);
