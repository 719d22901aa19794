//! A warm process, and the exchange of one job with it: one line of JSON in, one line out.
//!
//! The last bytes of the input line are written only after the process has read the bytes before them, which it does
//! when it has finished the previous job. Output that was written until then cannot be the answer to this job, and must
//! never be used as such. See `docs/protocols/commands.md`.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::pin::pin;
use std::time::Duration;

use pilotlight_core::command::{RecycleLimits, RecycleReason, WorkerUsage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use super::child::{Child, Pipes};
use super::job_reporter::JobReporter;
use super::sys::unread_bytes;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 64 * 1024;

/// How long to poll without pauses whether the process has read its input: an idle process reads within this time.
const BUSY_POLL_FOR: Duration = Duration::from_micros(300);

/// The longest pause between two checks whether the process has read its input.
const MAX_READ_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// The least age at which an idle process is replaced, so that a small `max_age` does not start processes continuously.
const MIN_WAITING_AGE: Duration = Duration::from_secs(1);

/// A process that executes many jobs of one type, one after the other.
#[derive(Debug)]
pub(super) struct WarmProcess {
    pub(super) child: Child,
    pub(super) usage: WorkerUsage,
    /// Duplicates of the stdout and stderr pipes, for reading without waiting.
    stdout: File,
    stderr: File,
    started: Instant,
    /// Whether the process wrote to stdout or closed it while it had no job.
    has_unsolicited_output: bool,
}

/// How the exchange of one job ended.
pub(super) enum ExchangeOutcome {
    /// The process answered with this line and can take the next job.
    Response(Vec<u8>),
    /// The process answered with this line and wrote more output after it.
    ExtraOutput(Vec<u8>),
    /// The process closed its stdout before it answered.
    StdoutClosed,
    /// The process closed its stdout before it had read the job.
    ClosedBeforeRead,
    /// The process wrote to stdout before it had read the job.
    UnsolicitedOutput,
}

/// A job's input line in two parts. The first part is not complete JSON: a process that has read only this part cannot
/// know the job.
pub(super) struct InputLine {
    line: Vec<u8>,
    tail_length: usize,
}

impl InputLine {
    /// Replaces line breaks by spaces: in valid JSON they occur only between tokens.
    pub(super) fn new(json: &str) -> Self {
        let line = format!("{}\n", json.trim().replace(['\n', '\r'], " ")).into_bytes();
        let tail_length = line.len().min(2);
        Self { line, tail_length }
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        self.line.split_at(self.line.len() - self.tail_length)
    }
}

impl WarmProcess {
    pub(super) fn new(child: Child) -> io::Result<Self> {
        let stdout = File::from(child.pipes.stdout.as_fd().try_clone_to_owned()?);
        let stderr = File::from(child.pipes.stderr.as_fd().try_clone_to_owned()?);
        Ok(Self {
            child,
            usage: WorkerUsage::default(),
            stdout,
            stderr,
            started: Instant::now(),
            has_unsolicited_output: false,
        })
    }

    /// Whether the process is idle, has written nothing unasked, and may execute one more job.
    pub(super) fn is_reusable(&mut self, limits: &RecycleLimits) -> bool {
        self.has_unsolicited_output |= self.early_output().is_some();
        !self.has_failed() && self.recycle_reason(limits).is_none()
    }

    /// Whether the process exited, or wrote to stdout or closed it without a job.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_unsolicited_output || self.child.exit_watcher.has_exited()
    }

    pub(super) fn recycle_reason(&self, limits: &RecycleLimits) -> Option<RecycleReason> {
        limits.recycle_reason(&self.usage, self.started.elapsed())
    }

    /// Waits until the idle process can no longer be used for a job. Cancellation-safe.
    pub(super) async fn wait_until_unusable(&mut self, limits: RecycleLimits) {
        let expiry = limits.max_age.and_then(|age| self.started.checked_add(age.max(MIN_WAITING_AGE)));
        let expired = async {
            match expiry {
                Some(expiry) => sleep_until(expiry).await,
                None => std::future::pending().await,
            }
        };
        let mut byte = [0];
        tokio::select! {
            () = self.child.exit_watcher.wait_for_report() => {}
            _ = self.child.pipes.stdout.read(&mut byte) => self.has_unsolicited_output = true,
            () = expired => {}
        }
    }

    /// Who receives the stderr output that the process writes before it has read its job: the job's reporter if this is
    /// the first job of the process, otherwise none.
    pub(super) fn early_stderr_reporter<'v, 'a>(
        &self,
        job_reporter: &'v JobReporter<'a>,
    ) -> Option<&'v JobReporter<'a>> {
        (self.usage.jobs == 0).then_some(job_reporter)
    }

    pub(super) async fn exchange(
        &mut self,
        input: &InputLine,
        max_bytes: usize,
        output_too_long: &Notify,
        job_reporter: &JobReporter<'_>,
    ) -> ExchangeOutcome {
        let (first, rest) = input.parts();
        if let Err(early_output) = self.send_first_part(first, job_reporter).await {
            return early_output;
        }
        if self.child.pipes.stdin.write_all(rest).await.is_err() {
            return ExchangeOutcome::ClosedBeforeRead;
        }
        let outcome = self.read_response(max_bytes, output_too_long, job_reporter).await;
        let has_read = unread_bytes(&self.child.pipes.stdin) < rest.len();
        match outcome {
            ExchangeOutcome::Response(_) | ExchangeOutcome::ExtraOutput(_) if !has_read => {
                ExchangeOutcome::UnsolicitedOutput
            }
            ExchangeOutcome::StdoutClosed if !has_read => ExchangeOutcome::ClosedBeforeRead,
            ExchangeOutcome::Response(_)
            | ExchangeOutcome::ExtraOutput(_)
            | ExchangeOutcome::StdoutClosed
            | ExchangeOutcome::ClosedBeforeRead
            | ExchangeOutcome::UnsolicitedOutput => outcome,
        }
    }

    /// Sends the first part of the job and waits until the process has read it. Fails if the process writes to stdout
    /// or closes it meanwhile.
    async fn send_first_part(
        &mut self,
        first: &[u8],
        job_reporter: &JobReporter<'_>,
    ) -> Result<(), ExchangeOutcome> {
        let reporter = self.early_stderr_reporter(job_reporter);
        self.drain_stderr(reporter);
        let Pipes { stdin, stdout, stderr } = &mut self.child.pipes;
        {
            let mut writing = pin!(write_until_read(stdin, first));
            let mut early_output_arrives = pin!(wait_for_early_output(stdout));
            let mut reading_stderr = pin!(read_stderr(stderr, reporter));
            let mut stderr_closed = false;
            loop {
                tokio::select! {
                    biased;
                    early_output = &mut early_output_arrives => return Err(early_output),
                    () = &mut writing => break,
                    () = &mut reading_stderr, if !stderr_closed => stderr_closed = true,
                }
            }
        }
        self.drain_stderr(reporter);
        self.early_output().map_or(Ok(()), Err)
    }

    /// Reads stdout and stderr until the process has answered.
    async fn read_response(
        &mut self,
        max_bytes: usize,
        output_too_long: &Notify,
        job_reporter: &JobReporter<'_>,
    ) -> ExchangeOutcome {
        let Pipes { stdout, stderr, .. } = &mut self.child.pipes;
        let mut reading_response = pin!(read_response_line(stdout, max_bytes, output_too_long));
        let mut reading_stderr = pin!(read_stderr(stderr, Some(job_reporter)));
        let mut stderr_closed = false;
        loop {
            tokio::select! {
                biased;
                outcome = &mut reading_response => return outcome,
                () = &mut reading_stderr, if !stderr_closed => stderr_closed = true,
            }
        }
    }

    /// Checks without waiting whether the process wrote to stdout or closed it; called before it may answer.
    fn early_output(&self) -> Option<ExchangeOutcome> {
        match (&self.stdout).read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Ok(1..) => Some(ExchangeOutcome::UnsolicitedOutput),
            Ok(_) | Err(_) => Some(ExchangeOutcome::ClosedBeforeRead),
        }
    }

    /// Reads what is in the stderr pipe now, without waiting. Without a reporter it is discarded.
    pub(super) fn drain_stderr(&self, reporter: Option<&JobReporter<'_>>) {
        let mut chunk = vec![0; CHUNK_BYTES];
        // At most one pipe buffer: a process that never stops writing must not delay its job.
        for _ in 0..16 {
            match (&self.stderr).read(&mut chunk) {
                Ok(read @ 1..) => report_stderr(reporter, &chunk[..read]),
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Writes `input` and waits until the process has read it. Never returns if the process closed its stdin: then the exit
/// or the closed stdout ends the exchange.
async fn write_until_read(stdin: &mut ChildStdin, input: &[u8]) {
    if stdin.write_all(input).await.is_err() {
        return std::future::pending().await;
    }
    let written = Instant::now();
    let mut pause = Duration::from_millis(1);
    while unread_bytes(stdin) > 0 {
        if written.elapsed() < BUSY_POLL_FOR {
            yield_now().await;
        } else {
            sleep(pause).await;
            pause = (pause * 2).min(MAX_READ_CHECK_INTERVAL);
        }
    }
}

async fn wait_for_early_output(stdout: &mut ChildStdout) -> ExchangeOutcome {
    match stdout.read(&mut [0]).await {
        Ok(1..) => ExchangeOutcome::UnsolicitedOutput,
        Ok(_) | Err(_) => ExchangeOutcome::ClosedBeforeRead,
    }
}

pub(super) async fn read_stderr(stderr: &mut ChildStderr, reporter: Option<&JobReporter<'_>>) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        report_stderr(reporter, &chunk[..read]);
    }
}

fn report_stderr(reporter: Option<&JobReporter<'_>>, bytes: &[u8]) {
    if let Some(job_reporter) = reporter {
        job_reporter.on_stderr(bytes);
    }
}

/// Reads one line from stdout. If it is longer than `max_bytes`, notifies `output_too_long` and never returns.
async fn read_response_line(
    stdout: &mut ChildStdout,
    max_bytes: usize,
    output_too_long: &Notify,
) -> ExchangeOutcome {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let Ok(read @ 1..) = stdout.read(&mut chunk).await else { return ExchangeOutcome::StdoutClosed };
        let searched = bytes.len();
        bytes.extend_from_slice(&chunk[..read]);
        let end = bytes[searched..].iter().position(|byte| *byte == b'\n').map(|at| searched + at);
        let length = end.unwrap_or(bytes.len());
        if length > max_bytes {
            output_too_long.notify_one();
            return std::future::pending().await;
        }
        if let Some(end) = end {
            let is_all = end + 1 == bytes.len();
            bytes.truncate(end);
            return if is_all {
                ExchangeOutcome::Response(bytes)
            } else {
                ExchangeOutcome::ExtraOutput(bytes)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_of_a_job_is_not_complete_json() {
        for (json, first, rest) in [
            ("{}", "{", "}\n"),
            ("{ \"a\":\r\n 1 }\n", "{ \"a\":   1 ", "}\n"),
            ("[\"é\"]", "[\"é\"", "]\n"),
            ("1", "", "1\n"),
        ] {
            assert_eq!(InputLine::new(json).parts(), (first.as_bytes(), rest.as_bytes()));
        }
    }
}
