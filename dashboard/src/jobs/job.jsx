import { useState } from "preact/hooks";
import { runAgain } from "../api.js";
import { count, date, lasting, percent } from "../format.js";
import { field } from "../json.js";
import { show } from "../parts/dialog.jsx";
import { failed } from "../parts/notice.jsx";
import { go, toJob } from "../route.js";
import { Console, Json } from "./output.jsx";
import { Timeline } from "./timeline.jsx";
import { useJob } from "./watched.js";
import { arrival, hasEnded, RunnerLink, Status } from "./words.jsx";

/** One job, as it goes. */
export function Job({ id }) {
  const { details, progress, console, error, again } = useJob(id);
  return (
    <>
      <p class="crumbs"><a href="#/jobs">All jobs</a> <span aria-hidden="true">/</span> <span class="mono">{id}</span></p>
      {error && <p class="error" role="alert">{error.status === 404 ? "There is no such job. It may have been deleted, or its time of keeping is over." : `That failed: ${error.message}.`}</p>}
      {details && <Found job={details} progress={progress} console={console} again={again} />}
    </>
  );
}

function Found({ job, progress, console, again }) {
  const { job_id: id, status, text } = job;
  const output = field(text, "output_data");
  return (
    <>
      <section class="card facts" aria-labelledby="job-title">
        <div class="facts-head">
          <h2 id="job-title" class="clip" title={job.job_type}>{job.job_type}</h2>
          <span data-test="status" role="status"><Status status={status} /></span>
          <Actions job={job} again={again} />
        </div>
        {arrival.value?.id === id && <Arrival job={job} how={arrival.value.how} />}
        {!hasEnded(status) && <Progress progress={progress ?? job.progress} status={status} />}
        {job.error_message && <p class="error" data-test="job-error">{job.error_message}</p>}
        <dl>
          <div><dt>Runner</dt><dd><RunnerLink id={job.claimed_by} /></dd></div>
          <div><dt>Tries</dt><dd>{count(job.attempts)} of {count(job.max_attempts)}{job.losses > 0 && `, ${count(job.losses)} lost`}</dd></div>
          <div><dt>Priority</dt><dd>{count(job.priority)}</dd></div>
          <div><dt>Callers</dt><dd>{count(job.callers)}</dd></div>
          {job.took_ms !== undefined && <div><dt>Computed in</dt><dd>{lasting(job.took_ms)}</dd></div>}
        </dl>
      </section>
      <div class="pair">
        <section class="card text-card" aria-labelledby="timeline-title">
          <h3 id="timeline-title">Timeline</h3>
          <Timeline job={job} />
        </section>
        <Json title="Parameters" text={field(text, "input_params") ?? ""} />
      </div>
      <Console text={console} isUnderWay={!hasEnded(status)} />
      {output !== undefined && <Json title="Result" text={output} />}
    </>
  );
}

function Actions({ job, again }) {
  const [busy, setBusy] = useState(false);
  const { job_id: id, status, callers } = job;
  const isUnderWay = !hasEnded(status);
  const compute = async () => {
    setBusy(true);
    try {
      const told = await runAgain(id);
      arrival.value = { id: told.job_id, how: "again" };
      go(toJob(told.job_id));
    } catch (failure) {
      failed(failure);
      setBusy(false);
    }
  };
  return (
    <div class="actions">
      {isUnderWay && <button type="button" class="button" onClick={() => show("cancel-job", { id, callers, after: again })}>Cancel…</button>}
      {!isUnderWay && <button type="button" class="button" disabled={busy} onClick={compute}>Run again</button>}
      <button type="button" class="button quiet" onClick={() => show("delete-job", { id, isUnderWay })}>Delete…</button>
    </div>
  );
}

/** What became of the submission that led here. */
function Arrival({ job, how }) {
  return <p class="arrival" role="status" data-test="arrival">{arrived(job, how)}</p>;
}

function arrived({ status, ended_at, took_ms, callers }, how) {
  switch (how) {
    case "cached":
      if (status === "failed") return "Known: it was tried before, and its failure is still remembered.";
      return `From the cache: computed ${ended_at ? `on ${date(ended_at)}` : "before"}${took_ms === undefined ? "" : `, saved ${lasting(took_ms)}`}.`;
    case "joined":
      return `Joined: an equal job is under way, and ${count(callers)} submissions share it.`;
    case "again":
      return "Computed again: its result replaces the known one.";
    default:
      return "New: nothing equal was known.";
  }
}

function Progress({ progress, status }) {
  const { current = 0, total = 0 } = progress ?? {};
  const rate = total > 0 ? Math.min(100, (100 * current) / total) : null;
  const says = rate === null ? { pending: "Waits for a runner.", claimed: "A runner has it.", in_progress: "Executes; the runner does not say how far it is." }[status] : `${count(current)} of ${count(total)} (${percent(rate)} %)`;
  return (
    <div class="progress" data-test="progress">
      <p>{says}</p>
      <svg class="meter" role="progressbar" aria-label="Progress" aria-valuemin={0} aria-valuemax={100} aria-valuenow={rate === null ? undefined : Math.round(rate)} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        <rect class="hit" width={rate ?? 0} height="1" />
      </svg>
    </div>
  );
}
