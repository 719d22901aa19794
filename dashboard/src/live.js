// The stream of events. A browser's EventSource comes back by itself when a stream breaks off; when it was refused it
// does not, so we ask again, ever more rarely.

import { effect } from "@preact/signals";
import { askSession, session } from "./api.js";
import { connection, takeSnapshot, takeUpdate } from "./state.js";

const PATH = "/api/dashboard/events";
const FIRST_PAUSE_MS = 1000;
const LONGEST_PAUSE_MS = 15000;

let source = null;
let timer = null;
let pause = FIRST_PAUSE_MS;

export function start() {
  effect(() => (session.value?.signedIn ? open() : close()));
  begin();
}

/** The session may be over, the service may be full or gone: what it says about itself tells. */
async function begin() {
  close();
  try {
    await askSession();
  } catch (error) {
    connection.value = { state: error.status ? "refused" : "reconnecting", why: error.message };
    return again();
  }
  if (session.value.signedIn) open();
}

function open() {
  if (source) return;
  source = new EventSource(PATH);
  source.addEventListener("snapshot", (event) => {
    takeSnapshot(JSON.parse(event.data));
    pause = FIRST_PAUSE_MS;
    connection.value = { state: "live" };
  });
  source.addEventListener("update", (event) => takeUpdate(JSON.parse(event.data)));
  source.addEventListener("error", () => {
    connection.value = { state: "reconnecting" };
    if (source?.readyState === EventSource.CLOSED) refused();
  });
}

/** An EventSource does not tell what it was answered, so it is asked for once more. */
async function refused() {
  const question = new AbortController();
  const answer = await fetch(PATH, { signal: question.signal }).catch(() => null);
  const said = answer && !answer.ok ? await answer.json().catch(() => null) : null;
  question.abort();
  if (said?.error) connection.value = { state: "refused", why: said.error };
  again();
}

function close() {
  source?.close();
  source = null;
}

function again() {
  clearTimeout(timer);
  timer = setTimeout(begin, pause);
  pause = Math.min(2 * pause, LONGEST_PAUSE_MS);
}
