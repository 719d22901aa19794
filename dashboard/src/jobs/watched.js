// A job as it goes: its details, asked for whenever its status is another one, and its progress and console as they
// grow.

import { useEffect, useState } from "preact/hooks";
import { askJob, jobEvents } from "../api.js";
import { arrival, hasEnded } from "./words.jsx";

const COMES_BACK_AFTER_MS = 3000;

/** { details, progress, console, error }, and `again`, which asks again at once. */
export function useJob(id) {
  const [job, setJob] = useState({ console: "" });
  const [round, setRound] = useState(0);
  const change = (more) => setJob((before) => ({ ...before, ...more }));
  const ask = () => askJob(id).then((details) => change({ details, error: null }), (error) => change({ error }));
  useEffect(() => {
    ask();
    return watch(id, {
      status: ask,
      progress: (progress) => change({ progress }),
      console: ({ is_whole, text }) => setJob((before) => ({ ...before, console: is_whole ? text : before.console + text })),
    });
  }, [id, round]);
  // Whoever comes back to it later did not submit it then.
  useEffect(() => () => arrival.value?.id === id && (arrival.value = null), [id]);
  return { ...job, again: () => setRound((before) => before + 1) };
}

/** Follows its events until it has ended; returns what ends that sooner. */
function watch(id, { status, progress, console }) {
  let source = null;
  let timer = null;
  const close = () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
  const open = () => {
    close();
    source = jobEvents(id);
    source.addEventListener("progress", (event) => progress(JSON.parse(event.data)));
    source.addEventListener("console", (event) => console(JSON.parse(event.data)));
    source.addEventListener("status", (event) => {
      status();
      if (hasEnded(JSON.parse(event.data).status)) over();
    });
    // Refused: too many watch, or it is gone, which its details say.
    source.addEventListener("error", () => {
      if (source?.readyState !== EventSource.CLOSED) return;
      status();
      close();
      timer = setTimeout(open, COMES_BACK_AFTER_MS);
    });
  };
  // A browser has few connections for one service: a page that nobody sees leaves its own to others.
  const seen = () => (document.hidden ? close() : open());
  const over = () => {
    document.removeEventListener("visibilitychange", seen);
    close();
  };
  document.addEventListener("visibilitychange", seen);
  seen();
  return over;
}
