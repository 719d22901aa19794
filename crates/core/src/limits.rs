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
pub const HEAD_WITHIN: Duration = Duration::from_secs(30);

/// A TLS handshake that is not complete by then is given up.
pub const HANDSHAKE_WITHIN: Duration = Duration::from_secs(10);

/// A body that is not complete by then is refused: 10 MiB at 350 KB/s.
pub const BODY_WITHIN: Duration = Duration::from_secs(30);

/// Polls that one offer is dispatched to before the run is cold-started.
pub const DISPATCHES_PER_OFFER: u8 = 3;

/// Slowest link on which a run is still delivered, in bytes per second (4 Mbit/s). Slower than that, a cold
/// start elsewhere is the better answer.
pub const SLOWEST_LINK_BYTES_PER_S: u64 = 500_000;

/// A client's own time-out may strike while a run is on its way, so a poll rests for its last quarter,
pub const GUARD_SHARE: u32 = 4;
/// but never for more than this.
pub const GUARD_AT_MOST: Duration = Duration::from_secs(1);

/// A poll this much older than the advertised time-out belongs to a client without time-outs: it is let go.
pub const LET_GO_AFTER: Duration = Duration::from_secs(5);

/// Runners remembered as executing. Beyond it the oldest is forgotten: it only feeds the dashboard.
pub const EXECUTING: usize = 100_000;

/// A runner that has not polled again for this long never will.
pub const EXECUTING_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// Offers in the history ring, as the contract says; about 30 MB when full.
pub const HISTORY: usize = 100_000;

/// How finely the last hour is counted: what a chart of an hour can show.
pub const SERIES_BUCKET: Duration = Duration::from_secs(15);

/// Stretches of time that are counted: one hour, about 80 KB.
pub const SERIES_BUCKETS: usize = 240;

/// The latest offers that people see change; older ones come in pages.
pub const OFFERS_SHOWN: usize = 100;

/// People who may watch at once. Each may hold a few updates that are not read yet.
pub const WATCHERS: usize = 32;

/// Updates that may wait for a watcher who reads slowly. One who lags behind further begins anew.
pub const UPDATES_WAITING: usize = 16;

/// Entries on one page of the history.
pub const HISTORY_PAGE: usize = 100;

/// How long a caller is kept waiting for a job's end, or a runner for a job: below what proxies and clients stand.
pub const JOB_WAIT_AT_MOST: Duration = Duration::from_secs(10 * 60);

/// Tries that a caller may wish for. More of them hide a mistake.
pub const JOB_ATTEMPTS: u32 = 100;

/// The longest first pause between tries that a caller may wish for.
pub const JOB_BACKOFF_AT_MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// The longest time that a result stays valid when the caller says how long: ten years. For longer, say nothing.
pub const JOB_TTL_AT_MOST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// Jobs that a runner is offered to claim, as the contract says.
pub const JOBS_AVAILABLE: usize = 50;

/// Types that a runner may ask for in one call, and capabilities that it may have.
pub const RUNNER_TYPES: usize = 1000;

/// Jobs in a list when the caller does not say how many.
pub const JOBS_LISTED: usize = 100;

/// Jobs in a list, runners in a list, and jobs deleted in one call.
pub const LISTED_AT_MOST: usize = 1000;

/// Jobs told of one runner, as the contract says.
pub const RUNNER_JOBS: usize = 100;

/// A runner that was seen within this is active, as the contract says.
pub const RUNNER_ACTIVE_FOR: Duration = Duration::from_secs(5 * 60);

/// People and programs who may watch jobs at once, of everybody together.
pub const JOB_WATCHERS: usize = 256;

/// Retirements in force at once; each poll is held against all of them.
pub const RETIREMENTS: usize = 1000;

/// How long a retirement stays in force when the caller does not say: runs that are executing when a version
/// is retired mostly end within it.
pub const RETIRE_FOR: Duration = Duration::from_secs(60 * 60);

/// How long a retirement may stay in force at most.
pub const RETIRE_FOR_AT_MOST: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Sessions of operators at once; beyond it the oldest ends.
pub const SESSIONS: usize = 1000;

/// Wrong keys a second, of everybody together, before the next are not looked at.
pub const SIGN_INS_PER_SECOND: u32 = 10;

/// How long an open stream of events lasts: whoever watches asks again, and is looked at again.
pub const WATCH_FOR: Duration = Duration::from_secs(5 * 60);

/// How long a session lasts: a working day.
pub const SESSION_FOR: Duration = Duration::from_secs(12 * 60 * 60);

/// How long after its acknowledgement a reset is taken as proof that the program never read the run. A client
/// that read it uses or closes the connection; keepalive finds a dead machine within 3 s.
pub const UNREAD_WITHIN: Duration = Duration::from_secs(10);

/// Connections kept open after the protocol is done with them, to see whether a reset follows.
pub const LINGERING: usize = 1024;

/// Offers that wait to be written about; emptied ten times a second, that is for 160,000 a second.
pub const SEEN: usize = 16 * 1024;

/// Spans in one export. Collectors take 4 MiB by default; this is under 1 MiB.
pub const SPANS: usize = 1024;

/// Exports that wait for a collector that is slow.
pub const EXPORTS: usize = 32;

/// Who asked lately, as far as rates are limited; about 10 MB when full.
pub const RATED: usize = 100_000;

/// The longest pause before something is tried again, however often it failed; a caller may wish for a longer one.
pub const RETRY_PAUSE_AT_MOST: Duration = Duration::from_secs(60 * 60);

/// Job types that one poll may ask for.
pub const TYPES_PER_POLL: usize = 100;

/// How often jobs are looked through for those that are due, should nothing else be a reason to: what another
/// instance did and could not tell is found within this.
pub const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Jobs that are told in one transaction that time has passed.
pub const SWEEP_AT_A_TIME: usize = 500;

/// How often the clock of a database that several instances share is looked at: clocks drift apart by less than a
/// millisecond in that time, and one that is set is followed within it.
pub const SKEW_LOOK_EVERY: Duration = Duration::from_secs(5);

/// A look at a clock that took longer tells too little: it may be wrong by half of it, and a dispatch has 2 s.
pub const SKEW_LOOK_WITHIN: Duration = Duration::from_millis(250);

/// A difference of two clocks of which people are told, in milliseconds: more than one that is set by NTP ever has.
pub const SKEW_SAID: u64 = 1000;

/// Ready jobs of one type that are counted; more are as good as without end.
pub const BACKLOG_COUNTED: u64 = 1000;

/// Runners of which is remembered when they were last heard of; about 20 MB. The others are written each time.
pub const RUNNERS_HEARD: usize = 100_000;

/// Webhooks of one type on their way at once. Each type has its own, so that one whose target hangs keeps no other
/// waiting; a target that answers in 50 ms hears 160 a second.
pub const HOOKS_PER_TYPE: usize = 8;

/// A webhook that is not answered by then has failed.
pub const HOOK_WITHIN: Duration = Duration::from_secs(10);

/// A webhook whose try was not settled by then is tried again: its process is gone. A try and some more.
pub const HOOK_LEASE: Duration = Duration::from_secs(15);

/// The pause after a webhook's first try in vain; each further one doubles it.
pub const HOOK_FIRST_PAUSE: Duration = Duration::from_secs(5);

/// Tries of a webhook before it is given up: with pauses from 5 s to an hour, that is most of a day.
pub const HOOK_TRIES: u32 = 30;

/// A webhook of a type that has none configured waits so long for an instance that is configured otherwise, as there are
/// while one version or configuration takes the place of another; then it is dropped.
pub const HOOK_UNWANTED_FOR: Duration = Duration::from_secs(10 * 60);

/// Webhooks that are dropped in one transaction.
pub const HOOKS_DROPPED_AT_A_TIME: usize = 1000;

/// Results of one type that are looked at at once.
pub const CHECKS_AT_A_TIME: usize = 16;

/// An address that has not answered by then tells nothing.
pub const CHECK_WITHIN: Duration = Duration::from_secs(10);

/// How often retention is looked after, at most: jobs go beyond it by what ends in that time.
pub const PRUNE_EVERY: Duration = Duration::from_secs(10);

/// How long a registered runner is remembered after it was last seen, however short ended jobs are kept: one that waits
/// for a job is seen once in ten minutes.
pub const RUNNER_KEPT_AT_LEAST: Duration = Duration::from_secs(60 * 60);

/// Old jobs, and old runners, that are forgotten in one transaction.
pub const PRUNE_AT_A_TIME: usize = 500;

/// Bytes of an answer that our own clients read: 1,000 jobs in a list, or a result and a console that are all escapes.
pub const CLIENT_ANSWER_BYTES: usize = 32 * 1024 * 1024;

/// A service that has not taken our own client's connection by then is not there.
pub const CLIENT_CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long our own clients keep a connection that they do not use: less than the service does, so that a request never
/// meets a connection that is just being closed.
pub const CLIENT_IDLES_FOR: Duration = Duration::from_secs(10);

/// How long our own clients wait for an answer, beyond what they asked the service to wait.
pub const CLIENT_ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// Bytes of a job's console that our own runner tells: what the contract allows.
pub const CONSOLE_BYTES: usize = 1024 * 1024;

/// Bytes of a long console's end that are told; the rest is its beginning.
pub const CONSOLE_TAIL_BYTES: usize = 256 * 1024;

/// Bytes of console in one word: were all of it escapes, the word would still be taken.
pub const CONSOLE_PIECE_BYTES: usize = 256 * 1024;

/// Bytes of a line that tells progress; longer ones are console.
pub const PROGRESS_LINE_BYTES: usize = 64;

/// Bytes of a command's last line that go into its error.
pub const LAST_WORDS_BYTES: usize = 1000;

/// How often our own runner tells what is new of a command, at most.
pub const RUNNER_BEATS_EVERY: Duration = Duration::from_secs(1);

/// How long our own runner waits for a job in one poll: below what proxies stand.
pub const RUNNER_POLLS_FOR: Duration = Duration::from_secs(30);

/// The longest pause of our own runner before it tries again to reach the service.
pub const RUNNER_PAUSE_AT_MOST: Duration = Duration::from_secs(5);

/// How long our own runner goes on reporting when it should have ended.
pub const RUNNER_REPORTS_FOR: Duration = Duration::from_secs(5);
/// A stream of events on which our own clients heard nothing for so long is dead: three signs of life are missing.
pub const CLIENT_SILENCE: Duration = Duration::from_secs(45);
