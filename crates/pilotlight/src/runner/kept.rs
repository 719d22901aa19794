//! A process that is kept: it takes one line of JSON for each job and answers with one line, and does the next job with
//! all that it has loaded. What does not keep to that, or is worn, is replaced; a line too many is never another job's
//! result.

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pilotlight_core::command::{Exit, Kept as Used, cannot_start, ended_kept, said_error};
use pilotlight_wire::runner::NextJob;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::child::{Child, Pipes};
use super::once::Why;
use super::processes::resident_bytes;
use super::result;
use super::settings::{Keeping, Kind};
use super::slot::Slot;
use super::sys::unread;
use super::voice::{Done, Voice};

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// A process that is kept.
#[derive(Debug)]
pub(super) struct Kept {
    child: Child,
    /// The same pipes, to look whether something is there without waiting for it.
    stdout: File,
    stderr: File,
    started: Instant,
    used: Used,
}

/// How one job went.
enum Turn {
    /// It answered with this line, and waits for the next job.
    Line(Vec<u8>),
    /// It answered, and did not read all of the job, or wrote more than one line.
    OutOfStep(Vec<u8>),
    /// It closed its stdout.
    Closed,
    /// It did so without having read a byte of the job.
    Left,
}

impl Slot {
    /// Has a process of each type ready.
    pub(super) async fn warm_up(&mut self) {
        if let Keeping::Fresh = self.settings.keeping {
            return;
        }
        for number in 0..self.settings.kinds.len() {
            let kind = &self.settings.kinds[number];
            if !self.kept.contains_key(&kind.name)
                && let Ok(kept) = self.keep(kind).await
            {
                let name = kind.name.clone();
                self.kept.insert(name, kept);
            }
        }
    }

    async fn keep(&self, kind: &Kind) -> std::io::Result<Kept> {
        let child = Child::start(&self.guards, kind, self.environment()).await?;
        let stdout = File::from(child.pipes.stdout.as_fd().try_clone_to_owned()?);
        let stderr = File::from(child.pipes.stderr.as_fd().try_clone_to_owned()?);
        Ok(Kept { child, stdout, stderr, started: Instant::now(), used: Used::default() })
    }

    /// Executes the job by the process that is kept for its type.
    pub(super) async fn by_kept(&mut self, kind: &Kind, job: &NextJob, voice: &Voice<'_>) -> Done {
        let there = match self.fit(kind).await {
            Ok(kept) => kept,
            Err(error) => return Done::Failed(cannot_start(&error.to_string())),
        };
        match self.take_turn(there, kind, job, voice).await {
            Some(done) => done,
            // It was about to end when the job came.
            None => match self.keep(kind).await {
                Ok(kept) => self
                    .take_turn(kept, kind, job, voice)
                    .await
                    .unwrap_or_else(|| Done::Failed(ended_kept(Exit::Code(0), None, &voice.last_words()))),
                Err(error) => Done::Failed(cannot_start(&error.to_string())),
            },
        }
    }

    /// None when the process ended and knew nothing of the job.
    async fn take_turn(
        &mut self,
        mut kept: Kept,
        kind: &Kind,
        job: &NextJob,
        voice: &Voice<'_>,
    ) -> Option<Done> {
        let input = one_line(job.input_params.get());
        let too_long = Notify::new();
        let turn = tokio::select! {
            turn = kept.turn(&input, self.settings.output_bytes, &too_long, voice) => Ok(turn),
            why = self.ends(voice, &too_long) => Err(why),
        };
        Some(match turn {
            Ok(Turn::Left) => {
                self.let_go(kept, voice).await;
                return None;
            }
            Ok(Turn::Line(line)) => {
                kept.drain(voice);
                kept.used.did(resident_bytes(kept.child.id));
                self.put_back(kind, kept);
                answered(&line)
            }
            Ok(Turn::OutOfStep(line)) => {
                kept.drain(voice);
                tracing::warn!(
                    job_type = kind.name,
                    "a kept command writes more than one line for a job; it is replaced"
                );
                self.let_go(kept, voice).await;
                answered(&line)
            }
            Ok(Turn::Closed) => {
                let exit = self.let_go(kept, voice).await;
                Done::Failed(ended_kept(exit, None, &voice.last_words()))
            }
            Err(why) => {
                let exit = self.let_go(kept, voice).await;
                match why {
                    Why::Gone => Done::Gone,
                    Why::Killed(killed) => Done::Failed(ended_kept(exit, Some(killed), "")),
                }
            }
        })
    }

    async fn fit(&mut self, kind: &Kind) -> std::io::Result<Kept> {
        match self.kept.remove(&kind.name) {
            Some(kept) if kept.is_fit() => return Ok(kept),
            // It ended, or spoke without being asked, since its last job.
            Some(kept) => {
                self.leaving.spawn(leave(kept, self.settings.kill_after));
            }
            None => {}
        }
        self.keep(kind).await
    }

    fn put_back(&mut self, kind: &Kind, kept: Kept) {
        let Keeping::Kept(wear) = self.settings.keeping else { return };
        match wear.worn(&kept.used, kept.started.elapsed()) {
            Some(worn) => {
                tracing::debug!(
                    job_type = kind.name,
                    jobs = kept.used.jobs,
                    "a kept command {worn} and is replaced"
                );
                self.leaving.spawn(leave(kept, self.settings.kill_after));
            }
            None => {
                self.kept.insert(kind.name.clone(), kept);
            }
        }
    }

    /// Ends it, and all that it started.
    async fn let_go(&self, kept: Kept, voice: &Voice<'_>) -> Exit {
        let Kept { child: Child { pipes, mut orders, mut end, .. }, .. } = kept;
        let Pipes { stdin, stdout, mut stderr } = pipes;
        drop((stdin, stdout));
        let running = pin!(async {
            let ((), exit) = tokio::join!(listen(&mut stderr, voice), end.wait());
            exit
        });
        // One that closed its stdout mostly ends by itself.
        self.end(&mut orders, running).await.unwrap_or(Exit::Unseen)
    }
}

/// One that is replaced is told by the end of its stdin, and has some time.
pub(super) async fn leave(kept: Kept, kill_after: Duration) {
    let Kept {
        child: Child { pipes: Pipes { stdin, mut stdout, mut stderr }, mut orders, mut end, .. }, ..
    } = kept;
    drop(stdin);
    let mut ended = pin!(async {
        tokio::join!(ignore(&mut stdout), ignore(&mut stderr), end.wait());
    });
    if timeout(kill_after, ended.as_mut()).await.is_err() {
        orders.kill().await;
        ended.await;
    }
}

async fn ignore(pipe: &mut (impl AsyncReadExt + Unpin)) {
    let mut chunk = vec![0; 4096];
    while let Ok(1..) = pipe.read(&mut chunk).await {}
}

async fn listen(stderr: &mut ChildStderr, voice: &Voice<'_>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        voice.hear(&chunk[..read]);
    }
}

impl Kept {
    /// Whether it waits for a job, and for nothing else.
    fn is_fit(&self) -> bool {
        matches!((&self.stdout).read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    }

    async fn turn(&mut self, input: &str, at_most: usize, too_long: &Notify, voice: &Voice<'_>) -> Turn {
        let Pipes { stdin, stdout, stderr } = &mut self.child.pipes;
        let written = AtomicUsize::new(0);
        let turn = {
            let mut feeding = pin!(feed(stdin, input.as_bytes(), &written));
            let mut answering = pin!(line(stdout, at_most, too_long));
            let mut listening = pin!(listen(stderr, voice));
            let mut is_silent = false;
            loop {
                tokio::select! {
                    biased;
                    () = &mut feeding, if written.load(Ordering::Relaxed) < input.len() => {}
                    turn = &mut answering => break turn,
                    () = &mut listening, if !is_silent => is_silent = true,
                }
            }
        };
        match turn {
            Turn::Line(line) if written.load(Ordering::Relaxed) < input.len() => Turn::OutOfStep(line),
            Turn::Closed if unread(stdin) >= written.load(Ordering::Relaxed) => Turn::Left,
            Turn::Line(_) | Turn::OutOfStep(_) | Turn::Closed | Turn::Left => turn,
        }
    }

    /// What it wrote to stderr before it answered is in the pipe by now.
    fn drain(&self, voice: &Voice<'_>) {
        let mut chunk = vec![0; CHUNK];
        // As much as a pipe holds; one that never stops must not hold its job up.
        for _ in 0..16 {
            match (&self.stderr).read(&mut chunk) {
                Ok(read @ 1..) => voice.hear(&chunk[..read]),
                Ok(_) | Err(_) => return,
            }
        }
    }
}

/// Writes all of it, and counts what the pipe took. One that reads no more is waited for no more.
async fn feed(stdin: &mut ChildStdin, input: &[u8], written: &AtomicUsize) {
    while written.load(Ordering::Relaxed) < input.len() {
        match stdin.write(&input[written.load(Ordering::Relaxed)..]).await {
            Ok(bytes) => {
                written.fetch_add(bytes, Ordering::Relaxed);
            }
            Err(_) => return std::future::pending().await,
        }
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

/// White space between tokens may hold line breaks; nothing else in JSON does.
fn one_line(json: &str) -> String {
    let mut line = json.replace(['\n', '\r'], " ");
    line.push('\n');
    line
}

fn answered(line: &[u8]) -> Done {
    if let Some(why) = std::str::from_utf8(line).ok().and_then(said_error) {
        return Done::Failed(why);
    }
    let (stdout, output) = result::read(line);
    match stdout.judged() {
        Ok(()) => output.map_or(Done::Gone, Done::Result),
        Err(why) => Done::Failed(why),
    }
}
