// The connection to the service's event stream. A browser's EventSource reconnects by itself when a stream breaks, but
// not after a refusal; this module then reconnects with a growing delay.

import { effect } from "@preact/signals";
import { fetchSession, session } from "./api.js";
import { applySnapshot, applyUpdate, connection } from "./state.js";

const PATH = "/api/dashboard/events";
const MIN_BACKOFF_MS = 1000;
const MAX_BACKOFF_MS = 15000;

let source = null;
let timer = null;
let backoffMs = MIN_BACKOFF_MS;

export function start() {
  effect(() => (session.value?.signedIn ? open() : close()));
  connect();
}

/** Fetches the session first: its answer shows whether the user must sign in, or the service refuses or is gone. */
async function connect() {
  close();
  try {
    await fetchSession();
  } catch (error) {
    connection.value = { state: error.status ? "refused" : "reconnecting", reason: error.message };
    return scheduleReconnect();
  }
  if (session.value.signedIn) open();
}

function open() {
  if (source) return;
  source = new EventSource(PATH);
  source.addEventListener("snapshot", (event) => {
    applySnapshot(JSON.parse(event.data));
    backoffMs = MIN_BACKOFF_MS;
    connection.value = { state: "live" };
  });
  source.addEventListener("update", (event) => applyUpdate(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    connection.value = { state: "reconnecting" };
    if (source?.readyState === EventSource.CLOSED) handleRefusal();
  });
}

/** Reads the error text of a refusal. EventSource does not expose it, so this sends the same request once more. */
async function handleRefusal() {
  const controller = new AbortController();
  const response = await fetch(PATH, { signal: controller.signal }).catch(() => null);
  const body = response && !response.ok ? await response.json().catch(() => null) : null;
  controller.abort();
  if (body?.error) connection.value = { state: "refused", reason: body.error };
  scheduleReconnect();
}

function close() {
  source?.close();
  source = null;
}

function scheduleReconnect() {
  clearTimeout(timer);
  timer = setTimeout(connect, backoffMs);
  backoffMs = Math.min(2 * backoffMs, MAX_BACKOFF_MS);
}
