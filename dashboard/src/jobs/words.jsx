// Words about jobs that several parts share.

import { signal } from "@preact/signals";
import { session } from "../api.js";
import { before, date } from "../format.js";
import { toJob, toRunner } from "../route.js";
import { now } from "../state.js";

/** In the order of a job's life. */
export const STATUSES = [
  ["pending", "Pending", "waits for a runner"],
  ["claimed", "Claimed", "a runner has it"],
  ["in_progress", "In progress", "a runner executes it"],
  ["completed", "Completed", "has its result"],
  ["failed", "Failed", "has no result"],
  ["expired", "Expired", "its result is not valid any more"],
];

const NAMES = new Map(STATUSES.map(([status, name, means]) => [status, { name, means }]));

export const hasEnded = (status) => status === "completed" || status === "failed" || status === "expired";

export const Status = ({ status }) => (
  <span class={`outcome ${status}`} title={NAMES.get(status).means}>{NAMES.get(status).name}</span>
);

export const When = ({ at }) => <span title={date(at)}>{before(now.value - at)}</span>;

export const RunnerLink = ({ id, name }) =>
  id ? <a class="clip" href={toRunner(id)} title={id}>{name ?? id}</a> : <span class="none">nobody</span>;

/** How a submission from this page came to its job: { id, how }. */
export const arrival = signal(null);

/** A key is needed where one is needed for the page. */
export const keyed = (name) => (session.value?.key === "needed" ? ` -H "Authorization: Bearer $${name}"` : "");

/** Columns of lists of jobs. */
export const JOB = { name: "Job", class: "job-id", cell: ({ job_id }) => <a class="mono" href={toJob(job_id)} title={job_id}>{short(job_id)}</a> };
export const TYPE = { name: "Type", class: "wide", cell: ({ job_type }) => <span class="clip" title={job_type}>{job_type}</span> };
export const STATUS = { name: "Status", class: "outcome-col", cell: Status };
export const SUBMITTED = { name: "Submitted", class: "when", cell: ({ created_at }) => <When at={created_at} /> };
export const CHANGED = { name: "Changed", class: "when", cell: ({ updated_at }) => <When at={updated_at} /> };

/** Its last part is chance; the first ones are the time, and much alike. */
export const short = (id) => `…${id.slice(-12)}`;

export const withIds = (jobs) => jobs.map((job) => ({ ...job, id: job.job_id }));
