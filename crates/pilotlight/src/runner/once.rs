//! A command for one job: parameters on stdin, the result on stdout, the console on stderr.

use std::ffi::OsString;
use std::pin::pin;
use std::time::Duration;

use pilotlight_core::command::{Ending, Exit, Killed, cannot_start, judged};
use pilotlight_wire::runner::NextJob;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

use super::child::{Child, End, Orders, Pipes};
use super::result;
use super::settings::Kind;
use super::slot::Slot;
use super::voice::{Done, Voice};

/// What is killed is gone within this, unless the kernel cannot end it.
const GONE_WITHIN: Duration = Duration::from_secs(10);

/// Bytes read at a time.
const CHUNK: usize = 64 * 1024;

/// Why a command is ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Why {
    /// Its job is told so.
    Killed(Killed),
    /// Its job is not wanted any more.
    Gone,
}

/// What a command wrote, and how it ended.
struct Ran {
    exit: Exit,
    /// None when it is too long.
    stdout: Option<Vec<u8>>,
}

impl Slot {
    /// Executes the job by a command of its own.
    pub(super) async fn once(&self, kind: &Kind, job: &NextJob, voice: &Voice<'_>) -> Done {
        let environment = self.environment().chain(about(job));
        let child = match Child::start(&self.guards, kind, environment).await {
            Ok(child) => child,
            Err(error) => return Done::Failed(cannot_start(&error.to_string())),
        };
        let Child { pipes, mut orders, mut end, id: _ } = child;
        let too_long = Notify::new();
        let mut running = pin!(self.run(pipes, job.input_params.get(), &mut end, voice, &too_long));
        let first = tokio::select! {
            ran = &mut running => Ok(ran),
            why = self.ends(voice, &too_long) => Err(why),
        };
        let (ran, why) = match first {
            Ok(ran) => (Some(ran), None),
            Err(why) => (self.end(&mut orders, running).await, Some(why)),
        };
        let Ran { exit, stdout } = ran.unwrap_or(Ran { exit: Exit::Unseen, stdout: None });
        let killed = match why {
            Some(Why::Gone) => return Done::Gone,
            Some(Why::Killed(killed)) => Some(killed),
            // It ended before it could be killed.
            None if stdout.is_none() => Some(Killed::TooLong(self.settings.output_bytes)),
            None => None,
        };
        let (stdout, output) = result::read(&stdout.unwrap_or_default());
        let last_words = voice.last_words();
        match judged(&Ending { exit, killed, stdout, last_words: &last_words }) {
            Ok(()) => output.map_or(Done::Gone, Done::Result),
            Err(why) => Done::Failed(why),
        }
    }

    async fn run(
        &self,
        Pipes { stdin, stdout, stderr }: Pipes,
        input: &str,
        end: &mut End,
        voice: &Voice<'_>,
        too_long: &Notify,
    ) -> Ran {
        let ((), stdout, (), exit) = tokio::join!(
            feed(stdin, input),
            collect(stdout, self.settings.output_bytes, too_long),
            listen(stderr, voice),
            end.wait(),
        );
        Ran { exit, stdout }
    }

    /// Waits for a reason to end the command.
    pub(super) async fn ends(&self, voice: &Voice<'_>, too_long: &Notify) -> Why {
        let time_out = async {
            match self.settings.time_out {
                Some(time) => {
                    sleep(time).await;
                    time
                }
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            time = time_out => Why::Killed(Killed::TimedOut(time)),
            () = too_long.notified() => Why::Killed(Killed::TooLong(self.settings.output_bytes)),
            () = self.stop.over(Duration::ZERO) => Why::Killed(Killed::Stopped),
            () = voice.gone() => Why::Gone,
        }
    }

    /// Asks the command to end, and kills what does not.
    pub(super) async fn end<T>(
        &self,
        orders: &mut Orders,
        mut running: std::pin::Pin<&mut impl Future<Output = T>>,
    ) -> Option<T> {
        orders.terminate().await;
        if let Ok(ran) = timeout(self.settings.kill_after, running.as_mut()).await {
            return Some(ran);
        }
        orders.kill().await;
        let ran = timeout(GONE_WITHIN, running).await.ok();
        if ran.is_none() {
            tracing::error!("a command was killed and does not end; the kernel holds it");
        }
        ran
    }
}

/// What a command knows of its job besides the parameters.
fn about(job: &NextJob) -> impl Iterator<Item = (OsString, OsString)> + use<> {
    let attempt = job.attempt.to_string();
    [("PILOTLIGHT_JOB_ID".into(), job.job_id.clone().into()), ("PILOTLIGHT_ATTEMPT".into(), attempt.into())]
        .into_iter()
}

/// A command need not read it, nor all of it.
async fn feed(mut stdin: ChildStdin, input: &str) {
    _ = stdin.write_all(input.as_bytes()).await;
}

/// All of it, up to so many bytes; none when there are more.
async fn collect(mut stdout: impl AsyncRead + Unpin, at_most: usize, too_long: &Notify) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = stdout.read(&mut chunk).await {
        if bytes.len() + read > at_most {
            too_long.notify_one();
            return None;
        }
        bytes.extend_from_slice(&chunk[..read]);
    }
    Some(bytes)
}

async fn listen(mut stderr: ChildStderr, voice: &Voice<'_>) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        voice.hear(&chunk[..read]);
    }
}
