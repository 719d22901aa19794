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

async function ask(path, { method = "GET", body, headers = {} } = {}) {
  const told = body === undefined ? {} : { body: JSON.stringify(body) };
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const response = await fetch(path, { method, headers: { ...type, ...headers }, ...told }).catch(() => {
    throw new Error("the service cannot be reached");
  });
  if (!response.ok) throw Object.assign(await failure(response), { status: response.status });
  return response.json();
}

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
  session.value = await ask("/api/session", { method: "POST", body: { key } });
}

export async function signOut() {
  await write("DELETE", "/api/session");
  await askSession();
}

export const clearHistory = () => write("DELETE", "/api/dashboard");
export const retire = (who) => write("POST", "/api/admin/retire", who);

/** A token that is too old, as after a restart, is replaced and the write tried once more. */
async function write(method, path, body) {
  const token = session.value?.csrf;
  try {
    return await writeOnce(method, path, body);
  } catch (error) {
    if (error.status !== 401 && error.status !== 403) throw error;
    await askSession();
    if (session.value.csrf === token || !session.value.signedIn) throw error;
    return writeOnce(method, path, body);
  }
}

function writeOnce(method, path, body) {
  const csrf = session.value?.csrf;
  return ask(path, { method, body, headers: csrf ? { "x-csrf-token": csrf } : {} });
}
