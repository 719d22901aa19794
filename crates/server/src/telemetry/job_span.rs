//! The spans of jobs: submissions, and the attempts of runners. They are recorded only while spans are exported, and go
//! through a bounded queue that wakes no task. They contain ids, never payloads.

use pilotlight_core::ids::JobType;
use pilotlight_core::job::{EndedAttempt, Job, JobId, LeaseId};
use pilotlight_core::limits::JOB_SPAN_QUEUE;
use pilotlight_core::time::Moment;
use pilotlight_core::trace_context::TraceParent;
use pilotlight_net::clock::Clock;
use pilotlight_store::SubmitOutcome;
use tokio::sync::mpsc;

use crate::telemetry::metrics::Count;
use crate::telemetry::offer_event::SpanContext;

/// A span of a job that has ended.
#[derive(Debug, Clone)]
pub(crate) enum JobSpan {
    /// A submission was answered.
    Submission(SubmissionSpan),
    /// An attempt ended.
    Attempt(AttemptSpan),
}

/// A submission, from the arrival of its request to its answer.
#[derive(Debug, Clone)]
pub(crate) struct SubmissionSpan {
    /// The position in the caller's trace.
    pub context: SpanContext,
    /// When the request arrived.
    pub began: Moment,
    /// When it was answered.
    pub ended: Moment,
    /// The job that the submission became, joined or found; `None` if it was refused.
    pub job: Option<SubmittedJob>,
    /// What became of the submission.
    pub outcome: SubmissionEnd,
}

/// The job of a submission.
#[derive(Debug, Clone)]
pub(crate) struct SubmittedJob {
    /// The id of the job.
    pub id: JobId,
    /// The type of the job.
    pub job_type: JobType,
    /// The lease of the attempt that the submission leads to.
    pub lease: Option<LeaseId>,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubmissionEnd {
    /// It is a new job.
    New,
    /// It joined an equal job under way.
    Joined,
    /// It was answered from the cache.
    Cached,
    /// It was refused, or the store failed.
    Refused,
    /// The caller left before the store had decided.
    Unanswered,
}

/// An attempt of a job.
#[derive(Debug, Clone)]
pub(crate) struct AttemptSpan {
    /// The id of the job.
    pub job: JobId,
    /// The type of the job.
    pub job_type: JobType,
    /// The attempt.
    pub attempt: EndedAttempt,
}

/// Sends the spans of jobs to the exporter. Without an exporter it does nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct JobSpanSender(Option<SpanQueue>);

#[derive(Debug, Clone)]
struct SpanQueue {
    sender: mpsc::Sender<JobSpan>,
    clock: Clock,
    dropped: Count,
}

/// The span of a submission that is under way. It ends when it is dropped.
#[derive(Debug)]
pub(crate) struct SubmissionTrace {
    is_sampled: bool,
    open: Option<OpenSubmission>,
}

#[derive(Debug)]
struct OpenSubmission {
    queue: SpanQueue,
    context: SpanContext,
    began: Moment,
    job: Option<SubmittedJob>,
    outcome: SubmissionEnd,
}

impl SubmissionEnd {
    /// The outcome as it is in traces.
    #[must_use]
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Joined => "joined",
            Self::Cached => "cached",
            Self::Refused => "refused",
            Self::Unanswered => "unanswered",
        }
    }
}

impl JobSpanSender {
    /// A sender, and the queue that the exporter reads. Spans that do not fit into the queue are counted in `dropped`.
    pub(super) fn new(clock: Clock, dropped: Count) -> (Self, mpsc::Receiver<JobSpan>) {
        let (sender, queue) = mpsc::channel(JOB_SPAN_QUEUE);
        (Self(Some(SpanQueue { sender, clock, dropped })), queue)
    }

    /// Begins the span of a submission. `parent` reads the caller's position in its trace, and is called only while
    /// spans are exported.
    pub(crate) fn begin_submission(&self, parent: impl FnOnce() -> Option<TraceParent>) -> SubmissionTrace {
        let Some(queue) = &self.0 else { return SubmissionTrace { is_sampled: true, open: None } };
        let parent = parent();
        let is_sampled = parent.is_none_or(|parent| parent.is_sampled);
        let context = SpanContext::exported(parent).filter(|_| is_sampled);
        let open = context.map(|context| OpenSubmission {
            queue: queue.clone(),
            context,
            began: queue.clock.now(),
            job: None,
            outcome: SubmissionEnd::Unanswered,
        });
        SubmissionTrace { is_sampled, open }
    }

    /// Sends the span of an attempt, if the job's trace is sampled.
    pub(crate) fn attempt_ended(&self, job: &Job, attempt: &EndedAttempt) {
        if let Some(queue) = &self.0
            && job.id.is_sampled()
        {
            let (job, job_type) = (job.id, job.job_type.clone());
            queue.send(JobSpan::Attempt(AttemptSpan { job, job_type, attempt: attempt.clone() }));
        }
    }
}

impl SpanQueue {
    fn send(&self, span: JobSpan) {
        if self.sender.try_send(span).is_err() {
            self.dropped.inc();
        }
    }
}

impl SubmissionTrace {
    /// Whether the trace of a new job is sampled: unless the caller's trace is not.
    #[must_use]
    pub(crate) const fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The store decided about the submission.
    pub(crate) fn submitted(&mut self, submitted: &SubmitOutcome) {
        let Some(open) = &mut self.open else { return };
        let (job, outcome) = match submitted {
            SubmitOutcome::New(job) => (job, SubmissionEnd::New),
            SubmitOutcome::Existing(record) if record.job.has_ended() => (&record.job, SubmissionEnd::Cached),
            SubmitOutcome::Existing(record) => (&record.job, SubmissionEnd::Joined),
            SubmitOutcome::Conflict | SubmitOutcome::QueueFull(_) => {
                open.outcome = SubmissionEnd::Refused;
                return;
            }
        };
        open.outcome = outcome;
        open.job = Some(SubmittedJob {
            id: job.id,
            job_type: job.job_type.clone(),
            lease: job.submission_lease().filter(|_| job.id.is_sampled()),
        });
    }

    /// The answer is an error. If the store had accepted the submission before, its outcome stays.
    pub(crate) fn refused(&mut self) {
        if let Some(open) = &mut self.open
            && open.outcome == SubmissionEnd::Unanswered
        {
            open.outcome = SubmissionEnd::Refused;
        }
    }
}

impl Drop for SubmissionTrace {
    fn drop(&mut self) {
        if let Some(OpenSubmission { queue, context, began, job, outcome }) = self.open.take() {
            let ended = queue.clock.now();
            queue.send(JobSpan::Submission(SubmissionSpan { context, began, ended, job, outcome }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parent(flags: &str) -> Option<TraceParent> {
        let text = format!("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-{flags}");
        TraceParent::parse(text.as_bytes())
    }

    #[test]
    fn without_an_exporter_the_header_is_not_read_and_new_jobs_are_sampled() {
        let trace = JobSpanSender::default().begin_submission(|| panic!("the header is not needed"));
        assert!(trace.is_sampled());
    }

    #[test]
    fn a_submission_is_exported_unless_its_caller_does_not_record() {
        let (sender, mut queue) = JobSpanSender::new(Clock::start(), Count::default());
        assert!(!sender.begin_submission(|| parent("00")).is_sampled());
        assert!(queue.try_recv().is_err());
        for (parent, id) in [(None, None), (parent("01"), parent("01").map(|parent| parent.trace))] {
            let mut trace = sender.begin_submission(|| parent);
            assert!(trace.is_sampled());
            trace.refused();
            drop(trace);
            let Ok(JobSpan::Submission(span)) = queue.try_recv() else { panic!("no span") };
            assert_eq!(span.outcome, SubmissionEnd::Refused);
            assert_eq!(span.context.parent, parent.map(|parent| parent.span));
            assert!(id.is_none_or(|id| span.context.id == id));
        }
    }

    #[test]
    fn spans_that_do_not_fit_are_counted() {
        let dropped = Count::default();
        let (sender, queue) = JobSpanSender::new(Clock::start(), dropped.clone());
        for _ in 0..JOB_SPAN_QUEUE + 3 {
            drop(sender.begin_submission(|| None));
        }
        assert_eq!((dropped.get(), queue.len()), (3, JOB_SPAN_QUEUE));
    }
}
