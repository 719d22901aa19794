// What several pages about jobs share: statuses, links, columns of lists, and the outcome of the last submission.

import { signal } from "@preact/signals";
import { session } from "../api.js";
import { date, timeAgo } from "../format.js";
import { jobHref, runnerHref } from "../route.js";
import { now } from "../state.js";

/** [status, name, meaning], in the order in which a job passes through them. */
export const STATUSES = [
  ["pending", "Pending", "waiting for a runner"],
  ["claimed", "Claimed", "leased to a runner that sent no heartbeat yet"],
  ["in_progress", "In progress", "a runner is executing the job"],
  ["completed", "Completed", "the result is valid"],
  ["failed", "Failed", "the job has no result"],
  ["expired", "Expired", "the result is no longer valid"],
];

const BY_STATUS = new Map(STATUSES.map(([status, name, meaning]) => [status, { name, meaning }]));

export const hasEnded = (status) => status === "completed" || status === "failed" || status === "expired";

export const Status = ({ status }) => (
  <span class={`outcome ${status}`} title={BY_STATUS.get(status).meaning}>{BY_STATUS.get(status).name}</span>
);

export const TimeAgo = ({ at }) => <span title={date(at)}>{timeAgo(now.value - at)}</span>;

export const RunnerLink = ({ id, name }) =>
  id ? <a class="truncated" href={runnerHref(id)} title={id}>{name ?? id}</a> : <span class="none">none</span>;

/** The last submission from this page: { id, outcome }; see `submissionOutcome` for the outcomes. */
export const submission = signal(null);

/** The curl option with a key, on a service that asks for keys. `name` is the environment variable with the key. */
export const authorizationOption = (name) => (session.value?.key === "needed" ? ` -H "Authorization: Bearer $${name}"` : "");

/** Columns of lists of jobs. */
export const JOB = { name: "Job", class: "job-id", cell: ({ job_id }) => <a class="mono" href={jobHref(job_id)} title={job_id}>{shortId(job_id)}</a> };
export const TYPE = { name: "Type", class: "wide", cell: ({ job_type }) => <span class="truncated" title={job_type}>{job_type}</span> };
export const STATUS = { name: "Status", class: "outcome-column", cell: Status };
export const SUBMITTED = { name: "Submitted", class: "time-ago", cell: ({ created_at }) => <TimeAgo at={created_at} /> };
export const CHANGED = { name: "Changed", class: "time-ago", cell: ({ updated_at }) => <TimeAgo at={updated_at} /> };

/** The last 12 characters of a job id, which are random. The first ones are a timestamp and differ little between jobs. */
export const shortId = (id) => `…${id.slice(-12)}`;

export const withIds = (jobs) => jobs.map((job) => ({ ...job, id: job.job_id }));
