// Questions and wishes to the service. Every write carries the session's token.

import { signal } from "@preact/signals";

/** key: "needed" or "not-needed"; null until asked. */
export const session = signal(null);

const NO_SESSIONS = { key: "not-needed", signedIn: true, csrf: null };

/** A sentence for people, from whatever came back. */
async function failure(response) {
  const said = await response.json().catch(() => null);
  return new Error(said?.error ?? `the service answered ${response.status}`);
}

/** What is answered as it is written; `text` is the body, JSON. */
async function request(path, { method = "GET", text, headers = {} } = {}) {
  const type = text === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(path, { method, headers: { ...type, ...headers }, body: text }).catch(() => {
    throw new Error("the service cannot be reached");
  });
  if (!response.ok) throw Object.assign(await failure(response), { status: response.status });
  return { status: response.status, text: await response.text() };
}

const ask = async (path, wish) => JSON.parse((await request(path, wish)).text);

/** A service without sessions has no such path: whoever reaches it may do everything. */
export async function askSession() {
  try {
    session.value = await ask("/api/session");
  } catch (error) {
    if (error.status !== 404) throw error;
    session.value = NO_SESSIONS;
  }
}

export async function signIn(key) {
  session.value = await ask("/api/session", { method: "POST", text: JSON.stringify({ key }) });
}

export async function signOut() {
  await write("DELETE", "/api/session");
  await askSession();
}

export const clearHistory = () => write("DELETE", "/api/dashboard");
export const retire = async (who) => JSON.parse((await write("POST", "/api/admin/retire", JSON.stringify(who))).text);

const job = (id) => `/api/admin/jobs/${encodeURIComponent(id)}`;

/** The newest jobs, of that status or of all. */
export const askJobs = (status) => ask(`/api/admin/jobs?limit=200${status ? `&status=${status}` : ""}`);
export const askRunners = () => ask("/api/admin/runners");
export const askRunner = (id) => ask(`/api/admin/runners/${encodeURIComponent(id)}`);
/** A job's details, as text too: what others wrote into it is shown as it is. */
export async function askJob(id) {
  const { text } = await request(job(id));
  return { ...JSON.parse(text), text };
}

export const jobEvents = (id) => new EventSource(`/api/jobs/${encodeURIComponent(id)}/events`);

/** A submission: { isNew, job_id, status }. The parameters are sent as they were written. */
export const submitJob = ({ jobType, input, priority, fresh }) =>
  submitted("/api/jobs/submit", `{"job_type":${JSON.stringify(jobType)},"input_params":${input},"priority":${priority},"fresh":${fresh}}`);
export const runAgain = (id) => submitted(`${job(id)}/again`);
export const cancelJob = async (id) => JSON.parse((await write("POST", `/api/jobs/${encodeURIComponent(id)}/cancel`)).text);
export const deleteJob = (id) => write("DELETE", job(id));

async function submitted(path, body) {
  const { status, text } = await write("POST", path, body);
  return { ...JSON.parse(text), isNew: status === 201 };
}

/** A token that is too old, as after a restart, is replaced and the write tried once more. */
async function write(method, path, text) {
  const token = session.value?.csrf;
  try {
    return await writeOnce(method, path, text);
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) throw error;
    await askSession();
    if (session.value.csrf === token || !session.value.signedIn) throw error;
    return writeOnce(method, path, text);
  }
}

function writeOnce(method, path, text) {
  const csrf = session.value?.csrf;
  return request(path, { method, text, headers: csrf ? { "x-csrf-token": csrf } : {} });
}
