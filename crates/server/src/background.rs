//! Background tasks: each has a name, a line of description, and the result of its last run, which
//! `GET /api/admin/background` shows (`docs/protocols/operators.md`).

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};

use pilotlight_core::time::Moment;
use pilotlight_net::clock::Clock;
use pilotlight_wire::admin;

type TaskFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A task that runs as long as the service.
pub(crate) struct BackgroundTask {
    pub(crate) info: TaskInfo,
    pub(crate) results: TaskResults,
    run: Box<dyn FnOnce() -> TaskFuture + Send + Sync>,
}

/// How a task is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TaskInfo {
    /// Unique within the capability.
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) description: &'static str,
}

impl TaskInfo {
    /// A task that never ends by itself. `run` gets its owner, and the place where it records the results of its runs.
    pub(crate) fn task<T: Send + Sync + 'static, F: Future<Output = ()> + Send + 'static>(
        self,
        clock: Clock,
        owner: &Arc<T>,
        run: impl FnOnce(Arc<T>, TaskResults) -> F + Send + Sync + 'static,
    ) -> BackgroundTask {
        let results = TaskResults { clock, last: Arc::default() };
        let (owner, for_task) = (Arc::clone(owner), results.clone());
        BackgroundTask { info: self, results, run: Box::new(move || Box::pin(run(owner, for_task))) }
    }
}

impl BackgroundTask {
    /// The task itself.
    pub(crate) async fn run(self) {
        (self.run)().await;
    }
}

impl fmt::Debug for BackgroundTask {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("BackgroundTask").field("name", &self.info.name).finish_non_exhaustive()
    }
}

/// The result of a task's last run. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct TaskResults {
    clock: Clock,
    last: Arc<Mutex<Option<LastRun>>>,
}

#[derive(Debug, Clone)]
struct LastRun {
    at: Moment,
    result: Result<Cow<'static, str>, String>,
}

impl TaskResults {
    /// Records a run: what it did, or why it failed.
    pub(crate) fn record<E: fmt::Display>(&self, result: Result<impl Into<Cow<'static, str>>, E>) {
        let result = result.map(Into::into).map_err(|error| error.to_string());
        *self.lock() = Some(LastRun { at: self.clock.now(), result });
    }

    /// Records a run that succeeded.
    pub(crate) fn succeeded(&self, what: impl Into<Cow<'static, str>>) {
        self.record(Ok::<_, Infallible>(what));
    }

    fn lock(&self) -> MutexGuard<'_, Option<LastRun>> {
        self.last.lock().expect("nothing panics under this lock")
    }
}

/// What `GET /api/admin/background` shows of a task.
#[derive(Debug, Clone)]
pub(crate) struct TaskRow {
    capability: &'static str,
    info: TaskInfo,
    results: TaskResults,
}

impl TaskRow {
    pub(crate) fn of(capability: &'static str, task: &BackgroundTask) -> Self {
        Self { capability, info: task.info, results: task.results.clone() }
    }

    /// The task with the result of its last run.
    pub(crate) fn wire(&self) -> admin::BackgroundTask {
        let last = self.results.lock().clone();
        let last_run_at = last.as_ref().map(|last| self.results.clock.epoch_ms(last.at));
        let (last_result, last_error) = match last.map(|last| last.result) {
            Some(Ok(result)) => (Some(result.into_owned()), None),
            Some(Err(error)) => (None, Some(error)),
            None => (None, None),
        };
        admin::BackgroundTask {
            capability: self.capability.to_owned(),
            name: self.info.name.to_owned(),
            description: self.info.description.to_owned(),
            last_run_at,
            last_result,
            last_error,
        }
    }
}
