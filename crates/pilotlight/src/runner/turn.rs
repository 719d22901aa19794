//! A process that is kept, and its turn at one job: a line of JSON in, a line out. The end of its line is held back until
//! the process reads for this job, which it does when it is done with everything before. What it wrote until then cannot be
//! the answer, and is never taken for it.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::os::fd::AsFd;
use std::pin::pin;
use std::time::Duration;

use pilotlight_core::command::{Kept as Used, Wear, Worn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::Notify;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until};

use super::child::{Child, Pipes};
use super::sys::unread;
use super::voice::Voice;

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// A process that waits for a job reads within this, and is looked at all the time.
const READS_WITHIN: Duration = Duration::from_micros(300);

/// The longest pause between two looks whether it has read.
const LOOKS_EVERY: Duration = Duration::from_millis(20);

/// How old a process becomes at least while it waits, so that waiting does not start one after the other.
const WAITS_AT_LEAST: Duration = Duration::from_secs(1);

/// A process that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) child: Child,
    pub(super) used: Used,
    /// The same pipes, to look whether something is there without waiting for it.
    stdout: File,
    stderr: File,
    started: Instant,
    /// It wrote, or closed its stdout, while nobody asked.
    spoke: bool,
}

/// How one job went.
pub(super) enum Turn {
    /// It answered with this line, and waits for the next job.
    Line(Vec<u8>),
    /// It answered, and wrote more than one line.
    OutOfStep(Vec<u8>),
    /// It closed its stdout.
    Closed,
    /// It did so before it had read the job.
    Left,
    /// It wrote before it had read the job.
    Spoke,
}

/// A job's line. Its first part is no whole JSON value: whoever has read no more cannot know the job.
pub(super) struct Input {
    line: Vec<u8>,
    held_back: usize,
}

impl Input {
    /// White space between tokens may hold line breaks; nothing else in JSON does.
    pub(super) fn of(json: &str) -> Self {
        let line = format!("{}\n", json.trim().replace(['\n', '\r'], " ")).into_bytes();
        let held_back = line.len().min(2);
        Self { line, held_back }
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        self.line.split_at(self.line.len() - self.held_back)
    }
}

impl Kept {
    pub(super) fn of(child: Child) -> io::Result<Self> {
        let stdout = File::from(child.pipes.stdout.as_fd().try_clone_to_owned()?);
        let stderr = File::from(child.pipes.stderr.as_fd().try_clone_to_owned()?);
        Ok(Self { child, used: Used::default(), stdout, stderr, started: Instant::now(), spoke: false })
    }

    /// Whether it waits for a job, and for nothing else, and may do one more.
    pub(super) fn is_fit(&mut self, wear: &Wear) -> bool {
        self.spoke |= self.early().is_some();
        !self.is_over() && self.worn(wear).is_none()
    }

    /// It ended, or spoke without being asked.
    pub(super) const fn is_over(&self) -> bool {
        self.spoke || self.child.end.is_over()
    }

    pub(super) fn worn(&self, wear: &Wear) -> Option<Worn> {
        wear.worn(&self.used, self.started.elapsed())
    }

    /// Waits until it is not fit for a job any more. Survives being dropped.
    pub(super) async fn until_unfit(&mut self, wear: Wear) {
        let old = wear.age.and_then(|age| self.started.checked_add(age.max(WAITS_AT_LEAST)));
        let is_old = async {
            match old {
                Some(old) => sleep_until(old).await,
                None => std::future::pending().await,
            }
        };
        let mut byte = [0];
        tokio::select! {
            () = self.child.end.over() => {}
            _ = self.child.pipes.stdout.read(&mut byte) => self.spoke = true,
            () = is_old => {}
        }
    }

    /// Who hears what it says before it has read its job: nobody, unless that is its first one.
    pub(super) fn ear<'v, 'a>(&self, voice: &'v Voice<'a>) -> Option<&'v Voice<'a>> {
        (self.used.jobs == 0).then_some(voice)
    }

    pub(super) async fn turn(
        &mut self,
        input: &Input,
        at_most: usize,
        too_long: &Notify,
        voice: &Voice<'_>,
    ) -> Turn {
        let (first, rest) = input.parts();
        if let Err(early) = self.reads(first, voice).await {
            return early;
        }
        if self.child.pipes.stdin.write_all(rest).await.is_err() {
            return Turn::Left;
        }
        let turn = self.answers(at_most, too_long, voice).await;
        let has_read = unread(&self.child.pipes.stdin) < rest.len();
        match turn {
            Turn::Line(_) | Turn::OutOfStep(_) if !has_read => Turn::Spoke,
            Turn::Closed if !has_read => Turn::Left,
            Turn::Line(_) | Turn::OutOfStep(_) | Turn::Closed | Turn::Left | Turn::Spoke => turn,
        }
    }

    /// Waits until it has read the first part of its job and has written nothing meanwhile.
    async fn reads(&mut self, first: &[u8], voice: &Voice<'_>) -> Result<(), Turn> {
        let ear = self.ear(voice);
        self.drain(ear);
        let Pipes { stdin, stdout, stderr } = &mut self.child.pipes;
        {
            let mut reading = pin!(feed(stdin, first));
            let mut speaking = pin!(speaks(stdout));
            let mut listening = pin!(listen(stderr, ear));
            let mut is_silent = false;
            loop {
                tokio::select! {
                    biased;
                    early = &mut speaking => return Err(early),
                    () = &mut reading => break,
                    () = &mut listening, if !is_silent => is_silent = true,
                }
            }
        }
        self.drain(ear);
        self.early().map_or(Ok(()), Err)
    }

    /// Hears what it says until it has answered.
    async fn answers(&mut self, at_most: usize, too_long: &Notify, voice: &Voice<'_>) -> Turn {
        let Pipes { stdout, stderr, .. } = &mut self.child.pipes;
        let mut answering = pin!(line(stdout, at_most, too_long));
        let mut listening = pin!(listen(stderr, Some(voice)));
        let mut is_silent = false;
        loop {
            tokio::select! {
                biased;
                turn = &mut answering => return turn,
                () = &mut listening, if !is_silent => is_silent = true,
            }
        }
    }

    /// What its stdout tells before it may tell anything.
    fn early(&self) -> Option<Turn> {
        match (&self.stdout).read(&mut [0]) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Ok(1..) => Some(Turn::Spoke),
            Ok(_) | Err(_) => Some(Turn::Left),
        }
    }

    /// What it wrote to stderr so far is in the pipe by now; without an ear it is thrown away.
    pub(super) fn drain(&self, ear: Option<&Voice<'_>>) {
        let mut chunk = vec![0; CHUNK];
        // As much as a pipe holds; one that never stops must not hold its job up.
        for _ in 0..16 {
            match (&self.stderr).read(&mut chunk) {
                Ok(read @ 1..) => hear(ear, &chunk[..read]),
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Writes all of it, and waits until it was read. One that reads no more is waited for no more.
async fn feed(stdin: &mut ChildStdin, input: &[u8]) {
    if stdin.write_all(input).await.is_err() {
        return std::future::pending().await;
    }
    let written = Instant::now();
    let mut pause = Duration::from_millis(1);
    while unread(stdin) > 0 {
        if written.elapsed() < READS_WITHIN {
            yield_now().await;
        } else {
            sleep(pause).await;
            pause = (pause * 2).min(LOOKS_EVERY);
        }
    }
}

async fn speaks(stdout: &mut ChildStdout) -> Turn {
    match stdout.read(&mut [0]).await {
        Ok(1..) => Turn::Spoke,
        Ok(_) | Err(_) => Turn::Left,
    }
}

pub(super) async fn listen(stderr: &mut ChildStderr, ear: Option<&Voice<'_>>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        hear(ear, &chunk[..read]);
    }
}

fn hear(ear: Option<&Voice<'_>>, bytes: &[u8]) {
    if let Some(voice) = ear {
        voice.hear(bytes);
    }
}

/// Reads up to the end of a line.
async fn line(stdout: &mut ChildStdout, at_most: usize, too_long: &Notify) -> Turn {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let Ok(read @ 1..) = stdout.read(&mut chunk).await else { return Turn::Closed };
        let searched = bytes.len();
        bytes.extend_from_slice(&chunk[..read]);
        let end = bytes[searched..].iter().position(|byte| *byte == b'\n').map(|at| searched + at);
        let length = end.unwrap_or(bytes.len());
        if length > at_most {
            too_long.notify_one();
            return std::future::pending().await;
        }
        if let Some(end) = end {
            let is_all = end + 1 == bytes.len();
            bytes.truncate(end);
            return if is_all { Turn::Line(bytes) } else { Turn::OutOfStep(bytes) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_part_of_a_job_is_no_whole_value() {
        for (json, first, rest) in [
            ("{}", "{", "}\n"),
            ("{ \"a\":\r\n 1 }\n", "{ \"a\":   1 ", "}\n"),
            ("[\"é\"]", "[\"é\"", "]\n"),
            ("1", "", "1\n"),
        ] {
            assert_eq!(Input::of(json).parts(), (first.as_bytes(), rest.as_bytes()));
        }
    }
}
