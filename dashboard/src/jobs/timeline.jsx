import { count, date, lasting } from "../format.js";
import { now } from "../state.js";
import { hasEnded, RunnerLink } from "./words.jsx";

/** What is known of a job's tries. Of those that came to nothing only their number is. */
export function Timeline({ job }) {
  const steps = stepsOf(job);
  return (
    <>
      <Shares job={job} />
      <ol class="timeline" data-test="timeline">
        {steps.map(({ kind, at, text, since }) => (
          <li class={kind}>
            <p>{text}</p>
            {at !== undefined && <p class="at"><time dateTime={new Date(at).toISOString()}>{date(at)}</time>{since !== undefined && at >= since && ` · ${lasting(at - since)} later`}</p>}
          </li>
        ))}
      </ol>
    </>
  );
}

function stepsOf(job) {
  const { status, created_at, run_at, claimed_at, claimed_by, last_heartbeat, ended_at, valid_until, ready_at, losses } = job;
  const steps = [{ kind: "done", at: created_at, text: "Submitted" }];
  if (run_at > created_at) steps.push({ kind: "done", at: run_at, text: "Not to be executed before" });
  if (failedTries(job) > 0) steps.push({ kind: "bad", text: `${tries(failedTries(job))} failed, and it was tried again` });
  if (losses > 0) steps.push({ kind: "bad", text: `${tries(losses)} lost: the runner fell silent` });
  if (claimed_at !== null) steps.push({ kind: "done", at: claimed_at, since: created_at, text: <>Given to <RunnerLink id={claimed_by} /></> });
  if (!hasEnded(status) && last_heartbeat !== null) steps.push({ kind: "now", at: last_heartbeat, since: claimed_at, text: "Last heard of" });
  if (status === "pending") steps.push(ready_at > now.value ? { kind: "now", at: ready_at, text: "Its time comes" } : { kind: "now", text: "Waits for a runner" });
  if (hasEnded(status)) steps.push({ kind: status === "failed" ? "bad" : "good", at: ended_at, since: claimed_at ?? created_at, text: ENDS[status](job) });
  if (valid_until !== undefined) steps.push({ kind: "done", at: valid_until, text: valid_until > now.value ? "Its result is valid until" : "Its result was valid until" });
  return steps;
}

const ENDS = {
  completed: () => "Completed",
  failed: ({ error_message }) => (error_message === "cancelled" ? "Cancelled" : "Failed"),
  expired: () => "Completed; its result is not valid any more",
};

const tries = (number) => (number === 1 ? "1 try" : `${count(number)} tries`);

/** Those before the one that is under way or was the last. */
const failedTries = ({ attempts, claimed_by, status }) => Math.max(0, attempts - (claimed_by !== null && status !== "pending" ? 1 : 0));

/** How its time was spent: waiting, and in its runner's hands. */
function Shares({ job: { created_at, claimed_at, ended_at, status } }) {
  const ends = ended_at ?? (hasEnded(status) ? null : now.value);
  if (ends === null) return null;
  const waited = Math.max(0, (claimed_at ?? ends) - created_at);
  const held = claimed_at === null ? 0 : Math.max(0, ends - claimed_at);
  const all = Math.max(1, waited + held);
  return (
    <div class="shares">
      <svg class="meter" role="img" aria-label={`waited ${lasting(waited)}, with its runner for ${lasting(held)}`} viewBox="0 0 100 1" preserveAspectRatio="none">
        <rect class="all" width="100" height="1" />
        <rect class="hit" x={(100 * waited) / all} width={(100 * held) / all} height="1" />
      </svg>
      <p aria-hidden="true"><span>waited {lasting(waited)}</span><span>{claimed_at === null ? "" : `with its runner ${lasting(held)}`}</span></p>
    </div>
  );
}
