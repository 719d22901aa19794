// Requests to the service. Each write carries the CSRF token of the session.

import { signal } from "@preact/signals";

/** The answer of `/api/session`: { key: "needed" | "not-needed", signedIn, csrf }. Null until the first answer. */
export const session = signal(null);

const NO_SESSIONS = { key: "not-needed", signedIn: true, csrf: null };

/** An Error with the service's own error text, or with the status when the body has none. */
async function errorOf(response) {
  const body = await response.json().catch(() => null);
  return new Error(body?.error ?? `the service answered with status ${response.status}`);
}

/** Sends a request; `text` is a JSON body. Returns { status, text }, the answer's body as it was written. */
async function request(path, { method = "GET", text, headers = {} } = {}) {
  const type = text === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(path, { method, headers: { ...type, ...headers }, body: text }).catch(() => {
    throw new Error("the service does not answer; check that it is running");
  });
  if (!response.ok) throw Object.assign(await errorOf(response), { status: response.status });
  return { status: response.status, text: await response.text() };
}

const requestJson = async (path, options) => JSON.parse((await request(path, options)).text);

/** A service without keys has no `/api/session`: every caller that reaches it may do everything. */
export async function fetchSession() {
  try {
    session.value = await requestJson("/api/session");
  } catch (error) {
    if (error.status !== 404) throw error;
    session.value = NO_SESSIONS;
  }
}

export async function signIn(key) {
  session.value = await requestJson("/api/session", { method: "POST", text: JSON.stringify({ key }) });
}

export async function signOut() {
  await write("DELETE", "/api/session");
  await fetchSession();
}

export const clearHistory = () => write("DELETE", "/api/dashboard");
/** `filter` names a deployment, a version, a runner, or several of these. */
export const retire = async (filter) => JSON.parse((await write("POST", "/api/admin/retire", JSON.stringify(filter))).text);

const adminJobPath = (id) => `/api/admin/jobs/${encodeURIComponent(id)}`;

/** The newest jobs of a status, or of all statuses when it is empty. */
export const fetchJobs = (status) => requestJson(`/api/admin/jobs?limit=200${status ? `&status=${status}` : ""}`);
export const fetchBackgroundTasks = () => requestJson("/api/admin/background");
export const fetchRunners = () => requestJson("/api/admin/runners");
export const fetchRunner = (id) => requestJson(`/api/admin/runners/${encodeURIComponent(id)}`);
/** A job's details, and their JSON text, which keeps the digits of parameters and results (see json.js). */
export async function fetchJob(id) {
  const { text } = await request(adminJobPath(id));
  return { ...JSON.parse(text), text };
}

export const openJobEvents = (id) => new EventSource(`/api/jobs/${encodeURIComponent(id)}/events`);

/** Submits a job. Returns { isNew, job_id, status }. `input` is JSON text and is sent unchanged. */
export const submitJob = ({ jobType, input, priority, fresh }) =>
  postSubmission("/api/jobs/submit", `{"job_type":${JSON.stringify(jobType)},"input_params":${input},"priority":${priority},"fresh":${fresh}}`);
export const runAgain = (id) => postSubmission(`${adminJobPath(id)}/again`);
export const cancelJob = async (id) => JSON.parse((await write("POST", `/api/jobs/${encodeURIComponent(id)}/cancel`)).text);
export const deleteJob = (id) => write("DELETE", adminJobPath(id));

async function postSubmission(path, body) {
  const { status, text } = await write("POST", path, body);
  return { ...JSON.parse(text), isNew: status === 201 };
}

/** Sends a write. When the token is outdated, as after a restart, it fetches a new one and sends the write once more. */
async function write(method, path, text) {
  const token = session.value?.csrf;
  try {
    return await writeOnce(method, path, text);
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) throw error;
    await fetchSession();
    if (session.value.csrf === token || !session.value.signedIn) throw error;
    return writeOnce(method, path, text);
  }
}

function writeOnce(method, path, text) {
  const csrf = session.value?.csrf;
  return request(path, { method, text, headers: csrf ? { "x-csrf-token": csrf } : {} });
}
