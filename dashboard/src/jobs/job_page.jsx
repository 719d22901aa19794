import { useState } from "preact/hooks";
import { runAgain } from "../api.js";
import { openDialog } from "../components/dialog.jsx";
import { notifyError } from "../components/notice.jsx";
import { count, date, duration, percent } from "../format.js";
import { fieldText } from "../json.js";
import { jobHref, navigate } from "../route.js";
import { hasEnded, RunnerLink, Status, submission } from "./common.jsx";
import { Console, Json } from "./output.jsx";
import { Timeline } from "./timeline.jsx";
import { useJob } from "./use_job.js";

/** One job, live. */
export function JobPage({ id }) {
  const { details, progress, console, error, reload } = useJob(id);
  return (
    <>
      <p class="breadcrumbs"><a href="#/jobs">All jobs</a> <span aria-hidden="true">/</span> <span class="mono">{id}</span></p>
      {error && <p class="error" role="alert">{error.status === 404 ? "There is no such job. It was deleted, or its retention time has ended." : `Failed to load the job: ${error.message}.`}</p>}
      {details && <JobDetails job={details} progress={progress} console={console} reload={reload} />}
    </>
  );
}

function JobDetails({ job, progress, console, reload }) {
  const { job_id: id, status, text } = job;
  const output = fieldText(text, "output_data");
  return (
    <>
      <section class="card facts" aria-labelledby="job-title">
        <div class="facts-head">
          <h2 id="job-title" class="truncated" title={job.job_type}>{job.job_type}</h2>
          <span data-test="status" role="status"><Status status={status} /></span>
          <Actions job={job} reload={reload} />
        </div>
        {submission.value?.id === id && <SubmissionOutcome job={job} outcome={submission.value.outcome} />}
        {!hasEnded(status) && <Progress progress={progress ?? job.progress} status={status} />}
        {job.error_message && <p class="error" data-test="job-error">{job.error_message}</p>}
        <dl>
          <div><dt>Runner</dt><dd><RunnerLink id={job.claimed_by} /></dd></div>
          <div><dt>Attempts</dt><dd>{count(job.attempts)} of {count(job.max_attempts)}{job.losses > 0 && `, ${count(job.losses)} lost`}</dd></div>
          <div><dt>Priority</dt><dd>{count(job.priority)}</dd></div>
          <div><dt>Callers</dt><dd>{count(job.callers)}</dd></div>
          {job.took_ms !== undefined && <div><dt>Execution time</dt><dd>{duration(job.took_ms)}</dd></div>}
        </dl>
      </section>
      <div class="pair">
        <section class="card text-card" aria-labelledby="timeline-title">
          <h3 id="timeline-title">Timeline</h3>
          <Timeline job={job} />
        </section>
        <Json title="Parameters" text={fieldText(text, "input_params") ?? ""} />
      </div>
      <Console text={console} isUnderWay={!hasEnded(status)} />
      {output !== undefined && <Json title="Result" text={output} />}
    </>
  );
}

function Actions({ job, reload }) {
  const [busy, setBusy] = useState(false);
  const { job_id: id, status, callers } = job;
  const isUnderWay = !hasEnded(status);
  const computeAgain = async () => {
    setBusy(true);
    try {
      const { job_id: newId } = await runAgain(id);
      submission.value = { id: newId, outcome: "again" };
      navigate(jobHref(newId));
    } catch (failure) {
      notifyError("run the job again", failure);
      setBusy(false);
    }
  };
  return (
    <div class="actions">
      {isUnderWay && <button type="button" class="button" onClick={() => openDialog("cancel-job", { id, callers, onCancelled: reload })}>Cancel…</button>}
      {!isUnderWay && <button type="button" class="button" disabled={busy} onClick={computeAgain}>Run again</button>}
      <button type="button" class="button quiet" onClick={() => openDialog("delete-job", { id, isUnderWay })}>Delete…</button>
    </div>
  );
}

/** What the submission that led to this page resulted in. */
function SubmissionOutcome({ job, outcome }) {
  return <p class="submission-outcome" role="status" data-test="submission-outcome">{outcomeText(job, outcome)}</p>;
}

function outcomeText({ status, ended_at, took_ms, callers }, outcome) {
  switch (outcome) {
    case "cached":
      if (status === "failed") return "From the cache: an equal job failed before, and its failure is still cached.";
      return `From the cache: computed ${ended_at ? `on ${date(ended_at)}` : "before"}${took_ms === undefined ? "" : `, saved ${duration(took_ms)}`}.`;
    case "joined":
      return `Joined: an equal job is under way, shared by ${count(callers)} callers.`;
    case "again":
      return "Computed again: the new result replaces the cached one.";
    default:
      return "New: no equal job is cached or under way.";
  }
}

const NO_PROGRESS = {
  pending: "Waiting for a runner.",
  claimed: "Leased to a runner; no heartbeat yet.",
  in_progress: "Executing; the runner reports no progress.",
};

function Progress({ progress, status }) {
  const { current = 0, total = 0 } = progress ?? {};
  const rate = total > 0 ? Math.min(100, (100 * current) / total) : null;
  const text = rate === null ? NO_PROGRESS[status] : `${count(current)} of ${count(total)} (${percent(rate)} %)`;
  return (
    <div class="progress" data-test="progress">
      <p>{text}</p>
      <svg class="meter" role="progressbar" aria-label="Progress" aria-valuemin={0} aria-valuemax={100} aria-valuenow={rate === null ? undefined : Math.round(rate)} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        <rect class="hit" width={rate ?? 0} height="1" />
      </svg>
    </div>
  );
}
