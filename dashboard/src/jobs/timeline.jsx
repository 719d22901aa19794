import { count, date, duration } from "../format.js";
import { now } from "../state.js";
import { hasEnded, RunnerLink } from "./common.jsx";

/** The history of a job. The service stores times of the current or last attempt only; of earlier ones it has the count. */
export function Timeline({ job }) {
  const steps = stepsOf(job);
  return (
    <>
      <TimeShares job={job} />
      <ol class="timeline" data-test="timeline">
        {steps.map(({ kind, at, text, since }) => (
          <li class={kind}>
            <p>{text}</p>
            {at !== undefined && <p class="at"><time dateTime={new Date(at).toISOString()}>{date(at)}</time>{since !== undefined && at >= since && ` · ${duration(at - since)} later`}</p>}
          </li>
        ))}
      </ol>
    </>
  );
}

function stepsOf(job) {
  const { status, created_at, run_at, claimed_at, claimed_by, last_heartbeat, ended_at, valid_until, ready_at, losses } = job;
  const steps = [{ kind: "done", at: created_at, text: "Submitted" }];
  if (run_at > created_at) steps.push({ kind: "done", at: run_at, text: "Earliest start" });
  if (failedAttempts(job) > 0) steps.push({ kind: "bad", text: `${attempts(failedAttempts(job))} failed and retried` });
  if (losses > 0) steps.push({ kind: "bad", text: `${attempts(losses)} lost: no heartbeat from the runner` });
  if (claimed_at !== null) steps.push({ kind: "done", at: claimed_at, since: created_at, text: <>Leased to <RunnerLink id={claimed_by} /></> });
  if (!hasEnded(status) && last_heartbeat !== null) steps.push({ kind: "now", at: last_heartbeat, since: claimed_at, text: "Last heartbeat" });
  if (status === "pending") steps.push(ready_at > now.value ? { kind: "now", at: ready_at, text: "Next attempt" } : { kind: "now", text: "Waiting for a runner" });
  if (hasEnded(status)) steps.push({ kind: status === "failed" ? "bad" : "good", at: ended_at, since: claimed_at ?? created_at, text: END_TEXTS[status](job) });
  if (valid_until !== undefined) steps.push({ kind: "done", at: valid_until, text: valid_until > now.value ? "Result valid until" : "Result was valid until" });
  return steps;
}

const END_TEXTS = {
  completed: () => "Completed",
  failed: ({ error_message }) => (error_message === "cancelled" ? "Cancelled" : "Failed"),
  expired: () => "Completed; the result is no longer valid",
};

const attempts = (number) => (number === 1 ? "1 attempt" : `${count(number)} attempts`);

/** `attempts` also counts the attempt that is under way or ended the job. */
const failedAttempts = ({ attempts, claimed_by, status }) => Math.max(0, attempts - (claimed_by !== null && status !== "pending" ? 1 : 0));

/** How much of a job's time it waited, and how much it was leased to its runner. */
function TimeShares({ job: { created_at, claimed_at, ended_at, status } }) {
  const end = ended_at ?? (hasEnded(status) ? null : now.value);
  if (end === null) return null;
  const waited = Math.max(0, (claimed_at ?? end) - created_at);
  const leased = claimed_at === null ? 0 : Math.max(0, end - claimed_at);
  const total = Math.max(1, waited + leased);
  return (
    <div class="time-shares">
      <svg class="meter" role="img" aria-label={`waited ${duration(waited)}, leased for ${duration(leased)}`} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        <rect class="hit" x={(100 * waited) / total} width={(100 * leased) / total} height="1" />
      </svg>
      <p aria-hidden="true"><span>waited {duration(waited)}</span><span>{claimed_at === null ? "" : `leased ${duration(leased)}`}</span></p>
    </div>
  );
}
