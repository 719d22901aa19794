//! Every cap, with its reason. At a cap the caller gets a clear answer and memory stays flat.

use std::time::Duration;

/// Bytes of a run's message. Completed waitpoints travel inside it, and supervisors send up to this much.
pub const RUN_BYTES: usize = 10 * 1024 * 1024;

/// Bytes around the message in an offer's body: its own envelope, with room for fields to come.
pub const ENVELOPE_BYTES: usize = 64 * 1024;

/// Bytes of large offers that are held at once, from their first byte to their answer.
pub const OFFERS_BYTES: usize = 256 * 1024 * 1024;

/// Bytes of a request's head. Real heads are under 1 KiB; a signed deployment token adds about 1 KiB more.
pub const HEAD_BYTES: usize = 16 * 1024;

/// Bytes of a body that is neither a run nor a job: admin calls are small.
pub const SMALL_BODY_BYTES: usize = 64 * 1024;

/// Bytes of an id or a name that we keep. Trigger.dev's own are under 64.
pub const ID_BYTES: usize = 256;

/// Bytes of a deployment id, which may be a signed token in its place.
pub const DEPLOYMENT_BYTES: usize = 4 * 1024;

/// Lists and objects within each other in a job's parameters. `serde_json` and most readers go no deeper.
pub const JSON_DEPTH: usize = 128;

/// A head that is not complete by then is closed. It is also how long a kept-alive connection may idle, so it
/// is well above the few seconds for which clients keep theirs.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A TLS handshake that is not complete by then is given up.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A body that is not complete by then is refused: 10 MiB at 350 KB/s.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Polls that one offer is dispatched to before the run is cold-started.
pub const DISPATCHES_PER_OFFER: u8 = 3;

/// Slowest link on which a run is still delivered, in bytes per second (4 Mbit/s). Slower than that, a cold
/// start elsewhere is the better answer.
pub const SLOWEST_LINK_BYTES_PER_S: u64 = 500_000;

/// A client's own time-out may strike while a run is on its way, so a poll rests for its last quarter,
pub const POLL_GUARD_DIVISOR: u32 = 4;
/// but never for more than this.
pub const MAX_POLL_GUARD: Duration = Duration::from_secs(1);

/// A poll this much older than the advertised time-out belongs to a client without time-outs: it is let go.
pub const POLL_EXPIRY_GRACE: Duration = Duration::from_secs(5);

/// Runners remembered as executing. Beyond it the oldest is forgotten: it only feeds the dashboard.
pub const MAX_ACTIVE_RUNS: usize = 100_000;

/// A runner that has not polled again for this long never will.
pub const MAX_ACTIVE_RUN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Offers in the history ring, as the contract says; about 30 MB when full.
pub const HISTORY_RECORDS: usize = 100_000;

/// How finely the last hour is counted: what a chart of an hour can show.
pub const STATS_BUCKET_WIDTH: Duration = Duration::from_secs(15);

/// Stretches of time that are counted: one hour, about 80 KB.
pub const STATS_BUCKETS: usize = 240;

/// The latest offers that people see change; older ones come in pages.
pub const DASHBOARD_OFFERS: usize = 100;

/// People who may watch at once. Each may hold a few updates that are not read yet.
pub const MAX_DASHBOARD_STREAMS: usize = 32;

/// Updates that may wait for a watcher who reads slowly. One who lags behind further begins anew.
pub const MAX_QUEUED_UPDATES: usize = 16;

/// Entries on one page of the history.
pub const HISTORY_PAGE_SIZE: usize = 100;

/// How long a caller is kept waiting for a job's end, or a runner for a job: below what proxies and clients stand.
pub const MAX_JOB_WAIT: Duration = Duration::from_secs(10 * 60);

/// Tries that a caller may wish for. More of them hide a mistake.
pub const MAX_JOB_ATTEMPTS: u32 = 100;

/// The longest first pause between tries that a caller may wish for.
pub const MAX_JOB_BACKOFF: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest time that a result stays valid when the caller says how long: ten years. For longer, say nothing.
pub const MAX_JOB_TTL: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Jobs that a runner is offered to claim, as the contract says.
pub const MAX_AVAILABLE_JOBS: usize = 50;

/// Types that a runner may ask for in one call, and capabilities that it may have.
pub const MAX_RUNNER_TYPES: usize = 1000;

/// Jobs in a list when the caller does not say how many.
pub const DEFAULT_LIST_LIMIT: usize = 100;

/// Jobs in a list, runners in a list, and jobs deleted in one call.
pub const MAX_LIST_LIMIT: usize = 1000;

/// Jobs told of one runner, as the contract says.
pub const MAX_RUNNER_JOBS: usize = 100;

/// A runner that was seen within this is active, as the contract says.
pub const RUNNER_ACTIVE_WINDOW: Duration = Duration::from_secs(5 * 60);

/// People and programs who may watch jobs at once, of everybody together.
pub const MAX_JOB_STREAMS: usize = 256;

/// Retirements in force at once; each poll is held against all of them.
pub const MAX_RETIREMENTS: usize = 1000;

/// How long a retirement stays in force when the caller does not say: runs that are executing when a version
/// is retired mostly end within it.
pub const DEFAULT_RETIREMENT: Duration = Duration::from_secs(60 * 60);

/// How long a retirement may stay in force at most.
pub const MAX_RETIREMENT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Sessions of operators at once; beyond it the oldest ends.
pub const MAX_SESSIONS: usize = 1000;

/// Wrong keys a second, of everybody together, before the next are not looked at.
pub const MAX_FAILED_SIGN_INS_PER_SECOND: u32 = 10;

/// How long an open stream of events lasts: whoever watches asks again, and is looked at again.
pub const STREAM_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// How long a session lasts: a working day.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// How long after its acknowledgement a reset is taken as proof that the program never read the run. A client
/// that read it uses or closes the connection; keepalive finds a dead machine within 3 s.
pub const UNREAD_WINDOW: Duration = Duration::from_secs(10);

/// Connections kept open after the protocol is done with them, to see whether a reset follows.
pub const MAX_RESET_WATCHED_CONNS: usize = 1024;

/// Offers that wait to be written about; emptied ten times a second, that is for 160,000 a second.
pub const OFFER_EVENT_QUEUE: usize = 16 * 1024;

/// Spans in one export. Collectors take 4 MiB by default; this is under 1 MiB.
pub const MAX_SPANS_PER_EXPORT: usize = 1024;

/// Exports that wait for a collector that is slow.
pub const EXPORT_QUEUE: usize = 32;

/// Who asked lately, as far as rates are limited; about 10 MB when full.
pub const MAX_RATE_LIMIT_ENTRIES: usize = 100_000;

/// The longest pause before something is tried again, however often it failed; a caller may wish for a longer one.
pub const MAX_RETRY_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// Job types that one poll may ask for.
pub const MAX_TYPES_PER_POLL: usize = 100;

/// How often jobs are looked through for those that are due, should nothing else be a reason to: what another
/// instance did and could not tell is found within this.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Jobs that are told in one transaction that time has passed.
pub const SWEEP_BATCH: usize = 500;

/// How often the clock of a database that several instances share is looked at: clocks drift apart by less than a
/// millisecond in that time, and one that is set is followed within it.
pub const CLOCK_SAMPLE_INTERVAL: Duration = Duration::from_secs(5);

/// A look at a clock that took longer tells too little: it may be wrong by half of it, and a dispatch has 2 s.
pub const MAX_CLOCK_SAMPLE_ROUND_TRIP: Duration = Duration::from_millis(250);

/// A difference of two clocks of which people are told, in milliseconds: more than one that is set by NTP ever has.
pub const REPORTED_CLOCK_OFFSET_MS: u64 = 1000;

/// Ready jobs of one type that are counted; more are as good as without end.
pub const MAX_BACKLOG_COUNT: u64 = 1000;

/// Runners of which is remembered when they were last heard of; about 20 MB. The others are written each time.
pub const MAX_TRACKED_RUNNERS: usize = 100_000;

/// Webhooks of one type on their way at once. Each type has its own, so that one whose target hangs keeps no other
/// waiting; a target that answers in 50 ms hears 160 a second.
pub const MAX_WEBHOOKS_PER_TYPE: usize = 8;

/// A webhook that is not answered by then has failed.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// A webhook whose try was not settled by then is tried again: its process is gone. A try and some more.
pub const WEBHOOK_LEASE: Duration = Duration::from_secs(15);

/// The pause after a webhook's first try in vain; each further one doubles it.
pub const WEBHOOK_FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// Tries of a webhook before it is given up: with pauses from 5 s to an hour, that is most of a day.
pub const MAX_WEBHOOK_ATTEMPTS: u32 = 30;

/// A webhook of a type that has none configured waits so long for an instance that is configured otherwise, as there are
/// while one version or configuration takes the place of another; then it is dropped.
pub const MAX_UNCONFIGURED_WEBHOOK_AGE: Duration = Duration::from_secs(10 * 60);

/// Webhooks that are dropped in one transaction.
pub const WEBHOOK_DROP_BATCH: usize = 1000;

/// Results of one type that are looked at at once.
pub const MAX_VALIDATIONS_PER_TYPE: usize = 16;

/// An address that has not answered by then tells nothing.
pub const VALIDATION_TIMEOUT: Duration = Duration::from_secs(10);

/// How often retention is looked after, at most: jobs go beyond it by what ends in that time.
pub const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// How long a registered runner is remembered after it was last seen, however short ended jobs are kept: one that waits
/// for a job is seen once in ten minutes.
pub const MIN_RUNNER_RETENTION: Duration = Duration::from_secs(60 * 60);

/// Old jobs, and old runners, that are forgotten in one transaction.
pub const PRUNE_BATCH: usize = 500;

/// Bytes of an answer that our own clients read: 1,000 jobs in a list, or a result and a console that are all escapes.
pub const MAX_CLIENT_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// A service that has not taken our own client's connection by then is not there.
pub const CLIENT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long our own clients keep a connection that they do not use: less than the service does, so that a request never
/// meets a connection that is just being closed.
pub const CLIENT_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long our own clients wait for an answer, beyond what they asked the service to wait.
pub const CLIENT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Bytes of a job's console that our own runner tells: what the contract allows.
pub const CONSOLE_BYTES: usize = 1024 * 1024;

/// Bytes of a long console's end that are told; the rest is its beginning.
pub const CONSOLE_TAIL_BYTES: usize = 256 * 1024;

/// Bytes of console in one word: were all of it escapes, the word would still be taken.
pub const CONSOLE_CHUNK_BYTES: usize = 256 * 1024;

/// Bytes of a line that tells progress; longer ones are console.
pub const PROGRESS_LINE_BYTES: usize = 64;

/// Bytes of a command's last line that go into its error.
pub const MAX_STDERR_LINE_BYTES: usize = 1000;

/// How often our own runner tells what is new of a command, at most.
pub const RUNNER_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// How long our own runner waits for a job in one poll: below what proxies stand.
pub const RUNNER_POLL_TIMEOUT: Duration = Duration::from_secs(30);

/// The longest pause of our own runner before it tries again to reach the service.
pub const MAX_RUNNER_BACKOFF: Duration = Duration::from_secs(5);

/// How long our own runner goes on reporting when it should have ended.
pub const RUNNER_FINAL_REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// A stream of events on which our own clients heard nothing for so long is dead: three signs of life are missing.
pub const CLIENT_STREAM_TIMEOUT: Duration = Duration::from_secs(45);
