//! The processes that a slot keeps: one for each type, ready for the next job. What does not keep to its turn, or is worn,
//! is replaced, while it waits as well; how one job goes is the turn's to say.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use pilotlight_core::command::{Exit, Wear, cannot_start, ended_kept, said_error, spoke_unasked};
use pilotlight_wire::runner::NextJob;
use tokio::io::AsyncReadExt;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::child::{Child, Pipes};
use super::once::Why;
use super::processes::resident_bytes;
use super::result;
use super::settings::{Keeping, Kind};
use super::slot::Slot;
use super::turn::{Input, Kept, Turn, listen};
use super::voice::{Done, Voice};

/// Processes that get the same job, one after the other, as long as none can have seen it.
const PROCESSES_PER_JOB: usize = 3;

impl Slot {
    /// Has a process of each type ready. A type whose process ended before it did a job has its next one with the next job.
    pub(super) async fn warm_up(&mut self) {
        let Keeping::Kept(wear) = self.settings.keeping else { return };
        self.take_out_unfit(&wear);
        for number in 0..self.settings.kinds.len() {
            let kind = &self.settings.kinds[number];
            if !self.kept.contains_key(&kind.name)
                && !self.cold.contains(&kind.name)
                && let Ok(kept) = self.keep(kind).await
            {
                let name = kind.name.clone();
                self.kept.insert(name, kept);
            }
        }
    }

    fn take_out_unfit(&mut self, wear: &Wear) {
        let (settings, leaving, cold) = (&self.settings, &mut self.leaving, &mut self.cold);
        for (name, kept) in self.kept.extract_if(|_, kept| !kept.is_fit(wear)) {
            if kept.is_over() && kept.used.jobs == 0 {
                cold.insert(name);
            }
            leaving.spawn(leave(kept, settings.kill_after));
        }
    }

    async fn keep(&self, kind: &Kind) -> std::io::Result<Kept> {
        Kept::of(Child::start(&self.guards, kind, self.environment()).await?)
    }

    /// Executes the job by the process that is kept for its type, or by the next one when that cannot have seen it.
    pub(super) async fn by_kept(&mut self, kind: &Kind, job: &NextJob, voice: &Voice<'_>) -> Done {
        let mut there = self.fit(kind).await;
        let mut processes = 1;
        loop {
            let kept = match there {
                Ok(kept) => kept,
                Err(error) => return Done::Failed(cannot_start(&error.to_string())),
            };
            match self.take_turn(kept, kind, job, voice).await {
                Ok(done) => return done,
                Err(why) if processes == PROCESSES_PER_JOB => return Done::Failed(why),
                Err(_) => processes += 1,
            }
            there = self.keep(kind).await;
        }
    }

    /// Or why the process did not come to see the job.
    async fn take_turn(
        &mut self,
        mut kept: Kept,
        kind: &Kind,
        job: &NextJob,
        voice: &Voice<'_>,
    ) -> Result<Done, String> {
        let input = Input::of(job.input_params.get());
        let too_long = Notify::new();
        let ear = kept.ear(voice);
        let turn = tokio::select! {
            turn = kept.turn(&input, self.settings.output_bytes, &too_long, voice) => Ok(turn),
            why = self.ends(voice, &too_long) => Err(why),
        };
        Ok(match turn {
            Ok(Turn::Left) => {
                let exit = self.let_go(kept, ear).await;
                return Err(ended_kept(exit, None, &voice.last_words()));
            }
            Ok(Turn::Spoke) => {
                tracing::warn!(
                    job_type = kind.name,
                    "a kept command writes without being asked; it is replaced"
                );
                self.let_go(kept, ear).await;
                return Err(spoke_unasked());
            }
            Ok(Turn::Line(line)) => {
                kept.drain(Some(voice));
                kept.used.did(resident_bytes(kept.child.id));
                self.put_back(kind, kept);
                answered(&line)
            }
            Ok(Turn::OutOfStep(line)) => {
                kept.drain(Some(voice));
                tracing::warn!(
                    job_type = kind.name,
                    "a kept command writes more than one line for a job; it is replaced"
                );
                self.let_go(kept, Some(voice)).await;
                answered(&line)
            }
            Ok(Turn::Closed) => {
                let exit = self.let_go(kept, Some(voice)).await;
                Done::Failed(ended_kept(exit, None, &voice.last_words()))
            }
            Err(why) => {
                let exit = self.let_go(kept, Some(voice)).await;
                match why {
                    Why::Gone => Done::Gone,
                    Why::Killed(killed) => Done::Failed(ended_kept(exit, Some(killed), "")),
                }
            }
        })
    }

    async fn fit(&mut self, kind: &Kind) -> std::io::Result<Kept> {
        if let Keeping::Kept(wear) = self.settings.keeping {
            self.take_out_unfit(&wear);
        }
        match self.kept.remove(&kind.name) {
            Some(kept) => Ok(kept),
            None => self.keep(kind).await,
        }
    }

    fn put_back(&mut self, kind: &Kind, kept: Kept) {
        let Keeping::Kept(wear) = self.settings.keeping else { return };
        self.cold.remove(&kind.name);
        match kept.worn(&wear) {
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

    /// Ends it, and all that it started. What it still says is heard where it can be of this job.
    async fn let_go(&self, kept: Kept, ear: Option<&Voice<'_>>) -> Exit {
        let Kept { child: Child { pipes, mut orders, mut end, .. }, .. } = kept;
        let Pipes { stdin, stdout, mut stderr } = pipes;
        drop((stdin, stdout));
        let running = pin!(async {
            let ((), exit) = tokio::join!(listen(&mut stderr, ear), end.wait());
            exit
        });
        // One that closed its stdout mostly ends by itself.
        self.end(&mut orders, running).await.unwrap_or(Exit::Unseen)
    }
}

/// Waits until one of them is not fit for a job any more; for ever when there are none. Survives being dropped.
pub(super) async fn one_is_unfit(kept: &mut HashMap<String, Kept>, keeping: Keeping) {
    let Keeping::Kept(wear) = keeping else { return std::future::pending().await };
    let mut all: Vec<_> = kept.values_mut().map(|kept| Box::pin(kept.until_unfit(wear))).collect();
    poll_fn(|context| {
        let is_one = all.iter_mut().any(|one| one.as_mut().poll(context).is_ready());
        if is_one { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
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
