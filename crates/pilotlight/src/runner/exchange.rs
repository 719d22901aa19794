//! A process that is kept, and its turn at one job: a line of JSON in, a line out. The end of its line is held back until
//! the process reads for this job, which it does when it is done with everything before. What it wrote until then cannot be
//! the answer, and is never taken for it.

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

/// A process that waits for a job reads within this, and is looked at all the time.
const BUSY_POLL_FOR: Duration = Duration::from_micros(300);

/// The longest pause between two looks whether it has read.
const MAX_READ_CHECK_INTERVAL: Duration = Duration::from_millis(20);

/// How old a process becomes at least while it waits, so that waiting does not start one after the other.
const MIN_WAITING_AGE: Duration = Duration::from_secs(1);

/// A process that is kept.
#[derive(Debug)]
pub(super) struct WarmProcess {
    pub(super) child: Child,
    pub(super) usage: WorkerUsage,
    /// The same pipes, to look whether something is there without waiting for it.
    stdout: File,
    stderr: File,
    started: Instant,
    /// It wrote, or closed its stdout, while nobody asked.
    has_unsolicited_output: bool,
}

/// How one job went.
pub(super) enum ExchangeOutcome {
    /// It answered with this line, and waits for the next job.
    Response(Vec<u8>),
    /// It answered, and wrote more than one line.
    ExtraOutput(Vec<u8>),
    /// It closed its stdout.
    StdoutClosed,
    /// It did so before it had read the job.
    ClosedBeforeRead,
    /// It wrote before it had read the job.
    UnsolicitedOutput,
}

/// A job's line. Its first part is no whole JSON value: whoever has read no more cannot know the job.
pub(super) struct InputLine {
    line: Vec<u8>,
    tail_length: usize,
}

impl InputLine {
    /// White space between tokens may hold line breaks; nothing else in JSON does.
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

    /// Whether it waits for a job, and for nothing else, and may do one more.
    pub(super) fn is_reusable(&mut self, limits: &RecycleLimits) -> bool {
        self.has_unsolicited_output |= self.early_output().is_some();
        !self.has_failed() && self.recycle_reason(limits).is_none()
    }

    /// It ended, or spoke without being asked.
    pub(super) const fn has_failed(&self) -> bool {
        self.has_unsolicited_output || self.child.exit_watcher.has_exited()
    }

    pub(super) fn recycle_reason(&self, limits: &RecycleLimits) -> Option<RecycleReason> {
        limits.recycle_reason(&self.usage, self.started.elapsed())
    }

    /// Waits until it is not fit for a job any more. Survives being dropped.
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

    /// Who hears what it says before it has read its job: nobody, unless that is its first one.
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

    /// Waits until it has read the first part of its job and has written nothing meanwhile.
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

    /// Hears what it says until it has answered.
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

    /// What its stdout tells before it may tell anything.
    fn early_output(&self) -> Option<ExchangeOutcome> {
        match (&self.stdout).read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Ok(1..) => Some(ExchangeOutcome::UnsolicitedOutput),
            Ok(_) | Err(_) => Some(ExchangeOutcome::ClosedBeforeRead),
        }
    }

    /// What it wrote to stderr so far is in the pipe by now; without an ear it is thrown away.
    pub(super) fn drain_stderr(&self, reporter: Option<&JobReporter<'_>>) {
        let mut chunk = vec![0; CHUNK_BYTES];
        // As much as a pipe holds; one that never stops must not hold its job up.
        for _ in 0..16 {
            match (&self.stderr).read(&mut chunk) {
                Ok(read @ 1..) => report_stderr(reporter, &chunk[..read]),
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Writes all of it, and waits until it was read. One that reads no more is waited for no more.
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

/// Reads up to the end of a line.
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
