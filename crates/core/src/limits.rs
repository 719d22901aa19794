//! Every upper bound of the product, with its reason. A request that exceeds a bound is answered with a clear error, so
//! memory use stays bounded.

use std::time::Duration;

/// Maximum size of a run's message, in bytes. Completed waitpoints are part of the message, and supervisors send up to
/// this much.
pub const RUN_BYTES: usize = 10 * 1024 * 1024;

/// Maximum size of an offer's body without the message, in bytes: the JSON envelope around it, with space for future
/// fields.
pub const ENVELOPE_BYTES: usize = 64 * 1024;

/// Maximum total size of the large offers in memory at one time, in bytes. An offer counts from its first byte until it
/// is answered.
pub const OFFERS_BYTES: usize = 256 * 1024 * 1024;

/// Maximum size of a request's head (request line and headers), in bytes. Real heads are under 1 KiB; a signed
/// deployment token adds about 1 KiB.
pub const HEAD_BYTES: usize = 16 * 1024;

/// Maximum size of a request body that is neither a run nor a job, in bytes. Admin requests are small.
pub const SMALL_BODY_BYTES: usize = 64 * 1024;

/// Maximum size of an id or name that the service stores, in bytes. Trigger.dev's own ids are under 64 bytes.
pub const ID_BYTES: usize = 256;

/// Maximum size of a deployment id, in bytes. A client may send a signed token in place of the id.
pub const DEPLOYMENT_BYTES: usize = 4 * 1024;

/// Maximum nesting depth of lists and objects in a job's parameters. `serde_json` and most other parsers accept no
/// more.
pub const JSON_DEPTH: usize = 128;

/// A connection is closed when a request's head is not complete within this time. The same time limits how long a
/// keep-alive connection may be idle; it is well above the few seconds after which clients close idle connections.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// A TLS handshake that is not complete within this time is aborted.
pub const TLS_HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// A request whose body is not complete within this time is refused. It allows 10 MiB at 350 KB/s.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum number of polls that one offer is dispatched to before the run is cold-started.
pub const DISPATCHES_PER_OFFER: u8 = 3;

/// The slowest link on which a run is still delivered, in bytes per second (4 Mbit/s). On a slower link a cold start on
/// another machine is the better choice.
pub const SLOWEST_LINK_BYTES_PER_S: u64 = 500_000;

/// A poll is not selectable during the last part of its client's own timeout, because that timeout could end the poll
/// while a run is on its way. This part is the timeout divided by this number, at most [`MAX_POLL_GUARD`].
pub const POLL_GUARD_DIVISOR: u32 = 4;
/// Maximum length of the part of a poll's timeout in which the poll is not selectable. See [`POLL_GUARD_DIVISOR`].
pub const MAX_POLL_GUARD: Duration = Duration::from_secs(1);

/// A poll that is older than the advertised timeout plus this time belongs to a client that does not enforce the
/// timeout. The service closes it.
pub const POLL_EXPIRY_GRACE: Duration = Duration::from_secs(5);

/// Maximum number of active runs in memory. Beyond it the oldest is dropped; the list only feeds the dashboard.
pub const MAX_ACTIVE_RUNS: usize = 100_000;

/// An active run is dropped at this age: its runner will not poll again.
pub const MAX_ACTIVE_RUN_AGE: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum number of offers in the history (docs/protocols/operators.md). They take about 30 MB when the history is
/// full.
pub const HISTORY_RECORDS: usize = 100_000;

/// Width of one time bucket of the statistics: the resolution of a chart of one hour.
pub const STATS_BUCKET_WIDTH: Duration = Duration::from_secs(15);

/// Number of time buckets of the statistics: one hour, about 80 KB.
pub const STATS_BUCKETS: usize = 240;

/// Number of the latest offers that the dashboard updates live. Older offers are read page by page.
pub const DASHBOARD_OFFERS: usize = 100;

/// Maximum number of open dashboard event streams. Each stream may have up to [`MAX_QUEUED_UPDATES`] unread updates.
pub const MAX_DASHBOARD_STREAMS: usize = 32;

/// Maximum number of unread updates of one dashboard stream. A client that falls further behind gets a new snapshot.
pub const MAX_QUEUED_UPDATES: usize = 16;

/// Maximum number of offers on one page of the history.
pub const HISTORY_PAGE_SIZE: usize = 100;

/// Maximum time that one request waits for a job to end, or for a job to execute. It is below the timeouts of common
/// proxies and clients.
pub const MAX_JOB_WAIT: Duration = Duration::from_secs(10 * 60);

/// Maximum number of attempts that a caller may request. A higher number is most likely a mistake.
pub const MAX_JOB_ATTEMPTS: u32 = 100;

/// Maximum backoff after the first failed attempt that a caller may request.
pub const MAX_JOB_BACKOFF: Duration = Duration::from_secs(24 * 60 * 60);

/// Maximum time to live of a result that a caller may request: ten years. Without a requested value a result does not
/// expire.
pub const MAX_JOB_TTL: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Maximum number of available jobs in one response to a runner (docs/protocols/jobs.md, `GET jobs/available`).
pub const MAX_AVAILABLE_JOBS: usize = 50;

/// Maximum number of job types in one request of a runner, and of a runner's capabilities.
pub const MAX_RUNNER_TYPES: usize = 1000;

/// Number of jobs in a list when the request has no limit.
pub const DEFAULT_LIST_LIMIT: usize = 100;

/// Maximum number of jobs in a list, of runners in a list, and of jobs deleted by one request.
pub const MAX_LIST_LIMIT: usize = 1000;

/// Maximum number of jobs in the details of one runner (docs/protocols/jobs.md, `GET runners/{id}`).
pub const MAX_RUNNER_JOBS: usize = 100;

/// A runner that was last seen within this time counts as active (docs/protocols/jobs.md).
pub const RUNNER_ACTIVE_WINDOW: Duration = Duration::from_secs(5 * 60);

/// Maximum number of open job event streams, of all clients together.
pub const MAX_JOB_STREAMS: usize = 256;

/// Maximum number of retirements in force. Each poll is compared with all of them.
pub const MAX_RETIREMENTS: usize = 1000;

/// How long a retirement stays in force when the request has no duration. Most runs that are executing when a version
/// is retired end within this time.
pub const DEFAULT_RETIREMENT: Duration = Duration::from_secs(60 * 60);

/// Maximum duration of a retirement.
pub const MAX_RETIREMENT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Maximum number of operator sessions. Beyond it the oldest session ends.
pub const MAX_SESSIONS: usize = 1000;

/// Maximum number of failed sign-ins per second, of all clients together. Beyond it a sign-in is refused without
/// checking its key.
pub const MAX_FAILED_SIGN_INS_PER_SECOND: u32 = 10;

/// Maximum lifetime of an event stream. The client then reconnects, and its permission is checked again.
pub const STREAM_LIFETIME: Duration = Duration::from_secs(5 * 60);

/// Lifetime of an operator session: a working day.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 60 * 60);

/// A connection reset within this time after the acknowledgement proves that the runner's program did not read the run.
/// A program that read it uses the connection or closes it; TCP keepalive detects a dead machine within 3 s.
pub const UNREAD_WINDOW: Duration = Duration::from_secs(10);

/// Maximum number of connections that stay open after their exchange is complete, to see whether a reset follows.
pub const MAX_RESET_WATCHED_CONNS: usize = 1024;

/// Capacity of the queue of offer events for the log and traces. It is emptied ten times a second, which allows about
/// 160,000 offers per second.
pub const OFFER_EVENT_QUEUE: usize = 16 * 1024;

/// Capacity of the queue of job spans. It is emptied ten times a second, which allows about 80,000 jobs per second with
/// two spans each.
pub const JOB_SPAN_QUEUE: usize = 16 * 1024;

/// Maximum number of spans in one export. They are under 1 MiB; collectors accept 4 MiB by default.
pub const MAX_SPANS_PER_EXPORT: usize = 1024;

/// Maximum number of exports that wait for a slow collector.
pub const EXPORT_QUEUE: usize = 32;

/// Maximum number of rate limit entries, about 10 MB when full. See `rate_limit`.
pub const MAX_RATE_LIMIT_ENTRIES: usize = 100_000;

/// Maximum backoff before the next attempt, however many attempts failed. A longer first backoff that the caller
/// requested stays as it is.
pub const MAX_RETRY_BACKOFF: Duration = Duration::from_secs(60 * 60);

/// Maximum number of job types in one poll.
pub const MAX_TYPES_PER_POLL: usize = 100;

/// Maximum time between two sweeps for due jobs. A job that another instance changed without a notification is found
/// within this time.
pub const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of due jobs that one transaction advances.
pub const SWEEP_BATCH: usize = 500;

/// How often the clock of a shared database is sampled. Two clocks drift apart by less than a millisecond in this time,
/// and a clock that someone sets is followed within this time.
pub const CLOCK_SAMPLE_INTERVAL: Duration = Duration::from_secs(5);

/// A clock sample with a longer round trip is ignored, unless it is the first one. Its error may be half the round
/// trip, and a dispatch has 2 s.
pub const MAX_CLOCK_SAMPLE_ROUND_TRIP: Duration = Duration::from_millis(250);

/// A difference of two clocks is logged from this many milliseconds on. Clocks set by NTP differ by less.
pub const REPORTED_CLOCK_OFFSET_MS: u64 = 1000;

/// From this number of ready jobs of one type on, [`crate::job_matcher::JobMatcher`] treats the number as unlimited.
/// It bounds no memory: the store counts all ready jobs.
pub const MAX_BACKLOG_COUNT: u64 = 1000;

/// Maximum number of runners whose last-seen time is cached, about 20 MB. For other runners every request writes the
/// time to the store.
pub const MAX_TRACKED_RUNNERS: usize = 100_000;

/// Maximum number of concurrent webhook requests of one job type. The limit is per type, so a target that does not
/// respond delays no other type. A target that answers in 50 ms gets up to 160 requests per second.
pub const MAX_WEBHOOKS_PER_TYPE: usize = 8;

/// A webhook request that is not answered within this time has failed.
pub const WEBHOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// A webhook whose attempt has no recorded outcome within this time is attempted again, because the process that sent
/// it is gone. It is longer than [`WEBHOOK_TIMEOUT`].
pub const WEBHOOK_LEASE: Duration = Duration::from_secs(15);

/// The backoff after the first failed attempt of a webhook. Each further failure doubles it.
pub const WEBHOOK_FIRST_BACKOFF: Duration = Duration::from_secs(5);

/// Maximum number of attempts of a webhook. With backoffs from 5 s to an hour they take most of a day.
pub const MAX_WEBHOOK_ATTEMPTS: u32 = 30;

/// How long a webhook waits when this instance has no webhook configured for its job type. Another instance may have
/// one while a version or configuration is being rolled out. After this time the webhook is dropped.
pub const MAX_UNCONFIGURED_WEBHOOK_AGE: Duration = Duration::from_secs(10 * 60);

/// Maximum number of webhooks that one transaction drops.
pub const WEBHOOK_DROP_BATCH: usize = 1000;

/// Maximum number of results of one type that are validated concurrently.
pub const MAX_VALIDATIONS_PER_TYPE: usize = 16;

/// A validation request that is not answered within this time leaves the result's validity unknown.
pub const VALIDATION_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time between two runs of retention. The number of ended jobs can exceed the configured one by those that end
/// within this time.
pub const PRUNE_INTERVAL: Duration = Duration::from_secs(10);

/// A registered runner is remembered for at least this time after it was last seen, even when ended jobs are deleted
/// sooner. A runner that waits for a job is seen once in ten minutes.
pub const MIN_RUNNER_RETENTION: Duration = Duration::from_secs(60 * 60);

/// Maximum number of old jobs, or of old runners, that one transaction deletes.
pub const PRUNE_BATCH: usize = 500;

/// Maximum size of a response that our own clients read, in bytes. It is enough for a list of 1,000 jobs, and for a
/// result and a console in which every character is escaped.
pub const MAX_CLIENT_RESPONSE_BYTES: usize = 32 * 1024 * 1024;

/// Our own clients report that the service is not reachable when it accepts no connection within this time.
pub const CLIENT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long our own clients keep an idle connection open. It is shorter than the service's own idle time, so no request
/// is sent on a connection that the service is closing.
pub const CLIENT_IDLE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long our own clients wait for a response, in addition to the wait that the request asks for.
pub const CLIENT_RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum size of a job's console that our own runner sends, in bytes. It is the default of the service's limit
/// `jobs.limits.console_bytes`.
pub const CONSOLE_BYTES: usize = 1024 * 1024;

/// Size of the end of a long console that is sent, in bytes. The rest of [`CONSOLE_BYTES`] is the console's beginning.
pub const CONSOLE_TAIL_BYTES: usize = 256 * 1024;

/// Maximum size of the console text in one request, in bytes. The request is still accepted when every character is
/// escaped.
pub const CONSOLE_CHUNK_BYTES: usize = 256 * 1024;

/// Maximum size of a progress line, in bytes. A longer line is console text.
pub const PROGRESS_LINE_BYTES: usize = 64;

/// Maximum size of the part of a command's last stderr line that is used in an error message, in bytes.
pub const MAX_STDERR_LINE_BYTES: usize = 1000;

/// Minimum time between two heartbeats in which our own runner reports new output of a command.
pub const RUNNER_HEARTBEAT_INTERVAL: Duration = Duration::from_secs(1);

/// How long our own runner waits for a job in one poll. It is below the timeouts of common proxies.
pub const RUNNER_POLL_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum backoff of our own runner before it tries to reach the service again.
pub const MAX_RUNNER_BACKOFF: Duration = Duration::from_secs(5);

/// How long our own runner continues to report after it was asked to stop.
pub const RUNNER_FINAL_REPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Our own clients treat an event stream as dead when they received nothing for this time: three keep-alive messages
/// are missing.
pub const CLIENT_STREAM_TIMEOUT: Duration = Duration::from_secs(45);
